/** COUNT is never above this, however fast the server is. */
export const LARGEST_COUNT = 2_000;
export const FIRST_COUNT = 100;

/**
 * The COUNT that keeps one call near the server time wanted: in proportion, but at most doubled or halved at a step.
 *
 * @param count the last call's COUNT
 * @param micros microseconds the server took for it
 * @param wantedMicros microseconds it should take
 */
export function adaptCount(count: number, micros: number, wantedMicros: number): number {
  const factor = Math.min(2, Math.max(0.5, wantedMicros / Math.max(1, micros)));
  return Math.min(LARGEST_COUNT, Math.max(1, Math.round(count * factor)));
}

/**
 * COUNT cut to the keys that are left, so that a page seldom goes beyond its range. Hash tables fill by chance, so three
 * standard deviations are left for the next pages; after `emptyPages` pages without a key it grows again, since COUNT
 * also bounds the empty buckets that a call looks at.
 */
export function cutToRange(count: number, keysLeft: number, emptyPages: number): number {
  const safe = Math.max(1, Math.floor(keysLeft - 3 * Math.sqrt(keysLeft)));
  return Math.min(count, safe * 2 ** Math.min(emptyPages, 12));
}
