/** COUNT is never above this, however fast the server is. */
export const LARGEST_COUNT = 2_000;
/** COUNT before any call was timed. */
export const FIRST_COUNT = 100;
/** What reading a key costs a server, roughly; microseconds. */
const MICROS_A_KEY = 10;

/** A page of so few bytes and so many keys takes a server no time worth speaking of. */
const LIGHT_BYTES = 128 * 1_024;
const LIGHT_COUNT = 250;

/** COUNT of a first page that should take the server so many microseconds. */
export function firstCount(wantedMicros: number): number {
  return Math.max(1, Math.min(FIRST_COUNT, Math.round(wantedMicros / MICROS_A_KEY)));
}

/**
 * COUNT after a page, where nobody was promised a latency. Servers before 7.2 tell the time that passed, not the time that they worked: where they share their
 * cores a light page may seem to take long, and pages that became smaller and smaller for it would only cost more.
 *
 * @param bytes payload bytes of the last page
 */
export function nextCount(count: number, micros: number, wantedMicros: number, bytes: number): number {
  const adapted = adaptCount(count, micros, wantedMicros);
  return bytes <= LIGHT_BYTES ? Math.max(adapted, Math.min(count, LIGHT_COUNT)) : adapted;
}

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

/** To read so few keys again costs less than the calls that it saves. */
const FEW_LEFT = 64;

/**
 * COUNT cut to the keys that are left, so that a page seldom goes beyond its range. Hash tables fill by chance, so three
 * standard deviations are left for the next pages, and one where few keys are left; after `emptyPages` pages without a key it grows
 * again, since COUNT also bounds the empty buckets that a call looks at.
 */
export function cutToRange(count: number, keysLeft: number, emptyPages: number): number {
  const spread = (keysLeft > FEW_LEFT ? 3 : 1) * Math.sqrt(keysLeft);
  const safe = Math.max(1, Math.floor(keysLeft - spread));
  return Math.min(count, safe * 2 ** Math.min(emptyPages, 12));
}
