import { partOf, processesOf } from '../redis/merge-facts';
import type { ServerFacts } from '../redis/probe';

/** What a server told of its own life at one moment, to be held against what it tells later. */
export interface Mark {
  /** Empty where the server tells none. */
  readonly runId: string;
  readonly replicationId?: string | undefined;
  /** Of a promoted replica, the replication id before. */
  readonly formerReplicationId?: string | undefined;
  readonly role?: string | undefined;
  /** It is a replica that has nothing from its master at the moment: what it does not change says nothing. */
  readonly masterLinkDown?: true | undefined;
  readonly changes?: number | undefined;
  readonly lastSave?: number | undefined;
  /** Calls of RESTORE, and of all other commands that may change keys. */
  readonly restores?: number | undefined;
  readonly otherChanges?: number | undefined;
  /** Calls of the commands that empty or exchange whole databases. */
  readonly flushes?: number | undefined;
  /** Of them, those that exchange two. */
  readonly swaps?: number | undefined;
  readonly evictedKeys?: number | undefined;
  readonly expiredKeys?: number | undefined;
  readonly commandsProcessed?: number | undefined;
}

const FLUSHES = ['flushall', 'flushdb', 'swapdb'] as const;
const RESTORES = ['restore', 'restore-asking'] as const;

/** Takes a mark from what a server tells. */
export function markOf(
  facts: Omit<Mark, 'restores' | 'otherChanges' | 'flushes' | 'swaps'> & Pick<ServerFacts, 'commandCalls'>,
): Mark {
  const { commandCalls, runId, replicationId, formerReplicationId, role, masterLinkDown } = facts;
  const { changes, lastSave, evictedKeys, expiredKeys, commandsProcessed } = facts;
  const told: Mark = {
    runId,
    replicationId,
    formerReplicationId,
    role,
    ...(masterLinkDown === undefined ? {} : { masterLinkDown }),
    changes,
    lastSave,
    evictedKeys,
    expiredKeys,
    commandsProcessed,
  };
  if (commandCalls === undefined) return told;
  const calls = (names: readonly string[]) => names.reduce((sum, name) => sum + (commandCalls[name] ?? 0), 0);
  const all = Object.values(commandCalls).reduce((sum, count) => sum + count, 0);
  const restores = calls(RESTORES);
  return { ...told, restores, otherChanges: all - restores, flushes: calls(FLUSHES), swaps: calls(['swapdb']) };
}

/** What became of a server since a mark. `unknown`: it does not tell what is needed to say so. */
export interface Since {
  /** Whether it is the same server process, with the same data set. */
  readonly process: 'same' | 'changed' | 'unknown';
  /** Whether a database was emptied or exchanged by one command. */
  readonly flushed: 'no' | 'yes' | 'unknown';
  /** Whether two databases were seen to be exchanged. */
  readonly swapped: boolean;
  /** Whether keys were changed, apart from those that expired or were evicted. */
  readonly written: 'no' | 'yes' | 'unknown';
  /** How many changes there were; undefined where that is not told. */
  readonly changes: number | undefined;
  /** How many keys it evicted. */
  readonly evicted: number | 'unknown';
  /** How many keys have expired on it; 0 where that is not told. */
  readonly expired: number;
  /** Its counters were set back (CONFIG RESETSTAT): what was counted before cannot be told. */
  readonly reset: boolean;
}

export const UNTOLD: Since = {
  process: 'unknown',
  flushed: 'unknown',
  swapped: false,
  written: 'unknown',
  changes: undefined,
  evicted: 'unknown',
  expired: 0,
  reset: false,
};

/** Whether a server was seen to be another process, or one whose databases were emptied or exchanged: it may hold other data. */
export function hasOtherData({ process, flushed }: Pick<Since, 'process' | 'flushed'>): boolean {
  return process === 'changed' || flushed === 'yes';
}

