import { noCounts } from '../../src/migration/counts';
import { movedBy, type LiveFacts } from '../../src/migration/live';
import { makePhases } from '../../src/migration/phases';
import { standsStill, type Mark, type Since } from '../../src/migration/since';
import { verdict, type SideNow, type TallyFacts } from '../../src/migration/verdict';
import { aRequest } from '../tools/rows';

const phases = makePhases(aRequest({ mode: 'live' }), true);
const PLACES = phases.map(({ name, work }) => (work === 'sync' ? 'repair' : name));

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
const side = (changes: Partial<Since> = {}): SideNow => ({ keys: 100, since: { ...still, ...changes } });

/** In step, with a pass that was made in the session that goes on. */
const inStep: LiveFacts = {
  session: 's1',
  passSession: 's1',
  settled: true,
  cutoverRequested: false,
  proved: false,
  findings: 0,
  works: true,
};

function verdictAt(place: string, live: Partial<LiveFacts>, changes: Partial<TallyFacts> = {}) {
  const at = PLACES.indexOf(place);
  const none = { planned: 0, active: 0, done: 0, failed: 0, cancelled: 0 };
  return verdict({
    phases,
    walks: phases.slice(0, at + 1).flatMap((_, i) => (PLACES[i] === 'repair' && place !== 'repair' ? [] : [i])),
    inPlace: false,
    mayHaveExtra: true,
    cancelRequested: false,
    stopCause: null,
    ranges: { ...none, done: 4 },
    counts: { ...noCounts, scanned: 100, copied: 100 },
    walked: 100,
    source: side({ written: 'yes', changes: 1_000 }),
    target: side(),
    unreaped: 0,
    targetIsOurs: false,
    targetKeysAtStart: 0,
    anew: 0,
    sourceExchanged: false,
    quietSeconds: 0,
    stalledSeconds: 0,
    trouble: null,
    stallAfter: 1_800,
    cause: null,
    live: { ...inStep, ...live },
    ...changes,
  });
}

const wait = { kind: 'wait' };
const phase = (name: string, pass = 0) => ({ kind: 'phase', due: { phase: name, pass } });

const proved = { cutoverRequested: true, proved: true };
const gap = { session: 's2', settled: false };

it.each<[string, string, Partial<LiveFacts>, unknown]>([
  ['nobody listens yet', 'listen', { session: '', passSession: '' }, wait],
  ['somebody listens', 'listen', { passSession: '' }, phase('copy')],
  ['the copy is done in the session that it began in', 'copy', { settled: false }, phase('settle')],
  ['there was a gap during the copy', 'copy', gap, phase('copy', 1)],
  ['nobody listens when the copy is done', 'copy', { session: '', settled: false }, wait],
  ['the pass that repairs is done', 'repair', { settled: false }, phase('extra')],
  ['there was another gap in it', 'repair', gap, phase('copy', 1)],
  ['extra keys are looked for', 'extra', { settled: false }, phase('settle')],
  ['what was kept is not applied yet', 'settle', { settled: false }, wait],
  ['all that was kept is applied', 'settle', {}, phase('live')],
  ['there was a gap before that', 'settle', gap, phase('copy', 1)],
  ['in step', 'live', {}, wait],
  ['in step, and a gap', 'live', gap, phase('copy', 1)],
  ['the cut-over is asked for', 'live', { cutoverRequested: true }, phase('cutover')],
  ['the cut-over is not proved', 'cutover', { cutoverRequested: true }, wait],
  ['a gap in the cut-over', 'cutover', { ...gap, cutoverRequested: true }, phase('copy', 1)],
  ['nobody listens in the cut-over', 'cutover', { cutoverRequested: true, session: '' }, wait],
  ['it is proved', 'cutover', proved, { kind: 'completed', missing: null }],
  [
    'a key is not as it should be',
    'cutover',
    { ...proved, findings: 1 },
    { kind: 'completedWithDifferences', missing: null },
  ],
  ['a last look is done', 'look', proved, { kind: 'completed', missing: 0 }],
  ['it was written to during the last look', 'look', { cutoverRequested: true }, phase('cutover')],
  ['there was a gap during the last look', 'look', { ...proved, ...gap, proved: false }, phase('copy', 1)],
])('%s', (_, place, live, expected) => {
  expect(verdictAt(place, live)).toEqual(expected);
});

