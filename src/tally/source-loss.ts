import { sumOfKnown } from '../redis/database-keys';
import { doubtOfCourse } from '../migration/source-doubt';
import type { MigrationRow } from '../migration/rows';
import { isFollowed } from '../migration/phases';
import type { Plan } from '../migration/plan';
import type { ShardTold } from '../migration/shards';
import { withReset } from '../migration/course';
import { sourceKeysAtStart, type Snapshot } from '../migration/report';
import { keysIn, type SideFacts } from '../app/side-facts';
import { hasOtherData, markOf, since as sinceMark, type Since } from '../migration/since';

/** Keys of the databases concerned, and what became of the source since they were counted last. */
export interface SourceCourse {
  readonly since: Pick<Since, 'process' | 'flushed'>;
  readonly keysBefore: number;
  readonly keysNow: number;
  /** Keys that have expired meanwhile; 0 where that is not told. */
  readonly expired: number;
  /** Keys that were gone after earlier restarts and flushes. */
  readonly lostBefore: number;
  /** How much of its keys, in percent, a source may have lost without being doubted. */
  readonly shrinkPercent: number;
}

/** Where nobody tells whether a source was flushed, one that has so little left of its keys within seconds, percent, is taken for flushed. */
const NOTHING_LEFT = 10;

/**
 * Why a source must be taken for one that has lost its data: far fewer keys than when they were counted last, a few seconds
 * before, and it was restarted, failed over or flushed meanwhile, or does not tell and has next to none. Losses in steps add up.
 * Undefined where nothing speaks for a loss: keys that clients delete one by one, and keys that expire, are no loss, however many.
 */
export function lossOfSource(course: SourceCourse, who = 'it'): string | undefined {
  const { since, keysBefore, keysNow, expired, lostBefore, shrinkPercent } = course;
  const gone = keysBefore - keysNow;
  if (gone <= 0 || (since.process === 'same' && since.flushed === 'no')) return undefined;
  const isKnown = hasOtherData(since);
  const had = keysBefore + lostBefore;
  // Expiries explain what no flush is known to have done, and only in the process that counted them.
  const lost = isKnown ? lostBefore + gone : gone - expired;
  if (lost <= had * ((isKnown ? shrinkPercent : 100 - NOTHING_LEFT) / 100)) return undefined;
  const event =
    since.process === 'changed'
      ? 'since when it restarted or failed over'
      : since.flushed === 'yes'
        ? 'since when it was flushed'
        : 'and does not tell whether it was restarted or flushed';
  return `The source has lost data: ${who} had ${had} keys and has ${keysNow} now, ${event}. The migration was stopped so that nothing on the target is replaced or deleted on its account. Once the source is as it should be, start a new migration.`;
}

/** Fewer keys of one master of a cluster are no sign: clients may have deleted them while it failed over. */
const LEAST_OF_SHARD = 100;

/**
 * The same of each master of a cluster by itself: one that comes back without its keys may be a small part of the whole. Where slots went
 * from one master to another meanwhile, those that had a part of the same slots are taken together, and may have lost as little as the
 * smallest of them. Where one of them does not tell, nothing can be said.
 */
export function lossOfShards(
  course: Pick<SourceCourse, 'since' | 'shrinkPercent'>,
  before: readonly ShardTold[],
  now: readonly ShardTold[],
): string | undefined {
  if (!hasOtherData(course.since)) return undefined;
  for (const group of overlapping(before, now)) {
    const [had, have] = [group.before, group.now].map((shards) => sumOfKnown(shards.map(({ keys }) => keys)));
    const isTold = group.now.length > 0 && had !== undefined && have !== undefined;
    if (!isTold || had - have < LEAST_OF_SHARD) continue;
    const least = Math.min(...group.before.map(({ keys = 0 }) => keys).filter((keys) => keys > 0));
    const shrinkPercent = (course.shrinkPercent * least) / had;
    const who = group.before.length === 1 ? 'one of its masters' : 'some of its masters together';
    const loss = lossOfSource(
      { ...course, shrinkPercent, keysBefore: had, keysNow: have, expired: 0, lostBefore: 0 },
      who,
    );
    if (loss !== undefined) return loss;
  }
  return undefined;
}

