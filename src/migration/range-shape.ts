import type { DatabasePlan, Plan } from './plan';

/** With a limit on keys per second and none on parallel ranges, so many ranges share it. */
const RANGES_UNDER_LIMIT = 8;

/** How many keys one range of a database should have. */
export function expectedKeysOf({ keys, bits }: Pick<DatabasePlan, 'keys' | 'bits'>): number {
  return keys / 2 ** bits;
}

/** How many ranges may be at work at once, over all instances; 0: no limit. */
export function parallelRangesOf({ request: { limits } }: Pick<Plan, 'request'>): number {
  if (limits.keysPerSecond === 0) return limits.parallelRanges;
  // More ranges than keys per second would leave less than one key a second to each.
  const most = Math.max(1, Math.min(RANGES_UNDER_LIMIT, limits.keysPerSecond));
  return limits.parallelRanges === 0 ? most : Math.min(limits.parallelRanges, limits.keysPerSecond);
}

/** The share of the migration's keys per second that one range has; 0: no limit. */
export function rateOfRange(plan: Pick<Plan, 'request'>): number {
  const parallel = parallelRangesOf(plan);
  return plan.request.limits.keysPerSecond === 0 ? 0 : plan.request.limits.keysPerSecond / parallel;
}
