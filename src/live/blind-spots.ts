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
  if (course.process === 'changed') return 'The source restarted, failed over or changed its replication.';
  if (course.swapped) return 'Databases of the source were exchanged (SWAPDB).';
  // Notifications never tell; an invalidation of everything may come in the moment in which a session begins.
  if (course.flushed === 'yes') return FLUSHED;
  // Counters that were set back hide what was counted before.
  if (course.reset) return 'The counters of the source were set back (CONFIG RESETSTAT).';
  return undefined;
}

export const FLUSHED = 'A database of the source was emptied (FLUSHDB or FLUSHALL).';
