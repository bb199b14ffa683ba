import { noCounts } from '../../src/migration/counts';
import { verdict, type TallyFacts } from '../../src/migration/verdict';

const none = { planned: 0, active: 0, done: 0, failed: 0, cancelled: 0 };

/** Everything done, and all numbers agree. */
const well: TallyFacts = {
  phase: 'copy',
  mode: 'copy',
  verify: 'count',
  looksForExtra: false,
  cancelRequested: false,
  ranges: { ...none, done: 4 },
  counts: { ...noCounts, scanned: 100, copied: 100 },
  sourceKeysNow: 100,
  targetKeysNow: 100,
  evictedFromTarget: 0,
  targetKeysAtStart: 0,
  quietSeconds: 0,
  stallAfter: 1_800,
  cause: null,
};
const counts = (changes: Partial<TallyFacts['counts']>) => ({ ...well.counts, ...changes });

describe('the verdict', () => {
  it.each<[string, Partial<TallyFacts>, unknown]>([
    ['completed when all is done and the numbers agree', {}, { kind: 'completed', missing: 0 }],
    ['to wait while a range is planned', { ranges: { ...none, done: 3, planned: 1 } }, { kind: 'wait' }],
    [
      'to wait while a range is active, whatever the others',
      { ranges: { ...none, failed: 3, active: 1 } },
      { kind: 'wait' },
    ],
    [
      'to wait for the ranges when cancelled',
      { ranges: { ...none, active: 1 }, cancelRequested: true },
      { kind: 'wait' },
    ],
    ['cancelled when asked to and nothing moves any more', { cancelRequested: true }, { kind: 'cancelled' }],
    ['cancelled when a range was', { ranges: { ...none, done: 3, cancelled: 1 } }, { kind: 'cancelled' }],
    [
      'failed with its cause when a range failed',
      { ranges: { ...none, done: 3, failed: 1 }, cause: 'why' },
      { kind: 'failed', cause: 'why' },
    ],
    [
      'failed when nothing moved for too long',
      { ranges: { ...none, active: 2 }, quietSeconds: 1_801 },
      { kind: 'failed', cause: 'Nothing moved for 1800 seconds with 2 ranges open.' },
    ],
    ['to wait for a server that does not answer', { targetKeysNow: undefined }, { kind: 'wait' }],
    [
      'failed when a server does not answer for too long',
      { sourceKeysNow: undefined, quietSeconds: 1_801 },
      { kind: 'failed', cause: expect.stringMatching(/must answer/) as string },
    ],
    ['to look when the source does not tell how many keys it has', { sourceKeysNow: null }, { kind: 'look' }],
    ['to look when the target does not', { targetKeysNow: null }, { kind: 'look' }],
    ['to look when it did not at the start', { targetKeysAtStart: undefined }, { kind: 'look' }],
    ['to look when it does not tell what it evicted', { evictedFromTarget: undefined }, { kind: 'look' }],
    ['to look when the source has keys that were not seen', { sourceKeysNow: 101 }, { kind: 'look' }],
    ['to look when the target has fewer than were copied', { targetKeysNow: 99 }, { kind: 'look' }],
    [
      'to look when keys were there before that may hide missing ones',
      { targetKeysAtStart: 50, targetKeysNow: 120 },
      { kind: 'look' },
    ],
    [
      'completed when as many came to those before',
      { targetKeysAtStart: 50, targetKeysNow: 150 },
      { kind: 'completed', missing: 0 },
    ],
    ['to look when the target evicted keys', { evictedFromTarget: 1, targetKeysNow: 200 }, { kind: 'look' }],
    [
      'completed when more keys came to the target by others',
      { targetKeysNow: 200 },
      { kind: 'completed', missing: 0 },
    ],
    [
      'to look when repeats alone make up the number',
      { counts: counts({ scanned: 100, repeats: 1, copied: 99 }), targetKeysNow: 99 },
      { kind: 'look' },
    ],
    [
      'completed when keys were skipped or expired for a reason',
      { counts: counts({ copied: 60, skippedByFilter: 30, skippedByConflict: 5, expired: 5 }), targetKeysNow: 60 },
      { kind: 'completed', missing: 0 },
    ],
    [
      'with differences when a key failed',
      { counts: counts({ copied: 99, failed: 1 }), targetKeysNow: 99 },
      { kind: 'completedWithDifferences', missing: 0 },
    ],
    [
      'with differences when a key lost something',
      { counts: counts({ findings: 1 }) },
      { kind: 'completedWithDifferences', missing: 0 },
    ],
    [
      'without a look when not to be verified',
      { verify: 'none', targetKeysNow: undefined },
      { kind: 'completed', missing: null },
    ],
    [
      'completed when the look missed none, whatever the numbers',
      { phase: 'look', targetKeysNow: 1 },
      { kind: 'completed', missing: 0 },
    ],
    [
      'with differences when the look missed one',
      { phase: 'look', counts: counts({ missing: 1 }) },
      { kind: 'completedWithDifferences', missing: 1 },
    ],
    ['to look when every key is to be compared', { verify: 'full' }, { kind: 'look' }],
    ['to walk the target after a comparison', { mode: 'compare', looksForExtra: true }, { kind: 'extra' }],
    [
      'with differences when a comparison found one',
      { mode: 'compare', counts: counts({ different: 1, findings: 1 }) },
      { kind: 'completedWithDifferences', missing: 0 },
    ],
    [
      'with differences when the target has an extra key',
      { mode: 'compare', phase: 'extra', counts: counts({ extra: 1, findings: 1 }) },
      { kind: 'completedWithDifferences', missing: 0 },
    ],
    [
      'completed after a sync, whatever the numbers',
      { mode: 'sync', targetKeysNow: 7 },
      { kind: 'completed', missing: null },
    ],
    ['to walk the target for what is to be deleted', { mode: 'sync', looksForExtra: true }, { kind: 'extra' }],
    [
      'completed when extra keys were deleted',
      { mode: 'sync', phase: 'extra', counts: counts({ extra: 9, deleted: 9 }) },
      { kind: 'completed', missing: null },
    ],
    [
      'completed for an empty source',
      { ranges: none, counts: noCounts, sourceKeysNow: 0, targetKeysNow: 0 },
      { kind: 'completed', missing: 0 },
    ],
  ])('is %s', (_, changes, expected) => {
    expect(verdict({ ...well, ...changes })).toEqual(expected);
  });
});
