import { firstCourse, see, unsteady, type Course } from '../../src/migration/course';
import { type Mark, markOf, onlyRestored, since, standsStill } from '../../src/migration/since';
import { aPlan } from '../tools/rows';

const before: Mark = {
  runId: 'run',
  replicationId: 'tree',
  role: 'master',
  changes: 5,
  lastSave: 1_000,
  restores: 95,
  otherChanges: 7,
  flushes: 1,
  swaps: 0,
  evictedKeys: 3,
  commandsProcessed: 10_000,
};
const now = (changes: Partial<Mark>): Mark => ({ ...before, ...changes });

describe('a mark', () => {
  it('counts the calls of RESTORE, of what empties databases, and of all else that may change keys', () => {
    const commandCalls = { set: 10, restore: 4, 'restore-asking': 1, flushdb: 2, swapdb: 1, 'xgroup|create': 3 };
    expect(markOf({ runId: 'run', commandCalls })).toMatchObject({
      restores: 5,
      otherChanges: 16,
      flushes: 3,
      swaps: 1,
    });
  });

  it('knows no calls where the server tells none', () => {
    const mark = markOf({ runId: 'run', commandCalls: undefined });
    expect([mark.restores, mark.otherChanges, mark.flushes]).toEqual([undefined, undefined, undefined]);
  });
});

describe('since a mark', () => {
  it.each<[string, Partial<Mark>, object]>([
    ['nothing has happened', {}, { process: 'same', flushed: 'no', written: 'no', changes: 0, evicted: 0 }],
    ['another process answers', { runId: 'other' }, { process: 'changed', written: 'unknown', evicted: 'unknown' }],
    ['its first replica came, or the last one has been gone for long', { replicationId: 'other' }, { process: 'same' }],
    ['it became a replica of another one', { replicationId: 'other', role: 'slave' }, { process: 'changed' }],
    ['and was promoted again', { replicationId: 'third', formerReplicationId: 'other' }, { process: 'changed' }],
    ['it was a replica and was promoted', { replicationId: 'other', formerReplicationId: 'tree' }, { process: 'same' }],
    [
      'one counter was set back, and so all were',
      { evictedKeys: 2, flushes: 9 },
      { reset: true, flushed: 'unknown', evicted: 'unknown' },
    ],
    [
      'it was saved to disk, and changed after that',
      { changes: 1, lastSave: 2_000, otherChanges: undefined, restores: undefined },
      { written: 'yes' },
    ],
    ['it no longer tells its replication id', { replicationId: undefined }, { process: 'same' }],
    ['keys were changed', { changes: 7 }, { written: 'yes', changes: 2 }],
    ['a command was called that changed nothing as far as is known', { otherChanges: 8 }, { written: 'yes' }],
    [
      'it was saved to disk, and no command was called',
      { changes: 0, lastSave: 2_000 },
      { written: 'no', changes: undefined },
    ],
    [
      'it was saved to disk, and a command was called',
      { changes: 0, lastSave: 2_000, otherChanges: 8 },
      { written: 'yes' },
    ],
    [
      'it was saved to disk, and its statistics were reset',
      { changes: 0, lastSave: 2_000, otherChanges: 1, restores: 0, flushes: 0, evictedKeys: 0 },
      { written: 'unknown', flushed: 'unknown', evicted: 'unknown' },
    ],
    ['it was flushed', { flushes: 2, otherChanges: 8 }, { flushed: 'yes', written: 'yes' }],
    ['databases were exchanged', { swaps: 1, flushes: 2 }, { flushed: 'yes', swapped: true }],
    ['it has evicted keys', { evictedKeys: 10 }, { evicted: 7 }],
  ])('%s', (_, changes, expected) => {
    expect(since(before, now(changes))).toMatchObject(expected);
  });

  it('nothing is known of a server that tells nothing', () => {
    expect(since({ runId: '' }, { runId: '' })).toEqual({
      process: 'unknown',
      flushed: 'unknown',
      swapped: false,
      written: 'unknown',
      changes: undefined,
      evicted: 'unknown',
      expired: 0,
      reset: false,
    });
  });

  it('a server without a run id is known by its replication id', () => {
    const tree = { runId: '', replicationId: 'tree' };
    expect(since(tree, tree).process).toBe('same');
    expect(since(tree, { ...tree, replicationId: 'other' }).process).toBe('changed');
  });
});