interface Overlap {
  readonly before: readonly ShardTold[];
  readonly now: readonly ShardTold[];
}

/** Masters of two moments, those together that have slots in common, directly or by others between them. */
function overlapping(before: readonly ShardTold[], now: readonly ShardTold[]): readonly Overlap[] {
  let groups: readonly Overlap[] = before.map((shard) => ({ before: [shard], now: [] }));
  for (const shard of now) {
    const touched = groups.filter((group) => group.before.some((other) => share(shard, other)));
    const joined = {
      before: touched.flatMap((group) => group.before),
      now: [...touched.flatMap((group) => group.now), shard],
    };
    groups = touched.length === 0 ? groups : [...groups.filter((group) => !touched.includes(group)), joined];
  }
  return groups;
}

function share({ slots }: ShardTold, { slots: others }: ShardTold): boolean {
  return slots.some(([first, last]) => others.some(([from, to]) => first <= to && from <= last));
}

/** What the tally saw of the source when it looked last. */
export type SeenBefore = Pick<Snapshot, 'marks' | 'sourceKeysNow' | 'lostKeys' | 'sourceShards'>;

/**
 * Why a migration must stop for what has become of its source; undefined where it may go on. A sync that deletes keys because
 * the source does not have them believes only the very process that was planned with; one that follows its source has every restart
 * followed by a pass of its own.
 */
export function whyStop(
  { plan, course }: Pick<MigrationRow, 'plan' | 'course'>,
  source: SideFacts,
  before: SeenBefore,
  shards: readonly ShardTold[] = [],
): string | undefined {
  const isLive = isFollowed(plan);
  const unknown = isLive ? unplannedDatabase(plan, source) : undefined;
  if (unknown !== undefined || (isLive && plan.request.force)) return unknown;
  const now = courseSince(plan, source, before);
  const ofShards = now && isLive ? lossOfShards(now, before.sourceShards ?? [], shards) : undefined;
  const loss = ofShards ?? (now && lossOfSource(now));
  if (loss !== undefined || !plan.request.deleteExtra || isLive) return loss;
  const sincePlan = withReset(sinceMark(markOf(plan.source), markOf(source)), course.reset.source);
  const sourceKeys = keysIn(source, plan, 'source');
  const { shrinkPercent } = plan.request.limits;
  return doubtOfCourse({ since: sincePlan, sourceKeysAtStart: sourceKeysAtStart(plan), sourceKeys, shrinkPercent });
}

/** A database that keys were written to and that is not followed, where all were asked for; undefined where there is none. */
function unplannedDatabase({ request, databases }: Plan, source: SideFacts): string | undefined {
  if (request.databases !== 'all') return undefined;
  const found = source.databases.find(
    ({ database, keys }) => keys !== 0 && databases.every((planned) => planned.database !== database),
  );
  if (found === undefined) return undefined;
  return `Database ${found.database} of the source was empty when the migration was planned, and has keys now: they are not followed. Start it again, and name the databases that are to be followed where some are empty yet, for example "databases": [0, ${found.database}].`;
}

/** How many keys were gone after restarts and flushes, up to now. */
export function lostKeys(plan: Plan, source: SideFacts, before: SeenBefore): number {
  const now = courseSince(plan, source, before);
  const known = before.lostKeys ?? 0;
  if (now === undefined || !hasOtherData(now.since)) return known;
  return known + Math.max(0, now.keysBefore - now.keysNow);
}

function courseSince(plan: Plan, source: SideFacts, before: SeenBefore): SourceCourse | undefined {
  const [mark, now] = [before.marks?.source ?? markOf(plan.source), markOf(source)];
  const keysBefore = before.sourceKeysNow ?? sourceKeysAtStart(plan);
  const keysNow = keysIn(source, plan, 'source');
  if (keysBefore === undefined || keysNow === undefined) return undefined;
  return {
    since: sinceMark(mark, now),
    keysBefore,
    keysNow,
    expired: Math.max(0, (now.expiredKeys ?? 0) - (mark.expiredKeys ?? 0)),
    lostBefore: before.lostKeys ?? 0,
    shrinkPercent: plan.request.limits.shrinkPercent,
  };
}
