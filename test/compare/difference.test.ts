import { differenceOf, type BothSides } from '../../src/compare/difference';

const DAY = 86_400_000;
const until = Date.parse('2026-06-01T12:00:00.000Z');
const facts = { type: 'string', length: 3, expiry: until };
const equal: BothSides = {
  source: facts,
  target: facts,
  targetMinusSource: 0,
  valuesAgree: true,
  expiriesAgree: true,
  fieldsThatDiffer: 0,
};

it('tells by how much the lives of a key differ, whatever the clocks of both servers are', () => {
  const target = { ...facts, expiry: until + DAY + 4 + 60_000 };
  const { message } = differenceOf({ ...equal, target, targetMinusSource: DAY + 4, expiriesAgree: false })!;
  expect(message).toContain('Its expiry differs by 60000 ms');
  expect(message).toContain('source: string of 3 bytes, expires 2026-06-01T12:00:00.000Z');
  expect(message).toContain(
    "target: string of 3 bytes, expires 2026-06-01T12:01:00.000Z by the source's clock (the target's is 86400004 ms ahead).",
  );
});

it('says nothing of clocks that are nearly equal, nor where a key never expires', () => {
  const later = { ...facts, expiry: until + 500 };
  const near = differenceOf({ ...equal, target: later, targetMinusSource: -3, expiriesAgree: false });
  expect(near?.message).toMatch(/differs by 503 ms.*expires 2026-06-01T12:00:00\.503Z\.$/);
  const never = differenceOf({
    ...equal,
    target: { ...facts, expiry: 0 },
    targetMinusSource: DAY,
    expiriesAgree: false,
  });
  expect(never?.message).toMatch(/Its expiry differs\. .* no expiry\.$/);
});
