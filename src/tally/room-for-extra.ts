import type { Counts } from '../migration/counts';
import type { Plan } from '../migration/plan';

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
  // Two databases that go into one may have met one key twice; converted sessions are several keys here and others there.
  const oneToOne =
    request.convert.length === 0 && new Set(databases.map((d) => d.targetDatabase)).size === databases.length;
  if (sourceNow === undefined || targetNow === undefined) return true;
  const still = sourceAtStart === sourceNow && targetAtStart === targetNow && counts.expired === 0;
  const metOnce = counts.repeats === 0 && counts.scanned === sourceNow;
  return !(oneToOne && still && metOnce && counts.same + counts.different === targetNow);
}
