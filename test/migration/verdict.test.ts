import { noCounts } from '../../src/migration/counts';
import type { Since } from '../../src/migration/since';
import { makePhases, type Phase } from '../../src/migration/phases';
import { verdict, type SideNow, type TallyFacts } from '../../src/migration/verdict';
import { aRequest } from '../tools/rows';

const none = { planned: 0, active: 0, done: 0, failed: 0, cancelled: 0 };
const still: Since = {
  process: 'same',
  flushed: 'no',
  swapped: false,
  written: 'no',
  changes: 0,
  evicted: 0,
  expired: 0,
  reset: false,
};
const another: Since = {
  process: 'changed',
  flushed: 'unknown',
  swapped: false,
  written: 'unknown',
  changes: undefined,
  evicted: 'unknown',
  expired: 0,
  reset: false,
};
const side = (changes: Partial<Since> = {}, keys: number | undefined = 100): SideNow => ({
  keys,
  since: { ...still, ...changes },
});

/** Facts by the request that the plan was made from. */
type Facts = Omit<TallyFacts, 'phases' | 'walks'> & {
  readonly mode: string;
  readonly verify: string;
  readonly onConflict: string;
  readonly walksTarget: boolean;
  /** The name of the current phase; undefined for the first. */
  readonly phase: string | undefined;
};

function verdictOn(facts: Facts) {
  const { mode, verify, onConflict, walksTarget, phase } = facts;
  const phases = makePhases(aRequest({ mode, verify, onConflict }), walksTarget);
  const last = phase === undefined ? 0 : phases.findIndex(({ name }) => name === phase);
  return verdict({ ...facts, phases, walks: phases.slice(0, last + 1).map((_, place) => place) });
}

/** Everything done, all numbers agree, and nobody has written. */
const well: Facts = {
  phase: undefined,
  mode: 'copy',
  verify: 'count',
  onConflict: 'replace',
  walksTarget: false,
  inPlace: false,
  mayHaveExtra: false,
  cancelRequested: false,
  stopCause: null,
  ranges: { ...none, done: 4 },
  counts: { ...noCounts, scanned: 100, copied: 100 },
  walked: 100,
  source: side(),
  target: side(),
  unreaped: 0,
  targetIsOurs: true,
  targetKeysAtStart: 0,
  anew: 0,
  sourceExchanged: false,
  quietSeconds: 0,
  stalledSeconds: 0,
  trouble: null,
  stallAfter: 1_800,
  cause: null,
};
const counts = (changes: Partial<Facts['counts']>) => ({ ...well.counts, ...changes });
const look = (depth: string) => ({ kind: 'phase', due: { phase: 'look', pass: 0, depth } });
const extra = { kind: 'phase', due: { phase: 'extra', pass: 0 } };

