const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Where the buckets of the time left begin, seconds; each ends before the next. Keys without expiry are not in any. */
export const expiryBounds: readonly number[] = [0, MINUTE, HOUR, DAY, 7 * DAY, 30 * DAY, 365 * DAY];

/** Where the buckets of key sizes begin, bytes. */
export const sizeBounds: readonly number[] = [0, 64, 256, 1_024, 4_096, 16_384, 65_536, 1 << 20, 1 << 24, 1 << 28];

/** The name of keys that never expire, among the names of expiry buckets. */
export const NEVER = 'never';

/** The bucket's bound as a name. @param seconds until the key expires; undefined for never */
export function expiryBucket(seconds: number | undefined): string {
  return seconds === undefined ? NEVER : String(boundOf(expiryBounds, seconds));
}

export function sizeBucket(bytes: number): string {
  return String(boundOf(sizeBounds, bytes));
}

function boundOf(bounds: readonly number[], value: number): number {
  return bounds.findLast((bound) => bound <= value) ?? 0;
}
