import type { Phase } from '../ledger/rows';
import type { Plan, WalkedDatabase } from './plan';

/** With a limit on keys per second and none on parallel ranges, so many ranges share it. */
const RANGES_UNDER_LIMIT = 8;

/** The databases that a phase walks: the source's, in the phase `extra` the target's. */
export function walkedDatabases(
  plan: Pick<Plan, 'databases' | 'targetDatabases'>,
  phase: Phase,
): readonly WalkedDatabase[] {
  return phase === 'extra' ? (plan.targetDatabases ?? []) : plan.databases;
}

/** How many keys one range of a database should have. */
export function expectedKeysOf({ keys, bits }: Pick<WalkedDatabase, 'keys' | 'bits'>): number {
  return keys / 2 ** bits;
}

/** How many ranges may be at work at once, over all instances; 0: no limit. */
export function parallelRangesOf({ request: { limits }, databases }: Pick<Plan, 'request' | 'databases'>): number {
  if (limits.keysPerSecond === 0) return limits.parallelRanges;
  const ranges = databases.reduce((sum, { bits }) => sum + 2 ** bits, 0);
  // Each has an equal share of the rate: at least one key a second, and none for ranges that there are not.
  const most = limits.parallelRanges === 0 ? RANGES_UNDER_LIMIT : limits.parallelRanges;
  return Math.max(1, Math.min(most, limits.keysPerSecond, ranges));
}

/** The share of the migration's keys per second that one range has; 0: no limit. */
export function rateOfRange(plan: Pick<Plan, 'request' | 'databases'>): number {
  const parallel = parallelRangesOf(plan);
  return plan.request.limits.keysPerSecond === 0 ? 0 : plan.request.limits.keysPerSecond / parallel;
}
