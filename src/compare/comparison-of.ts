import type { App } from '../app/app';
import { makeConverters, selectionOf } from '../convert/make-converters';
import { makeNaming } from '../convert/rename/naming';
import type { MigrationRow } from '../migration/rows';
import type { RangeJob } from '../range/range-job';
import { expectedKeysOf, pageLimitsOf } from '../range/range-shape';
import { rangeSides, type RangeSides } from '../range/range-sides';
import type { ClockOffset } from '../transfer/clock-offset';
import type { WalkOptions } from '../transfer/range-pages';
import type { Comparison } from './examine';
import type { Depth } from './overview';

/** Two expiries are the same when they are no further apart, ms. */
export const EXPIRY_TOLERANCE_MS = 50;

/** How closely the keys of a phase are compared. */
export function depthOf({ plan, phase, course }: Pick<MigrationRow, 'plan' | 'phase' | 'course'>): Depth {
  const { mode, verify } = plan.request;
  const quick = phase === 'look' ? course.lookDepth === 'quick' : mode === 'compare' && verify === 'quick';
  return quick ? 'quick' : 'full';
}

/** What the work on one range of the source needs in order to compare its keys. */
export interface RangeComparison {
  readonly sides: RangeSides;
  readonly comparison: Comparison;
  readonly clock: ClockOffset;
  /** The name that a key has on the target. */
  readonly nameOf: (key: Buffer) => Buffer;
  readonly walk: Omit<WalkOptions, 'converters'>;
}

/** Connects a range of the source's keys to both sides; by what is `given` where that was done already. */
export async function comparisonOf(
  job: RangeJob,
  app: App,
  given?: { readonly sides: RangeSides; readonly clock: ClockOffset },
): Promise<RangeComparison> {
  const { migration, row } = job;
  const { plan } = migration;
  const sides = given?.sides ?? rangeSides(job, app);
  const { database, source } = sides;
  const clock = given?.clock ?? (await sides.compareClocks());
  const naming = makeNaming(plan.request.rename, database.prefix);
  return {
    sides,
    clock,
    comparison: comparisonBetween(job, sides, clock, depthOf(migration)),
    nameOf: (key) => naming?.(key) ?? key,
    walk: {
      range: row,
      start: BigInt(row.cursor),
      expectedKeys: expectedKeysOf(database),
      cursorOrder: plan.source.abilities.cursorOrder,
      ...pageLimitsOf(plan, app.settings.pageMicros),
      selection: selectionOf(plan, makeConverters(plan)),
      source,
      namesOnly: () => true,
      budget: app.budget,
      pace: job.governor,
      attempt: sides.attemptSource,
    },
  };
}

/** How keys are compared between a range's two sides. */
export function comparisonBetween(job: RangeJob, sides: RangeSides, clock: ClockOffset, depth: Depth): Comparison {
  const { source, target } = job.migration.plan;
  return {
    source: { port: sides.source, scripts: source.abilities.scripts, attempt: sides.attemptSource },
    target: { port: sides.target, scripts: target.abilities.scripts, attempt: sides.attemptTarget },
    depth,
    expiriesAgree: agreeWithin(EXPIRY_TOLERANCE_MS, clock.targetMinusSource),
    goOn: () => {
      job.check();
    },
  };
}

/** Whether two expiries, each by its own server's clock and 0 for none, are the same moment. */
export function agreeWithin(toleranceMs: number, targetMinusSource: number) {
  return (source: number, target: number): boolean => {
    if (source === 0 || target === 0) return source === target;
    return Math.abs(target - targetMinusSource - source) <= toleranceMs;
  };
}
