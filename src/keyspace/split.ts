/** Keys that one range should have: a few seconds of work for one of several walkers. */
const KEYS_PER_RANGE = 32_768;
const MOST_BITS = 14;

/**
 * Into how many ranges (2^bits) a database is split: one for a few thousand keys, at most 16,384, so that a range takes
 * seconds and there are enough for all workers. One where the number is not known: in a small table many ranges meet the
 * same keys.
 */
export function bitsFor(keys: number | undefined): number {
  if (keys === undefined || keys <= KEYS_PER_RANGE / 4) return 0;
  return Math.min(MOST_BITS, Math.max(2, Math.ceil(Math.log2(keys / KEYS_PER_RANGE))));
}
