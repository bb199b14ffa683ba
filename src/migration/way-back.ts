import { keysInAll } from '../redis/database-keys';
import type { ToldFacts } from './plan-facts';
import type { Plan } from './plan';
import { parseMigrationRequest, type MigrationRequest } from './request';
import { hasOtherData, markOf, since, standsStill, type Mark } from './since';

/** A migration that was asked for with a cut-over: once that is proved, the old side follows the new one. Times are ISO 8601. */
export interface WayBack {
  /** Null until it is started. */
  readonly migration: string | null;
  /** Why it is not started; null where nothing was wrong. */
  readonly refused: string | null;
  /** What keeps it from being started at the moment: it is tried again. */
  readonly trouble: string | null;
  /** Null before the verdict. */
  readonly proved: ProvedSides | null;
  /** Who starts it, and since when; null where nobody does. Two at once would each take what the other tries for writes. */
  readonly attempt: { readonly by: string; readonly at: string } | null;
}

/** Both sides of a migration as they were when it was found that all of the source is on the target. */
export interface ProvedSides {
  readonly source: Mark;
  readonly target: Mark;
  /** Keys in the target's databases that were written to; null where it does not tell. */
  readonly targetKeys: number | null;
}

/** As it is when it is asked for. */
export const askedWayBack: WayBack = { migration: null, refused: null, trouble: null, proved: null, attempt: null };

export const wayBackStates = ['waiting', 'starting', 'started', 'refused'] as const;

/** How a way back stands. @param ended the migration that it leads back from has */
export function wayBackState({ migration, refused }: WayBack, ended: boolean): (typeof wayBackStates)[number] {
  if (migration !== null) return 'started';
  if (refused !== null) return 'refused';
  return ended ? 'starting' : 'waiting';
}

type Forward = Pick<Plan, 'request' | 'databases'>;

/**
 * The request for the way back of a live migration: the sides exchanged, from the databases that were written to into those that they came
 * from. Both have the same keys when it begins. Or why there is none.
 */
export function wayBackOf(
  id: string,
  { request, databases }: Forward,
): { readonly request: MigrationRequest } | { readonly refused: string } {
  const { source, target, rename, convert, select, limits, live } = request;
  if (rename.length > 0 || convert.length > 0)
    return { refused: 'Keys were renamed or converted, which does not lead back.' };
  if (databases.some(({ prefix }) => prefix !== ''))
    return { refused: 'Databases were put under prefixes, which does not lead back.' };
  if (Object.values(select).some((chosen) => chosen.length > 0))
    return {
      refused:
        'Only some keys were selected: what else is on either side is unknown, and the old side could lose keys to it.',
    };
  return {
    request: parseMigrationRequest({
      source: target,
      target: source,
      mode: 'live',
      databases:
        request.databases === 'all'
          ? 'all'
          : Object.fromEntries(databases.map(({ database, targetDatabase }) => [targetDatabase, database])),
      limits,
      ...(live === undefined ? {} : { live: { ...live, feed: 'auto' } }),
      deleteExtra: true,
      requestId: `way-back-of-${id}`,
    }),
  };
}

/** A database that nothing was proved of, in words; undefined where there is none. @param told by both sides of the way back */
export function unprovedDatabase({ databases }: Forward, { choices }: Pick<ToldFacts, 'choices'>): string | undefined {
  const other = choices.find(({ database }) => databases.every(({ targetDatabase }) => targetDatabase !== database));
  if (other === undefined) return undefined;
  return `Database ${other.database} has keys on one of the sides, and is not one that was migrated.`;
}

/**
 * Why the sides are not what was proved: the old one has what the new one does not know of, or the new one has lost what was brought to
 * it. Undefined where nothing speaks against the way back.
 * @param told by both sides of the way back, before anything was tried on them
 */
export function lostSinceProof(
  forward: Forward,
  proved: ProvedSides,
  told: Pick<ToldFacts, 'choices' | 'source' | 'target'>,
): string | undefined {
  const keysNow = keysInAll(told.source, new Set(forward.databases.map(({ targetDatabase }) => targetDatabase)));
  return (
    changedOld(proved.source, markOf(told.target)) ??
    lostOnNew(proved, markOf(told.source), keysNow, forward.request.limits.shrinkPercent) ??
    unprovedDatabase(forward, told)
  );
}

function changedOld(proved: Mark, now: Mark): string | undefined {
  if (standsStill(proved, now)) return undefined;
  const { process, written, changes = 0 } = since(proved, now);
  if (process !== 'same') {
    return 'The old side restarted or failed over since the proof: whether it was written to since cannot be told.';
  }
  return written === 'yes'
    ? `The old side was written to since the proof${changes > 0 ? ` (${changes} changes)` : ''}, or an attempt to start was cut short: what only it has would be lost.`
    : 'The old side does not tell whether it was written to since the proof.';
}

function lostOnNew(
  { target, targetKeys }: ProvedSides,
  now: Mark,
  keysNow: number | undefined,
  shrinkPercent: number,
): string | undefined {
  const course = since(target, now);
  const { process, flushed, evicted, expired } = course;
  const END = 'what it lost would be deleted from the old side.';
  if (hasOtherData(course)) {
    return `The new side restarted, failed over, or was emptied since the proof: ${END}`;
  }
  if (process === 'unknown' || flushed === 'unknown' || evicted === 'unknown') {
    return `The new side does not tell whether it has lost anything since the proof: ${END}`;
  }
  if (evicted > 0) return `The new side evicted ${evicted} keys since the proof: ${END}`;
  if (targetKeys !== null && keysNow !== undefined && keysNow + expired < targetKeys * (1 - shrinkPercent / 100)) {
    return `The new side had ${targetKeys} keys when all was proved and has ${keysNow} now, over ${shrinkPercent} % fewer: ${END}`;
  }
  return undefined;
}