describe('the verdict', () => {
  it.each<[string, Partial<Facts>, unknown]>([
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
      'to wait for the ranges when something is wrong with a side',
      { ranges: { ...none, active: 1 }, cancelRequested: true, stopCause: 'why' },
      { kind: 'wait' },
    ],
    [
      'failed when they have stopped for it',
      { ranges: { ...none, done: 1, cancelled: 3 }, cancelRequested: true, stopCause: 'why' },
      { kind: 'failed', cause: 'why' },
    ],
    [
      'failed with its cause when a range failed',
      { ranges: { ...none, done: 3, failed: 1 }, cause: 'why' },
      { kind: 'failed', cause: 'why' },
    ],
    [
      'failed when nothing moved for too long',
      { ranges: { ...none, active: 2 }, quietSeconds: 1_801, stalledSeconds: 1_801 },
      { kind: 'failed', cause: 'Nothing moved for 1800 seconds with 2 ranges open.' },
    ],
    [
      'to stop all work when its workers are there and nothing was done for too long',
      { ranges: { ...none, active: 2 }, stalledSeconds: 1_801, trouble: 'The target is full.' },
      { kind: 'stop', cause: 'Nothing moved for 1800 seconds with 2 ranges open. The target is full.' },
    ],
    [
      'to wait for the ranges when that has been told to them',
      { ranges: { ...none, active: 2 }, stalledSeconds: 1_900, stopCause: 'why', cancelRequested: true },
      { kind: 'wait' },
    ],
    [
      'failed for it when they give no sign any more',
      { ranges: { ...none, active: 1 }, quietSeconds: 1_801, stalledSeconds: 3_000, stopCause: 'why' },
      { kind: 'failed', cause: 'why' },
    ],
    [
      'to look at the keys where slots of a side were on their way while they were counted',
      { target: { ...side(), slotsMoved: true } },
      look('existence'),
    ],
    [
      'the same of a source, whose keys may have been counted twice or not at all',
      { source: { ...side(), slotsMoved: true } },
      look('existence'),
    ],
    [
      'to wait where more keys than were met were counted while slots were on their way',
      { source: { ...side({ process: 'changed', written: 'unknown' }, 101), slotsMoved: true }, verify: 'none' },
      { kind: 'wait' },
    ],
    [
      'to say so where they stay on their way for too long',
      {
        source: { ...side({ process: 'changed', written: 'unknown' }, 101), slotsMoved: true },
        verify: 'none',
        stalledSeconds: 1_801,
      },
      { kind: 'completedWithDifferences', missing: null, doubt: expect.stringContaining('101 keys') as string },
    ],
    [
      'completed where as many were met',
      { source: { ...side(), slotsMoved: true }, verify: 'none' },
      { kind: 'completed', missing: null },
    ],
    ['to wait for a server that does not answer', { target: undefined }, { kind: 'wait' }],
    ['to wait for it even where nothing is to be verified', { target: undefined, verify: 'none' }, { kind: 'wait' }],
    [
      'failed when a server does not answer for too long',
      { source: undefined, stalledSeconds: 1_801, trouble: 'It is away.' },
      { kind: 'failed', cause: expect.stringMatching(/must answer.* It is away\.$/) as string },
    ],
    [
      'a phase that is due and cannot be begun',
      { verify: 'full', stalledSeconds: 1_801, trouble: 'It is away.' },
      { kind: 'failed', cause: 'The phase look was due and could not be begun. It is away.' },
    ],
    ['to look when the source has keys that were not seen', { source: side({}, 101) }, look('existence')],
    ['to look when the target has fewer than were copied', { target: side({}, 99) }, look('existence')],
    [
      'to look when keys were there before that may hide missing ones',
      { targetKeysAtStart: 50, target: side({}, 120) },
      look('existence'),
    ],
    [
      'completed when as many came to those before',
      { targetKeysAtStart: 50, target: side({}, 150) },
      { kind: 'completed', missing: 0 },
    ],
    ['to look when the number of keys before is unknown', { targetKeysAtStart: undefined }, look('existence')],
    ['to look when the source was written to', { source: side({ written: 'yes', changes: 2 }) }, look('existence')],
    ['to look when it does not tell whether it was', { source: side({ written: 'unknown' }) }, look('existence')],
    ['to look when others may have written to the target', { targetIsOurs: false }, look('existence')],
    ['to look when the target evicted keys', { target: side({ evicted: 1 }, 200) }, look('existence')],
    [
      'to look for evicted keys even where nothing was to be verified',
      { target: side({ evicted: 1 }), verify: 'none' },
      look('existence'),
    ],
    ['to look for them after a sync', { target: side({ evicted: 1 }), mode: 'sync' }, look('existence')],
    ['to look at values when the target is another process', { target: { keys: 100, since: another } }, look('values')],
    [
      'to look at values then even where nothing was to be verified',
      { target: { keys: 100, since: another }, verify: 'none' },
      look('values'),
    ],
    ['to look at values then after a sync', { target: { keys: 100, since: another }, mode: 'sync' }, look('values')],
    [
      'to look at values then where a quick look was asked for',
      { target: { keys: 1, since: another }, verify: 'quick' },
      look('values'),
    ],
    [
      'to look at values when the target was flushed',
      { target: side({ flushed: 'yes' }), mode: 'sync' },
      look('values'),
    ],
    [
      'to look at values when the counters of the target were set back',
      { target: side({ reset: true }), mode: 'sync' },
      look('values'),
    ],
    [
      'to look for keys only where some of the target were skipped',
      { target: { keys: 100, since: another }, verify: 'none', onConflict: 'skip' },
      look('existence'),
    ],
    [
      'to look for keys when a target has fewer than were written and have not expired',
      { target: side({ expired: 3 }, 96), verify: 'none' },
      look('existence'),
    ],
    [
      'with differences when keys differ that have another finding',
      { mode: 'compare', counts: counts({ different: 1 }) },
      { kind: 'completedWithDifferences', missing: 0 },
    ],
    [
      'to look for keys when the target does not tell what it is',
      { target: side({ process: 'unknown' }), verify: 'none' },
      look('existence'),
    ],
    [
      'of a conversion in place not about another target: the source is looked after',
      { target: { keys: 100, since: { ...another, evicted: 0 } }, inPlace: true, verify: 'none' },
      { kind: 'completed', missing: null },
    ],
    [
      'to look when repeats alone make up the number',
      { counts: counts({ scanned: 100, repeats: 1, copied: 99 }), target: side({}, 99) },
      look('existence'),
    ],
    [
      'completed when keys were skipped or expired for a reason',
      { counts: counts({ copied: 60, skippedByFilter: 30, skippedByConflict: 5, expired: 5 }), target: side({}, 60) },
      { kind: 'completed', missing: 0 },
    ],
    [
      'with differences when a key failed',
      { counts: counts({ copied: 99, failed: 1 }), target: side({}, 99) },
      { kind: 'completedWithDifferences', missing: 0 },
    ],
    [
      'with differences when a key lost something',
      { counts: counts({ findings: 1 }) },
      { kind: 'completedWithDifferences', missing: 0 },
    ],
    ['without a look when not to be verified', { verify: 'none' }, { kind: 'completed', missing: null }],
    [
      'completed when as many have expired there',
      { target: side({ expired: 3 }, 97), verify: 'none' },
      { kind: 'completed', missing: null },
    ],
    [
      'in doubt when the counters of the target were set back while it was looked at',
      { phase: 'look', target: side({ reset: true }) },
      { kind: 'completedWithDifferences', missing: null, doubt: expect.stringMatching(/RESETSTAT/) as string },
    ],
    [
      'completed when the look missed none, whatever the numbers',
      { phase: 'look', target: side({}, 1), targetIsOurs: false },
      { kind: 'completed', missing: 0 },
    ],
    [
      'with differences when the look missed one',
      { phase: 'look', counts: counts({ missing: 1 }) },
      { kind: 'completedWithDifferences', missing: 1 },
    ],
    [
      'to look again when the target became another one meanwhile',
      { phase: 'look', target: { keys: 100, since: another } },
      look('values'),
    ],
    [
      'not to look again for a target that never tells what it is',
      { phase: 'look', target: side({ process: 'unknown' }) },
      { kind: 'completed', missing: 0 },
    ],
    [
      'failed when the target becomes another one in each look',
      { phase: 'look', target: { keys: 100, since: another }, anew: 3 },
      { kind: 'failed', cause: expect.stringMatching(/again and again/) as string },
    ],
    [
      'in doubt when keys were evicted while they were looked at',
      { phase: 'look', target: side({ evicted: 7 }) },
      { kind: 'completedWithDifferences', missing: null, doubt: expect.stringMatching(/evicted 7 keys/) as string },
    ],
    ['to look when every key is to be compared', { verify: 'full' }, look('values')],
    ['to look quickly when that is asked for', { verify: 'quick' }, look('quick')],
    ['to walk the target after a comparison', { mode: 'compare', walksTarget: true, mayHaveExtra: true }, extra],
    [
      'to compare anew when the target became another one',
      { mode: 'compare', phase: 'extra', walksTarget: true, mayHaveExtra: true, target: { keys: 100, since: another } },
      { kind: 'phase', due: { phase: 'compare', pass: 0 } },
    ],
    [
      'with differences when a comparison found one',
      { mode: 'compare', counts: counts({ different: 1, findings: 1 }) },
      { kind: 'completedWithDifferences', missing: 0 },
    ],
    [
      'with differences when the target has an extra key',
      { mode: 'compare', phase: 'extra', walksTarget: true, counts: counts({ extra: 1, findings: 1 }) },
      { kind: 'completedWithDifferences', missing: 0 },
    ],
    [
      'completed after a sync, whatever the numbers',
      { mode: 'sync', target: side({}, 700), targetIsOurs: false },
      { kind: 'completed', missing: null },
    ],
    ['to walk the target for what is to be deleted', { mode: 'sync', walksTarget: true, mayHaveExtra: true }, extra],
    [
      'to do so before anything is looked at',
      { mode: 'sync', walksTarget: true, mayHaveExtra: true, verify: 'full' },
      extra,
    ],
    [
      'to look then',
      { mode: 'sync', phase: 'extra', walksTarget: true, mayHaveExtra: true, verify: 'full' },
      look('values'),
    ],
    [
      'completed when extra keys were deleted',
      { mode: 'sync', phase: 'extra', walksTarget: true, mayHaveExtra: true, counts: counts({ extra: 9, deleted: 9 }) },
      { kind: 'completed', missing: null },
    ],
    [
      'in doubt when databases of the source were exchanged and it was not walked anew',
      { sourceExchanged: true },
      { kind: 'completedWithDifferences', missing: 0, doubt: expect.stringMatching(/SWAPDB/) as string },
    ],
    [
      'completed for an empty source',
      { ranges: none, counts: noCounts, walked: 0, source: side({}, 0), target: side({}, 0) },
      { kind: 'completed', missing: 0 },
    ],
  ])('is %s', (_, changes, expected) => {
    expect(verdictOn({ ...well, ...changes })).toEqual(expected);
  });

  const doubtful = expect.stringMatching(/counts 120 keys and the walk over it brought 100/) as string;

  it.each<[string, Partial<Facts>, unknown]>([
    ['a sync', { mode: 'sync', source: side({}, 120) }, 'completedWithDifferences'],
    ['a comparison', { mode: 'compare', source: side({}, 120) }, 'completedWithDifferences'],
    ['a dry run', { mode: 'dry-run', source: side({}, 120) }, 'completedWithDifferences'],
    ['a copy that is not verified', { verify: 'none', source: side({}, 120) }, 'completedWithDifferences'],
    ['a look', { phase: 'look', source: side({}, 120) }, 'completedWithDifferences'],
    [
      'a source that does not tell whether it was written to',
      { mode: 'sync', source: side({ written: 'unknown' }, 120) },
      'completedWithDifferences',
    ],
    [
      'a source that was written to less often',
      { mode: 'sync', source: side({ written: 'yes', changes: 19 }, 120) },
      'completedWithDifferences',
    ],
    [
      'a source that was written to as often',
      { mode: 'sync', source: side({ written: 'yes', changes: 20 }, 120) },
      'completed',
    ],
    [
      'a source that was written to nobody knows how often',
      { mode: 'sync', source: side({ written: 'yes', changes: undefined }, 120) },
      'completed',
    ],
    ['a replica that may count expired keys', { mode: 'sync', source: side({}, 120), unreaped: 20 }, 'completed'],
  ])('after a walk that brought fewer keys than the server counts, in %s', (_, changes, kind) => {
    const result = verdictOn({ ...well, ...changes });
    expect(result).toMatchObject({ kind, ...(kind === 'completed' ? {} : { doubt: doubtful }) });
  });

  it('rests on no look that was left out, and on numbers only where they were judged after the latest walk', () => {
    const at = (request: Record<string, unknown>, names: string[], walks: number[]) => {
      const [copy, look] = makePhases(aRequest(request), false);
      const known: Record<string, Phase> = { copy: copy!, look: look!, onTarget: { ...copy!, side: 'target' } };
      return verdict({ ...well, phases: names.map((name) => ({ ...known[name]!, name })), walks });
    };
    expect(at({ verify: 'none' }, ['copy', 'look', 'onTarget'], [0, 1, 2])).toEqual({ kind: 'completed', missing: 0 });
    expect(at({ verify: 'none' }, ['copy', 'look', 'onTarget'], [0, 2])).toEqual({ kind: 'completed', missing: null });
    expect(at({}, ['copy', 'look', 'onTarget'], [0, 2])).toEqual({ kind: 'completed', missing: 0 });
    expect(at({}, ['copy', 'look', 'copy'], [1, 2])).toEqual({ kind: 'completed', missing: null });
  });

  it('is never completed where nobody knows how many keys the source has', () => {
    expect(verdictOn({ ...well, mode: 'sync', source: { keys: undefined, since: still } })).toMatchObject({
      kind: 'completedWithDifferences',
      doubt: expect.stringMatching(/does not tell how many keys/) as string,
    });
  });
});
