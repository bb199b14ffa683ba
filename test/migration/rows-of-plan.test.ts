import { resetIfOlder, rangeName, type RangeRow } from '../../src/migration/rows';
import { contradictionIn, noCounts } from '../../src/migration/counts';
import { rangesOf } from '../../src/start/start-migration';
import { rowsOfPlan } from '../../src/migration/rows-of-plan';
import { sumRanges } from '../../src/tally/sum';
import { aMigration, aPlan, aRange } from '../tools/rows';
import { processorTime } from '../tools/processor-time';

const migration = aMigration({ phasesWithRows: ['copy'] });
const rows = rangesOf(migration).map((row): RangeRow => ({ ...row, etag: 'e' }));
const done = rows.map((row): RangeRow => ({ ...row, state: 'done', share: 1 }));
const changed = (number: number, changes: Partial<RangeRow>) =>
  done.map((row) => (row.number === number ? { ...row, ...changes } : row));
const looking = aMigration({ phase: 'look', state: 'verifying', phasesWithRows: ['copy', 'look'] });
const lookRows = done.map((row): RangeRow => ({ ...row, phase: 'look', name: rangeName('look', row.number) }));

describe('rows held against the plan', () => {
  it('are as they were when they are as planned', () => {
    expect(rowsOfPlan(migration, rows)).toEqual(rows);
    expect(rowsOfPlan(migration, [...done].reverse())).toEqual(done);
    expect(sumRanges(looking, [...done, ...lookRows])).toMatchObject({ ranges: { done: 4, failed: 0 }, cause: null });
  });

  it('miss none while the rows of a phase are still being written', () => {
    expect(rowsOfPlan(aMigration(), rows.slice(0, 1))).toHaveLength(1);
    const began = aMigration({ phase: 'look', phasesWithRows: ['copy'] });
    expect(sumRanges(began, [...done, ...lookRows.slice(2)]).ranges).toMatchObject({ done: 2, failed: 0 });
  });

  it('fail for one that is lost, in the phase or in one before it', () => {
    const sum = sumRanges(migration, done.slice(1));
    expect(sum).toMatchObject({
      ranges: { done: 3, failed: 1 },
      cause: expect.stringContaining('copy-00000') as string,
    });
    expect(sum.cause).toMatch(/lost the row/);
    expect(sumRanges(looking, [...done.slice(0, 3), ...lookRows])).toMatchObject({
      ranges: { done: 4, failed: 1 },
      cause: expect.stringContaining('copy-00003') as string,
    });
    expect(sumRanges(looking, done).ranges).toMatchObject({ done: 0, failed: 4 });
  });

  it.each<[string, Partial<RangeRow>, RegExp]>([
    ['another database', { database: 1 }, /another part of the keyspace/],
    ['another place', { index: 3 }, /another part of the keyspace/],
    ['other ranges', { bits: 3 }, /another part of the keyspace/],
    ['an epoch to come', { epoch: 1 }, /epoch 1/],
    ['an end before the end', { share: 0.5 }, /not at its end/],
    ['a place before its beginning', { state: 'active', cursor: '4' }, /cursor/],
    ['more repeats than keys', { counts: { ...noCounts, scanned: 1, repeats: 2 } }, /repeated/],
    ['more copied than seen', { counts: { ...noCounts, scanned: 1, copied: 2 } }, /2 keys settled of 1 seen/],
    ['more deleted than extra', { counts: { ...noCounts, scanned: 9, extra: 1, deleted: 2 } }, /deleted/],
  ])('fail for one with %s', (_, changes, cause) => {
    const sum = sumRanges(migration, changed(1, changes));
    expect(sum.ranges).toMatchObject({ done: 3, failed: 1 });
    expect(sum.cause).toMatch(/copy-00001/);
    expect(sum.cause).toMatch(cause);
  });

  it('fail for one that the plan does not know, but not for one of a phase that may have begun meanwhile', () => {
    const more = aRange(4, { state: 'done', share: 1 });
    expect(sumRanges(migration, [...done, more])).toMatchObject({
      ranges: { done: 4, failed: 1 },
      cause: expect.stringContaining('copy-00004') as string,
    });
    expect(sumRanges(migration, [...done, ...lookRows]).ranges).toMatchObject({ done: 4, failed: 0 });
  });

  it('wait for one of an earlier phase that is open', () => {
    expect(sumRanges(looking, [...changed(0, { state: 'active' }), ...lookRows]).ranges).toMatchObject({ active: 1 });
  });

  it('allow a range that is at its end and not settled yet', () => {
    expect(sumRanges(migration, changed(1, { state: 'active', cursor: '0' })).ranges).toMatchObject({ active: 1 });
  });

  it('count in the epoch of the migration; a broken one stays broken', () => {
    const later = { ...migration, epoch: 1 };
    expect(rowsOfPlan(later, done)).toEqual(done.map((row) => resetIfOlder(row, { epoch: 1, pass: 0 })));
    expect(sumRanges(later, done.slice(1)).ranges).toMatchObject({ planned: 3, failed: 1 });
  });

  it('are held in a moment when there are 16,384', () => {
    const plan = aPlan({ databases: [{ database: 0, targetDatabase: 0, prefix: '', keys: 1e9, bits: 14 }] });
    const large = aMigration({ plan, phasesWithRows: ['copy'] });
    const many = rangesOf(large).map((row): RangeRow => ({ ...row, state: 'active', etag: 'e' }));
    const spent = processorTime();
    expect(sumRanges(large, many).ranges).toMatchObject({ active: 16_384, failed: 0 });
    expect(spent()).toBeLessThan(5_000);
  });
});

it('counts contradict themselves only where they cannot be', () => {
  expect(contradictionIn(noCounts)).toBeUndefined();
  expect(contradictionIn({ ...noCounts, scanned: 10, repeats: 2, copied: 5, expired: 3 })).toBeUndefined();
  expect(contradictionIn({ ...noCounts, scanned: 10, extra: 3, deleted: 3 })).toBeUndefined();
});
