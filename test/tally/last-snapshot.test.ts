import type { App } from '../../src/app/app';
import { noCounts } from '../../src/migration/counts';
import { firstSnapshot, type Snapshot } from '../../src/migration/report';
import { freshSnapshot } from '../../src/tally/last-snapshot';
import { aMigration, aRange } from '../tools/rows';

/** A ledger whose last sum is of so many keys and so old, and whose rows have so many. */
function ledgerOf() {
  const migration = aMigration();
  const state = { sum: 0, ageMs: 0, inRows: 0 };
  const now = Date.parse('2026-01-01T01:00:00.000Z');
  const sum = (): Snapshot => {
    const first = firstSnapshot(migration);
    return {
      ...first,
      at: new Date(now - state.ageMs).toISOString(),
      counts: { ...noCounts, scanned: state.sum, copied: state.sum },
      // Too many for all rows to be read each time.
      progress: { ...first.progress, ranges: { ...first.progress.ranges, total: 2_000 } },
    };
  };
  const rows = () =>
    [0, 1, 2, 3].map((number) => {
      const keys = number === 0 ? state.inRows : 0;
      return aRange(number, { state: 'active', counts: { ...noCounts, scanned: keys, copied: keys } });
    });
  const ledger = {
    now: () => now,
    snapshots: { get: () => Promise.resolve(sum()) },
    seenRanges: { list: () => Promise.resolve({ rows: rows() }) },
  } as unknown as App['ledger'];
  return { migration, state, ledger };
}

describe('the numbers of a report', () => {
  const keysOf = async (...[migration, app]: Parameters<typeof freshSnapshot>) =>
    (await freshSnapshot(migration, app)).counts.copied;

  it('do not go down where a sum is of rows that were read before those that were told', async () => {
    const { migration, state, ledger } = ledgerOf();
    Object.assign(state, { sum: 50, ageMs: 6_000, inRows: 100 });
    expect(await keysOf(migration, { ledger })).toBe(100);
    Object.assign(state, { sum: 80, ageMs: 0 });
    expect(await keysOf(migration, { ledger })).toBe(100);
    Object.assign(state, { sum: 120 });
    expect(await keysOf(migration, { ledger })).toBe(120);
  });

  it('do where another walk has begun', async () => {
    const { migration, state, ledger } = ledgerOf();
    Object.assign(state, { sum: 50, ageMs: 6_000, inRows: 100 });
    await keysOf(migration, { ledger });
    Object.assign(state, { sum: 10, ageMs: 0 });
    expect(await keysOf({ ...migration, epoch: 1 }, { ledger })).toBe(10);
  });
});
