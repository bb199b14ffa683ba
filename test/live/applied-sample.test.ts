import { AppliedSample, isOlder, type SampleSeen } from '../../src/live/applied-sample';

let now = 0;
const sample = () => new AppliedSample(() => now);
const names = (keys: readonly { readonly key: Buffer }[]) => keys.map(({ key }) => key.toString());

beforeEach(() => {
  now = 0;
});

it('has keys that have not changed for a while when the source gave its last sign', () => {
  const applied = sample();
  applied.add('old', true);
  applied.add('changed', true);
  now = 5_000;
  applied.add('young', true);
  applied.told(Buffer.from('changed'));
  expect(applied.keysAt(6_000)).toEqual([{ key: Buffer.from('old'), isThere: true, ageMs: 6_000 }]);
  expect(names(applied.keysAt(8_000))).toEqual(['old', 'young']);
  expect(names(applied.keysAt(8_000, (key) => key.equals(Buffer.from('young'))))).toEqual(['young']);
  expect(applied.has(Buffer.from('changed'))).toBe(false);
  applied.clear();
  expect(applied.keysAt(8_000)).toEqual([]);
});

it('stays small, and has some of each age', () => {
  const applied = sample();
  for (let second = 0; second < 100; second++) {
    now = second * 1_000;
    for (let i = 0; i < 1_000; i++) applied.add(`${second}:${i}`, true);
  }
  const keys = applied.keysAt(now);
  expect(keys.length).toBeLessThanOrEqual(256);
  expect(keys.length).toBeGreaterThan(200);
  expect(keys[0]!.ageMs).toBeGreaterThan(60_000);
  expect(keys.at(-1)!.ageMs).toBeLessThan(10_000);
});

it('what another reader knew is known, too', () => {
  const [applied, other] = [sample(), sample()];
  other.add('old', true);
  now = 5_000;
  applied.adopt(other);
  expect(names(applied.keysAt(now))).toEqual(['old']);
});

const seen = (keys: number, differing: number, ageMs: number, rest: Partial<SampleSeen> = {}): SampleSeen => ({
  keys: Array.from({ length: keys }, (_, i) => ({ ageMs, differs: i < differing })),
  unheardMs: 2_000,
  uncountedMs: 0,
  changes: 1_000,
  ...rest,
});

it.each<[string, SampleSeen, boolean]>([
  ['nothing differs', seen(100, 0, 60_000, { changes: 0 }), false],
  ['three differ, and nobody has written', seen(3, 3, 4_000, { changes: 0 }), true],
  ['two differ, which somebody else may have changed on the target', seen(100, 2, 60_000, { changes: 0 }), false],
  [
    'some differ that may have been changed before it ended',
    seen(100, 6, 60_000, { changes: 0, uncountedMs: 2_000 }),
    false,
  ],
  ['more differ than may have been', seen(100, 20, 60_000, { changes: 0, uncountedMs: 2_000 }), true],
  ['more differ than were written', seen(100, 6, 60_000, { changes: 5 }), true],
  ['as many differ as were written', seen(5, 5, 3_600_000, { changes: 5 }), false],
  ['most differ, and many were written', seen(100, 90, 60_000), true],
  ['most differ, and it does not tell how many were written', seen(100, 90, 60_000, { changes: undefined }), true],
  ['a few differ of keys that seldom change', seen(100, 30, 60_000), false],
  ['most differ of keys that change all the time', seen(100, 60, 4_000), false],
  ['most differ after a long time', seen(100, 90, 60_000, { unheardMs: 60_000 }), false],
])('%s', (_, told, older) => {
  expect(isOlder(told)).toBe(older);
});
