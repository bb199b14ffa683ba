import fc from 'fast-check';
import { fromChunks, toChunks } from '../../src/ledger/chunked-text';
import { debt, decodeMessage, encodeMessage, ForeignMessageError, owedMsOf } from '../../src/ledger/range-queue';
import { resetIfOlder, isFinal, isSettled, rangeName } from '../../src/migration/rows';
import { aMigration, aRange } from '../tools/rows';

describe('a value in pieces', () => {
  it('is the same put together, and every piece is short ASCII', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 50 }), fc.integer({ min: 0, max: 2_000 }), (part, times) => {
        const value = { text: part.repeat(times), numbers: [1, null] };
        const chunks = toChunks('plan', value);
        expect(JSON.stringify(fromChunks('plan', chunks)) === JSON.stringify(value)).toBe(true);
        expect(Object.values(chunks).every((chunk) => chunk.length <= 30_000 && /^[ -~]*$/.test(chunk))).toBe(true);
      }),
    );
  });
});

describe('a message of the queue', () => {
  const message = { migration: 'migration-1', range: 'copy-00012' };

  it('is base64 of JSON, as the host decodes it, and comes back as text or as an object', () => {
    const body = Buffer.from(encodeMessage(message), 'base64').toString();
    expect(decodeMessage(body)).toEqual(message);
    expect(decodeMessage(JSON.parse(body))).toEqual(message);
  });

  it('keeps nothing that is not its own', () => {
    expect(decodeMessage({ ...message, host: 'secret' })).toEqual(message);
  });

  it.each([
    '',
    'no json',
    '[]',
    'null',
    null,
    undefined,
    5,
    {},
    { migration: 1, range: 'a' },
    { migration: 'a' },
    { ...message, migration: "' or true" },
    { ...message, migration: 'a'.repeat(101) },
    { ...message, range: 'copy-1' },
    { ...message, range: 'Dance-00001' },
    { ...message, range: 'copy-00001\n' },
    { ...message, range: 'copy-0000001' },
  ])('is not %j', (body) => {
    expect(() => decodeMessage(body)).toThrow(ForeignMessageError);
  });

  it('owes for a day at most, and nothing that is no time', () => {
    const now = 1_800_000_000_000;
    const soon = { ...message, ...debt(60_000, now) };
    expect(decodeMessage(soon)).toEqual(soon);
    expect(owedMsOf(soon, now + 20_000)).toBe(40_000);
    expect(owedMsOf(soon, now + 60_001)).toBe(0);
    // A clock that was set back makes it no longer than it was.
    expect(owedMsOf(soon, now - 3_600_000)).toBe(60_000);
    expect(owedMsOf(decodeMessage({ ...message, owedUntil: 1e300 }), now)).toBe(24 * 3_600_000);
    expect(debt(0, now)).toEqual({});
    for (const owedUntil of ['soon', -1, null, {}]) expect(decodeMessage({ ...message, owedUntil })).toEqual(message);
  });

  it('keeps no trace context that is none', () => {
    for (const traceparent of [5, 'x'.repeat(101)]) expect(decodeMessage({ ...message, traceparent })).toEqual(message);
  });
});

describe('a range row', () => {
  it('has a name that sorts by its number', () => {
    expect([rangeName('copy', 7), rangeName('look', 16_383)]).toEqual(['copy-00007', 'look-16383']);
  });

  it('of an earlier epoch has done nothing, and begins where its range does', () => {
    const row = aRange(1, { state: 'done', cursor: '77', share: 1, cause: 'x', heartbeat: 'then', generation: 4 });
    expect(resetIfOlder(row, { epoch: 0, pass: 0 })).toBe(row);
    expect(resetIfOlder(row, { epoch: 1, pass: 2 })).toEqual(
      aRange(1, { epoch: 1, pass: 2, cursor: '2', heartbeat: 'then', generation: 4, wroteAhead: true }),
    );
  });

  it('is settled when done, failed or cancelled', () => {
    const states = (['planned', 'active', 'done', 'failed', 'cancelled'] as const).filter((state) =>
      isSettled({ state }),
    );
    expect(states).toEqual(['done', 'failed', 'cancelled']);
    expect(isFinal(aMigration({ state: 'verifying' }))).toBe(false);
    expect(isFinal(aMigration({ state: 'completedWithDifferences' }))).toBe(true);
  });
});
