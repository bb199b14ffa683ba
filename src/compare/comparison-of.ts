import { phaseOf } from '../migration/phases';
import type { MigrationRow } from '../migration/rows';
import type { JobHold } from '../range/range-job';
import { expiryByClock } from '../redis/expiry';
import type { BytesInFlight } from '../transfer/bytes-in-flight';
import type { Side } from '../transfer/side';
import { TOLD_UNCERTAINTY_MS, type ClockOffset } from '../transfer/clock-offset';
import type { Comparison } from './examine';
import type { Depth } from './overview';

/** Two expiries are the same when they are no further apart, ms, where both clocks are known as well as they are mostly. */
const EXPIRY_TOLERANCE_MS = 50;

/** How closely the keys of a phase are compared. */
export function depthOf(migration: Pick<MigrationRow, 'plan' | 'phase' | 'pass' | 'course'>): Depth {
  const depth = phaseOf(migration.plan, migration).depth ?? migration.course.lookDepth;
  return depth === 'quick' ? 'quick' : 'full';
}

/** How keys are compared between a range's two sides. */
export function comparisonOf(
  job: JobHold,
  app: { readonly budget: Pick<BytesInFlight, 'until'> },
  { source, target }: { readonly source: Side; readonly target: Side },
  { targetMinusSource, uncertaintyMs }: ClockOffset,
  depth: Depth,
): Comparison {
  return {
    source,
    target,
    depth,
    expiriesAgree: agreeWithin(
      EXPIRY_TOLERANCE_MS + Math.max(0, uncertaintyMs - TOLD_UNCERTAINTY_MS),
      targetMinusSource,
    ),
    targetMinusSource,
    budget: app.budget.until(job).chunks,
    goOn: () => {
      job.check();
    },
    notes: { source: job.place.notes('print'), target: job.place.notes('targetPrint') },
  };
}

/** Whether two expiries, each by its own server's clock and 0 for none, are the same moment. */
function agreeWithin(toleranceMs: number, targetMinusSource: number) {
  return (source: number, target: number): boolean => {
    if (source === 0 || target === 0) return source === target;
    return Math.abs(expiryByClock(target, 0) - expiryByClock(source, targetMinusSource)) <= toleranceMs;
  };
}