describe('of the masters of a cluster', () => {
  const cluster: Mark = { runId: 'a+b+c', role: 'master', replicationId: '1+2+3', formerReplicationId: '++9' };
  it.each<[string, Partial<Mark>, string]>([
    ['all are what they were', {}, 'same'],
    ['another one is among them', { runId: 'a+b+d' }, 'changed'],
    ['the first replica of one came', { replicationId: '1+8+3' }, 'same'],
    [
      'one was replaced and has its place again, with the data of its successor',
      { replicationId: '1+8+3', formerReplicationId: '+7+9' },
      'changed',
    ],
    [
      'one that had been promoted was left by its last replica',
      { replicationId: '1+2+8', formerReplicationId: '++' },
      'same',
    ],
    ['a version before told no ids', { replicationId: undefined, formerReplicationId: undefined }, 'same'],
  ])('%s', (_, changes, process) => {
    expect(since(cluster, { ...cluster, ...changes }).process).toBe(process);
  });
});

describe('a target was written to by nobody but the migration', () => {
  it.each<[string, Partial<Mark>, number, boolean]>([
    ['with as many RESTOREs as it says', { restores: 195 }, 100, true],
    ['not with more, which may be its own after a crash', { restores: 196 }, 100, false],
    ['not with fewer', { restores: 194 }, 100, false],
    ['not where anything else was called', { restores: 195, otherChanges: 8 }, 100, false],
    ['not where another process answers', { restores: 195, runId: 'other' }, 100, false],
    ['not where the calls are not told', { restores: undefined, otherChanges: undefined }, 100, false],
  ])('%s', (_, changes, restored, expected) => {
    expect(onlyRestored(before, now(changes), restored)).toBe(expected);
  });
});

describe('a side that is one process and another', () => {
  const plan = { source: { ...aPlan().source, runId: 'A' }, target: aPlan().target };
  const after = (runIds: readonly string[]): Course =>
    runIds.reduce((course, runId) => see(course, 'source', { runId }), firstCourse(plan));
  const times = <T>(count: number, ...items: readonly T[]) => Array.from({ length: count }, () => items).flat();

  it('is steady where it restarts, and where it fails over and back', () => {
    expect(after(['A', 'B', 'C', 'D'])).toMatchObject({ restarts: { source: 3 }, returns: { source: 0 } });
    expect(after(['B', 'B', 'A', 'A'])).toMatchObject({ restarts: { source: 2 }, returns: { source: 1 } });
    expect(unsteady(after(['B', 'A', 'B', 'A']), 'source', aPlan())).toBeUndefined();
  });

  it('is several servers where it comes back again and again, and not steady where it never stays', () => {
    expect(unsteady(after(times(5, 'B', 'A')), 'source', aPlan())).toMatch(/"OLD" leads to 2 different .* in turns/);
    const restarts = Array.from({ length: 32 }, (_, i) => `process ${i}`);
    expect(unsteady(after(restarts), 'source', aPlan())).toMatch(/The source restarted.* 32 times/);
    expect(unsteady(after(restarts.slice(1)), 'source', aPlan())).toBeUndefined();
  });

  it('remembers each process of a large cluster once, however often its nodes are replaced', () => {
    const nodes = Array.from({ length: 384 }, (_, i) => String(i).padStart(40, 'a'));
    const clusterOf = (replaced: number) =>
      [...nodes.slice(replaced), ...nodes.slice(0, replaced).map((_, i) => `b${i}`)].sort().join('+');
    const { target } = aPlan();
    const first = firstCourse({ source: { ...plan.source, runId: clusterOf(0) }, target });
    let course = first;
    for (let replaced = 1; replaced <= 40; replaced++) course = see(course, 'source', { runId: clusterOf(replaced) });
    const met = course.met.source.flatMap((runId) => runId.split('+'));
    // More than there is room for, one by one: those that are there still are remembered together then.
    expect(new Set(met)).toEqual(new Set([...nodes, ...Array.from({ length: 40 }, (_, i) => `b${i}`)]));
    expect(course.met.source).toHaveLength(32);
    expect(met).toHaveLength(384 + 40);
    expect(see(course, 'source', { runId: clusterOf(39) }).returns.source).toBe(1);
  });
});

it('a replica without its master does not stand still, whatever it tells', () => {
  const mark = {
    runId: 'a',
    role: 'slave',
    changes: 1,
    lastSave: 1,
    restores: 0,
    otherChanges: 1,
    flushes: 0,
    swaps: 0,
  };
  expect(standsStill(mark, mark)).toBe(true);
  expect(standsStill(mark, { ...mark, masterLinkDown: true })).toBe(false);
});
