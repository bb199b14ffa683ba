import type { App } from '../app/app';
import { keysIn, type SideFacts } from '../app/side-facts';
import type { Counts } from '../migration/counts';
import { MOST_EXCHANGES, sinceOfSource, sinceOfTarget, type Course } from '../migration/course';
import type { LiveFacts } from '../migration/live';
import { walksOf, type SideName } from '../migration/phases';
import type { Plan } from '../migration/plan';
import { sourceKeysAtStart } from '../migration/report';
import type { MigrationRow } from '../migration/rows';
import { markOf, onlyRestored, since, UNTOLD, type Since } from '../migration/since';
import { verdict, type SideNow, type Verdict } from '../migration/verdict';
import { sumOfKnown } from '../redis/database-keys';
import { isReplica } from '../redis/probe';
import type { Standstill } from './snapshot';
import type { Sum } from './sum';

/** Asks for the verdict by what the rows say together and both sides tell. */
export function judge(
  migration: MigrationRow,
  sum: Sum,
  source: SideFacts | undefined,
  target: SideFacts | undefined,
  standstill: Standstill,
  live: LiveFacts | undefined,
  app: Pick<App, 'settings'>,
): Verdict {
  const { plan, course } = migration;
  return verdict({
    phases: plan.phases,
    walks: walksOf(migration).map(({ place }) => place),
    inPlace: plan.inPlace,
    mayHaveExtra: mayHaveUnmet(plan, sum, source, target),
    cancelRequested: migration.cancelRequested,
    stopCause: migration.stopCause,
    ranges: sum.ranges,
    counts: sum.counts,
    walked: sum.walked,
    source: source && sideNow(source, plan, 'source', sinceOfSource(course, markOf(source))),
    target: target && sideNow(target, plan, 'target', sinceOfTarget(course, markOf(target))),
    unreaped: source !== undefined && isReplica(source) ? expiring(source) : 0,
    targetIsOurs: target !== undefined && onlyRestored(course.target, markOf(target), sum.counts.copied),
    // Counted while slots were on their way, it would prove nothing.
    targetKeysAtStart: plan.target.slotsMoved === true ? undefined : plan.targetKeysAtStart,
    anew: course.anew,
    sourceExchanged: course.exchanges > MOST_EXCHANGES,
    doubt: doubtOfFile(plan, course),
    ...standstill,
    live,
    stallAfter: app.settings.stallSeconds,
    cause: sum.cause,
  });
}

function sideNow(facts: SideFacts, plan: Plan, side: SideName, since: Since): SideNow {
  const { cluster: isCluster, slotsMoved = false } = facts;
  return { keys: keysIn(facts, plan, side), isCluster, slotsMoved, since };
}

/** What is not known of a restore although each key of the file was written. */
export function doubtOfFile(
  { request, source: { file }, phases }: Pick<Plan, 'request' | 'source' | 'phases'>,
  { restarts, lookDepth }: Pick<Course, 'restarts' | 'lookDepth'>,
): string | undefined {
  if (file === undefined) return undefined;
  if (file.damage !== undefined) {
    const keys = sumOfKnown(file.databases.map((database) => database.keys)) ?? 0;
    return `The file is damaged, as a warning says: ${keys} keys of it were read.`;
  }
  if (request.mode !== 'copy' || restarts.target === 0) return undefined;
  // No look at keys tells whether they are still there.
  if (phases.some(({ work }) => work === 'libraries')) {
    return 'The target restarted or failed over while the file was restored: whether it has the function libraries of the file was not looked at afterwards. Compare its FUNCTION LIST with the file, or restore it again.';
  }
  if (lookDepth === 'values') return undefined;
  return 'The target restarted or failed over while the file was restored: that every key is there was looked at, whether each has the value of the file was not. Restore it again.';
}

function expiring({ databases }: SideFacts): number {
  return databases.reduce((sum, { expires }) => sum + (expires ?? 0), 0);
}

/** Whether the target may have keys that no walk has met. */
function mayHaveUnmet(
  plan: Plan,
  { counts }: Sum,
  source: SideFacts | undefined,
  target: SideFacts | undefined,
): boolean {
  const stands = (before: SideFacts, now: SideFacts | undefined) =>
    (now === undefined ? UNTOLD : since(markOf(before), markOf(now))).written === 'no';
  // A number of keys that is the same says nothing where keys were written.
  if (!stands(plan.source, source) || !stands(plan.target, target)) return true;
  return mayHaveExtra(plan, counts, {
    sourceAtStart: sourceKeysAtStart(plan),
    sourceNow: source && keysIn(source, plan, 'source'),
    targetAtStart: plan.targetKeysAtStart,
    targetNow: target && keysIn(target, plan, 'target'),
  });
}

/** Keys in the databases concerned when planned and now; undefined where a side does not answer or tell. */
export interface KeyNumbers {
  readonly sourceAtStart: number | undefined;
  readonly sourceNow: number | undefined;
  readonly targetAtStart: number | undefined;
  readonly targetNow: number | undefined;
}

/**
 * Whether the target may have keys that a comparison did not meet. It cannot where as many different keys were met there as
 * it has, and no number on either side has moved since the plan: then the walk over the target is spared.
 */
export function mayHaveExtra(
  { request, databases }: Pick<Plan, 'request' | 'databases'>,
  counts: Counts,
  { sourceAtStart, sourceNow, targetAtStart, targetNow }: KeyNumbers,
): boolean {
  // Two databases that go into one, and names that rules make, may have met one key twice; converted keys may be several here and
  // others there.
  const oneToOne =
    request.convert.length === 0 &&
    request.rename.length === 0 &&
    new Set(databases.map((d) => d.targetDatabase)).size === databases.length;
  if (sourceNow === undefined || targetNow === undefined) return true;
  const still = sourceAtStart === sourceNow && targetAtStart === targetNow && counts.expired === 0;
  const metOnce = counts.repeats === 0 && counts.scanned === sourceNow;
  return !(oneToOne && still && metOnce && counts.same + counts.different + counts.uncompared === targetNow);
}
