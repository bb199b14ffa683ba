/** Beyond it a double is no longer exact to the millisecond, and servers take what is near 2^63 for wrong; nothing real is there. */
const LATEST_EXPIRY = Number.MAX_SAFE_INTEGER;

/**
 * An expiry by one server's clock as it is written by another one's.
 * @param expiry absolute, in ms since 1970, as the first server tells it
 * @param clockOffset the second server's clock minus the first one's, ms
 * @returns whole ms since 1970; the latest that every server takes where it is later
 */
export function expiryByClock(expiry: number, clockOffset: number): number {
  return Math.min(LATEST_EXPIRY, Math.round(expiry + clockOffset));
}