/** What became of a server between two marks. */
export function since(before: Mark, now: Mark): Since {
  const process = processSince(before, now);
  // Another process counts from the beginning.
  if (process === 'changed') return { ...UNTOLD, process };
  const reset = wasReset(before, now);
  const counted = (name: Counter) => (reset ? undefined : grown(before[name], now[name]));
  const flushes = counted('flushes');
  const changes = before.lastSave === now.lastSave ? grown(before.changes, now.changes) : undefined;
  return {
    process,
    flushed: flushes === undefined ? 'unknown' : flushes > 0 ? 'yes' : 'no',
    swapped: (counted('swaps') ?? 0) > 0,
    written: writtenSince(before, now, changes, reset),
    changes,
    evicted: counted('evictedKeys') ?? 'unknown',
    expired: counted('expiredKeys') ?? 0,
    reset,
  };
}

/** Whether a source stands as it did: the same process, in which nothing was changed since, and which has what its master has, if it has one. */
export function standsStill(before: Mark, now: Mark): boolean {
  if (now.masterLinkDown === true) return false;
  const { process, written, flushed, swapped } = since(before, now);
  return process === 'same' && written === 'no' && flushed === 'no' && !swapped;
}

const COUNTERS = [
  'restores',
  'otherChanges',
  'flushes',
  'swaps',
  'evictedKeys',
  'expiredKeys',
  'commandsProcessed',
] as const;
type Counter = (typeof COUNTERS)[number];

/** Whether a process's counters were set back between two marks: all go at once, and one of them shows it. */
export function wasReset(before: Mark, now: Mark): boolean {
  return COUNTERS.some((name) => (now[name] ?? 0) < (before[name] ?? 0) && now[name] !== undefined);
}

/** What became of the process, or of those that stand for a cluster together: as a whole what became of the first that is not the same. */
function processSince(before: Mark, now: Mark): Since['process'] {
  if (before.runId !== now.runId) return 'changed';
  const processes = processesOf(now.runId);
  if (processes.length < 2) return oneSince(before, now);
  const partsOf = ({ role, replicationId, formerReplicationId }: Mark, place: number): Life => ({
    runId: processes[place] ?? '',
    role,
    replicationId: partOf(replicationId, place),
    formerReplicationId: partOf(formerReplicationId, place),
  });
  return processes.every((_, place) => oneSince(partsOf(before, place), partsOf(now, place)) === 'same')
    ? 'same'
    : 'changed';
}

type Life = Pick<Mark, 'runId' | 'role' | 'replicationId' | 'formerReplicationId'>;

/**
 * A server that became another one's replica has that one's data set, under that one's replication id; promoted again, it has a
 * new id and that one as the former. A master takes a new id, and no former, when its first replica comes or its last one has
 * been gone for long; a replica that is promoted keeps its data, and its id as the former one.
 */
function oneSince(before: Life, now: Life): Since['process'] {
  const [one, other] = [before.replicationId, now.replicationId];
  if (one === undefined || other === undefined) return now.runId === '' ? 'unknown' : 'same';
  if (one === other) return 'same';
  if (now.runId === '') return 'changed';
  const isPromoted = now.formerReplicationId === one;
  const isOwn = before.role === 'master' && now.role === 'master' && now.formerReplicationId === undefined;
  return isPromoted || isOwn ? 'same' : 'changed';
}

/** One sign of changes is enough; without one, some counter must say that there were none. */
function writtenSince(before: Mark, now: Mark, changes: number | undefined, reset: boolean): Since['written'] {
  const calls = reset ? undefined : grown(callsOf(before), callsOf(now));
  // What was changed since a snapshot that was made meanwhile.
  const sinceSave = before.lastSave === now.lastSave ? 0 : (now.changes ?? 0);
  if ((changes ?? 0) > 0 || (calls ?? 0) > 0 || sinceSave > 0) return 'yes';
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
    !wasReset(before, now) &&
    grown(before.restores, now.restores) === restored &&
    grown(before.otherChanges, now.otherChanges) === 0
  );
}

/** By how much a counter has grown; undefined where it is not told, or was set back. */
function grown(before: number | undefined, now: number | undefined): number | undefined {
  return before === undefined || now === undefined || now < before ? undefined : now - before;
}
