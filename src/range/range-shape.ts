import { firstCount } from '../keyspace/page-size';
import type { Share } from '../transfer/governor';
import type { WalkOptions } from '../transfer/range-pages';
import type { Plan, WalkedDatabase } from '../migration/plan';

/** With a limit on keys or bytes per second and none on parallel ranges, so many ranges share it. */
const RANGES_UNDER_LIMIT = 8;
/** Ranges that nothing limits are in so many chains: more than all instances work on, and no more than are quickly put on the queue. */
const CHAINS_WITHOUT_LIMIT = 1_024;
/** Under a limit on latency: pages of several ranges would wait for each other at the source, and other clients for all of them. */
const RANGES_UNDER_LATENCY = 1;
/** Of a promised latency, what the pages of all ranges at work take together: the rest is for other clients, and for answers that were late by chance. */
const PAGES_OF_LATENCY = 0.5;
/** The shortest time of a page, microseconds: below, the calls cost more than what they bring. */
const SHORTEST_PAGE = 50;
/** One page's payloads, bytes; what is more waits for the next call. */
export const PAGE_BYTES = 2 * 1_048_576;
/** Bytes. */
const CHUNK = 1_048_576;
const CHUNK_UNDER_LATENCY = 32_768;
const SMALLEST_CHUNK = 16_384;

/** How many keys one range of a database should have; any number where the database's is not known. */
export function expectedKeysOf({ keys, bits }: Pick<WalkedDatabase, 'keys' | 'bits'>): number {
  return (keys ?? Number.POSITIVE_INFINITY) / 2 ** bits;
}

/** How many ranges may be at work at once, over all instances; 0: no limit. */
export function parallelRangesOf({ request: { limits }, databases }: Pick<Plan, 'request' | 'databases'>): number {
  const { keysPerSecond, bytesPerSecond, maxSourceLatencyMs } = limits;
  if (keysPerSecond === 0 && bytesPerSecond === 0 && maxSourceLatencyMs === 0) return limits.parallelRanges;
  const ranges = databases.reduce((sum, { bits }) => sum + 2 ** bits, 0);
  // Each has an equal share of the rate: at least one key a second, and none for ranges that there are not.
  const ordinary = maxSourceLatencyMs > 0 ? RANGES_UNDER_LATENCY : RANGES_UNDER_LIMIT;
  const most = limits.parallelRanges === 0 ? ordinary : limits.parallelRanges;
  // So many that their pages, each of the shortest time, still fit the latency together.
  const fitting = maxSourceLatencyMs === 0 ? most : Math.floor(microsOfPages(maxSourceLatencyMs) / SHORTEST_PAGE);
  return Math.max(1, Math.min(most, fitting, keysPerSecond === 0 ? most : keysPerSecond, ranges));
}

/** In how many chains the ranges of a phase stand (`chain.ts`). */
export function chainsOf(plan: Pick<Plan, 'request' | 'databases'>): number {
  const parallel = parallelRangesOf(plan);
  return parallel === 0 ? CHAINS_WITHOUT_LIMIT : parallel;
}

/**
 * The share of the migration's limits that one range has.
 * @param lanes how many ranges share them: at the end fewer than may be at work at once
 */
export function shareOfRange(plan: Pick<Plan, 'request' | 'databases'>, lanes = parallelRangesOf(plan)): Share {
  const parallel = Math.max(1, lanes);
  const { keysPerSecond, bytesPerSecond, maxSourceLatencyMs } = plan.request.limits;
  return { keysPerSecond: keysPerSecond / parallel, bytesPerSecond: bytesPerSecond / parallel, maxSourceLatencyMs };
}

/**
 * How large one range's pages may be. `pageMicros` is the server time that one should take; where a latency is promised,
 * the pages of all ranges at work together take no longer than a part of it.
 */
export function pageLimitsOf(
  plan: Pick<Plan, 'request' | 'databases'>,
  pageMicros: number,
): Pick<WalkOptions, 'pageMicros' | 'firstCount' | 'evenIfLight'> {
  const { maxSourceLatencyMs } = plan.request.limits;
  const parallel = Math.max(1, parallelRangesOf(plan));
  const bound = maxSourceLatencyMs === 0 ? pageMicros : microsOfPages(maxSourceLatencyMs) / parallel;
  const micros = Math.min(pageMicros, Math.max(SHORTEST_PAGE, bound));
  return { pageMicros: micros, firstCount: firstCount(micros), evenIfLight: maxSourceLatencyMs > 0 };
}

/** Bytes of a big key that one call may read: little where a latency is promised, and no more than a second's under a limit on bytes. */
export function chunkBytesOf(plan: Pick<Plan, 'request' | 'databases'>): number {
  const { bytesPerSecond, maxSourceLatencyMs } = shareOfRange(plan);
  const most = maxSourceLatencyMs > 0 ? CHUNK_UNDER_LATENCY : CHUNK;
  return bytesPerSecond === 0 ? most : Math.max(SMALLEST_CHUNK, Math.min(most, Math.floor(bytesPerSecond)));
}

function microsOfPages(maxSourceLatencyMs: number): number {
  return maxSourceLatencyMs * 1_000 * PAGES_OF_LATENCY;
}