it('a target that had keys is looked through for others after the first copy', () => {
  expect(verdictAt('copy', { settled: false }, { targetKeysAtStart: 5 })).toEqual(phase('extra'));
  expect(verdictAt('copy', { settled: false }, { targetKeysAtStart: undefined })).toEqual(phase('extra'));
});

it('a target that restarted or evicted keys since the last pass is looked at after the proof', () => {
  const evicted = verdictAt('cutover', proved, { target: side({ evicted: 3 }) });
  expect(evicted).toEqual({ kind: 'phase', due: { phase: 'look', pass: 0, depth: 'existence' } });
  const restarted = verdictAt('cutover', proved, { target: side({ process: 'changed' }) });
  expect(restarted).toEqual({ kind: 'phase', due: { phase: 'look', pass: 0, depth: 'values' } });
});

it('does not end before whoever follows has stopped writing', () => {
  for (const [end, changes] of [
    [{ kind: 'cancelled' }, { cancelRequested: true }],
    [{ kind: 'failed', cause: 'The source has lost data.' }, { stopCause: 'The source has lost data.' }],
  ] as const) {
    expect(verdictAt('live', {}, changes)).toEqual(wait);
    expect(verdictAt('live', { works: false, session: '' }, changes)).toEqual(end);
  }
});

it('ends where nobody follows for long, and nowhere else', () => {
  const long = { stalledSeconds: 2_000, trouble: 'Connection "OLD" is away.' };
  expect(verdictAt('live', { session: '' }, long)).toMatchObject({
    kind: 'failed',
    cause: expect.stringContaining('OLD') as string,
  });
  expect(verdictAt('cutover', proved, long)).toMatchObject({ kind: 'completed' });
});

it.each<[string, Partial<Mark>, boolean]>([
  ['as it was', {}, true],
  ['keys have expired', { expiredKeys: 9 }, true],
  ['a change', { changes: 11 }, false],
  ['a snapshot was made', { changes: 0, lastSave: 2 }, true],
  ['a snapshot, and a change', { changes: 1, lastSave: 2 }, false],
  ['a write that changed nothing', { otherChanges: 6 }, false],
  ['a key was restored', { restores: 1 }, false],
  ['databases were exchanged', { swaps: 1, flushes: 1, otherChanges: 6 }, false],
  ['it was emptied', { flushes: 1, otherChanges: 6 }, false],
  ['another process', { runId: 'b' }, false],
  ['counters set back', { commandsProcessed: 1, otherChanges: 0 }, false],
  [
    'it tells nothing any more',
    { changes: undefined, otherChanges: undefined, restores: undefined, flushes: undefined },
    false,
  ],
])('a source stands still, or not: %s', (_, changes, expected) => {
  const before: Mark = {
    runId: 'a',
    changes: 10,
    lastSave: 1,
    restores: 0,
    otherChanges: 5,
    flushes: 0,
    swaps: 0,
    expiredKeys: 3,
    commandsProcessed: 100,
  };
  expect(standsStill(before, { ...before, ...changes })).toBe(expected);
});

it.each([
  ['it has nothing to do', {}, true],
  ['changes wait, and none is applied', { waiting: 3 }, false],
  ['nobody listens, or the nodes of a cluster disagree', { session: '' }, false],
  ['something holds it up', { trouble: 'A side does not answer.' }, false],
])('with a sign it moves: %s', (_, changes, moves) => {
  const row = {
    session: 's1',
    settled: true,
    written: 1,
    deleted: 0,
    step: null,
    waiting: 0,
    trouble: null,
    ...changes,
  };
  expect(movedBy({ ...row, heartbeat: 'later' }) !== movedBy({ ...row, heartbeat: 'before' })).toBe(moves);
});
