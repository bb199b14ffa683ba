import type { ServerFacts } from '../redis/probe';

/** What a server told of its own life at one moment, to be held against what it tells later. */
export interface Mark {
  /** Empty where the server tells none. */
  readonly runId: string;
  readonly replicationId?: string | undefined;
  readonly changes?: number | undefined;
  readonly lastSave?: number | undefined;
  /** Calls of RESTORE, and of all other commands that may change keys. */
  readonly restores?: number | undefined;
  readonly otherChanges?: number | undefined;
  /** Calls of the commands that empty or exchange whole databases. */
  readonly flushes?: number | undefined;
  readonly evictedKeys?: number | undefined;
}

const FLUSHES = ['flushall', 'flushdb', 'swapdb'] as const;
const RESTORES = ['restore', 'restore-asking'] as const;

/** Takes a mark from what a server tells. */
export function markOf(facts: Omit<Mark, 'restores' | 'otherChanges' | 'flushes'> & Pick<ServerFacts, 'commandCalls'>) {
  const { runId, replicationId, changes, lastSave, evictedKeys, commandCalls } = facts;
  const told = { runId, replicationId, changes, lastSave, evictedKeys } satisfies Mark;
  if (commandCalls === undefined) return told satisfies Mark as Mark;
  const calls = (names: readonly string[]) => names.reduce((sum, name) => sum + (commandCalls[name] ?? 0), 0);
  const all = Object.values(commandCalls).reduce((sum, count) => sum + count, 0);
  const restores = calls(RESTORES);
  return { ...told, restores, otherChanges: all - restores, flushes: calls(FLUSHES) } satisfies Mark as Mark;
}

/** What became of a server since a mark. `unknown`: it does not tell what is needed to say so. */
export interface Since {
  /** Whether it is the same server process, with the same data set. */
  readonly process: 'same' | 'changed' | 'unknown';
  /** Whether a database was emptied or exchanged by one command. */
  readonly flushed: 'no' | 'yes' | 'unknown';
  /** Whether keys were changed, apart from those that expired or were evicted. */
  readonly written: 'no' | 'yes' | 'unknown';
  /** How many changes there were; undefined where that is not told. */
  readonly changes: number | undefined;
  /** How many keys it evicted. */
  readonly evicted: number | 'unknown';
}

export const UNTOLD: Since = {
  process: 'unknown',
  flushed: 'unknown',
  written: 'unknown',
  changes: undefined,
  evicted: 'unknown',
};

/** What became of a server between two marks. */
export function since(before: Mark, now: Mark): Since {
  const process = processSince(before, now);
  // Another process counts from the beginning.
  if (process === 'changed') return { ...UNTOLD, process };
  const flushes = grown(before.flushes, now.flushes);
  const changes = before.lastSave === now.lastSave ? grown(before.changes, now.changes) : undefined;
  return {
    process,
    flushed: flushes === undefined ? 'unknown' : flushes > 0 ? 'yes' : 'no',
    written: writtenSince(before, now, changes),
    changes,
    evicted: grown(before.evictedKeys, now.evictedKeys) ?? 'unknown',
  };
}

/**
 * A promoted replica, and a server that became another one's replica, keep their process but have another replication id, and
 * may have another data set.
 */
function processSince(before: Mark, now: Mark): Since['process'] {
  if (before.runId !== now.runId) return 'changed';
  const [one, other] = [before.replicationId, now.replicationId];
  if (one !== undefined && other !== undefined) return one === other ? 'same' : 'changed';
  return now.runId === '' ? 'unknown' : 'same';
}

/** One sign of changes is enough; without one, some counter must say that there were none. */
function writtenSince(before: Mark, now: Mark, changes: number | undefined): Since['written'] {
  const calls = grown(callsOf(before), callsOf(now));
  if ((changes ?? 0) > 0 || (calls ?? 0) > 0) return 'yes';
  return changes === undefined && calls === undefined ? 'unknown' : 'no';
}

function callsOf({ restores, otherChanges }: Mark): number | undefined {
  return restores === undefined || otherChanges === undefined ? undefined : restores + otherChanges;
}

/**
 * Whether only a migration has written to its target: so many RESTOREs as it says, and nothing else. Where it was written to
 * in other ways, or in part twice, that cannot be told.
 */
export function onlyRestored(before: Mark, now: Mark, restored: number): boolean {
  return (
    processSince(before, now) === 'same' &&
    grown(before.restores, now.restores) === restored &&
    grown(before.otherChanges, now.otherChanges) === 0
  );
}

/** By how much a counter has grown; undefined where it is not told, or was set back. */
function grown(before: number | undefined, now: number | undefined): number | undefined {
  return before === undefined || now === undefined || now < before ? undefined : now - before;
}
