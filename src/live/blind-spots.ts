import { since, type Mark } from '../migration/since';
import type { SideFacts } from '../app/side-facts';

/** What changes the groups of streams: no feed tells of all of it. */
const GROUP_CALLS = ['xreadgroup', 'xack', 'xackdel', 'xdelex', 'xclaim', 'xautoclaim', 'xsetid'];

/** How often a server was asked to change the groups of streams; undefined where it does not tell. */
export function groupCallsOf({ commandCalls }: Pick<SideFacts, 'commandCalls'>): number | undefined {
  if (commandCalls === undefined) return undefined;
  return Object.entries(commandCalls).reduce(
    (sum, [name, calls]) => (GROUP_CALLS.includes(name) || name.startsWith('xgroup') ? sum + calls : sum),
    0,
  );
}

/**
 * Why changes of the source may have been missed although its feed goes on: what no feed tells, or not all do. Undefined where nothing
 * speaks for it.
 */
export function missedSince(before: Mark, now: Mark): string | undefined {
  const course = since(before, now);
  if (course.process === 'changed') return RESTARTED;
  if (course.swapped) return 'Databases of the source were exchanged (SWAPDB).';
  // Notifications never tell; an invalidation of everything may come in the moment in which a session begins.
  if (course.flushed === 'yes') return FLUSHED;
  // Counters that were set back hide what was counted before.
  if (course.reset) return 'The counters of the source were set back (CONFIG RESETSTAT).';
  return undefined;
}

/** Of one server of a source. */
export interface ServerMark extends Mark {
  readonly uptimeSeconds?: number | undefined;
  /** Of a cluster: whether a key is in one of its slots. Not there: it has all. */
  readonly has?: ((key: Buffer) => boolean) | undefined;
}

/** What tells of all servers of a source whether changes of it may be missed. */
export interface SourceMarks {
  /** Of each server: of a cluster of its masters. */
  readonly servers: readonly ServerMark[];
  /** Which of them has which slots of a cluster, as all nodes tell together; empty where it is none. */
  readonly slots: string;
  /** Some slots are on their way from one to another: what that leads to shows only when they have arrived. */
  readonly areMoving: boolean;
}

/** As `missedSince`, of a source with all its servers. */
export function missedOnAny(before: SourceMarks, now: SourceMarks): string | undefined {
  for (const mark of before.servers) {
    const same = now.servers.find(({ runId }) => runId === mark.runId) ?? now.servers[0];
    const missed = same === undefined ? RESTARTED : missedSince(mark, same);
    if (missed !== undefined) return missed;
  }
  return before.slots === now.slots ? undefined : MOVED;
}

/** How many changes a server counts, at most; undefined where it does not tell. Of a process that has just begun that is all. */
export function changesOf({ changes, restores, otherChanges }: Mark): number | undefined {
  if (changes === undefined || restores === undefined || otherChanges === undefined) return undefined;
  // A command may change many keys, and a snapshot sets their number back.
  return Math.max(changes, restores + otherChanges);
}

/** The servers of a source that are other processes than all that it had before. */
export function othersSince(before: SourceMarks, now: SourceMarks): readonly ServerMark[] {
  return now.servers.filter((server) => before.servers.every((mark) => since(mark, server).process === 'changed'));
}

const RESTARTED = 'The source restarted, failed over or changed its replication.';
const MOVED = 'Slots of the source moved from one master to another.';
export const FLUSHED = 'A database of the source was emptied (FLUSHDB or FLUSHALL).';
