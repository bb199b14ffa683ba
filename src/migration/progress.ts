/** How far a migration is, for people and for the tally's next visit. */
export interface Progress {
  /** 0 to 100 with one decimal; 100 only when it has ended well. */
  readonly percent: number;
  /** Over the last seconds while it runs, over the whole in the end. */
  readonly keysPerSecond: number;
  readonly etaSeconds: number | null;
  readonly ranges: { readonly total: number; readonly done: number; readonly active: number; readonly failed: number };
}

/** Percent from the share of the keyspace that is behind the ranges' cursors, which cannot pass what is truly done. */
export function percentOf(share: number, ended: boolean): number {
  return ended ? 100 : Math.min(99.9, Math.floor(share * 1_000) / 10);
}

/**
 * The rate between two sums, smoothed with the rate before.
 * @param seconds between the two sums
 */
export function smoothedRate(keys: number, seconds: number, before: number): number {
  if (seconds <= 0) return before;
  const now = Math.max(0, keys) / seconds;
  return before === 0 ? now : before * 0.6 + now * 0.4;
}

/** Seconds left, from the share done and the time it took; null before anything can be said. */
export function etaOf(share: number, keys: number, keysPerSecond: number): number | null {
  if (share <= 0 || keysPerSecond <= 0 || keys <= 0) return null;
  return Math.max(0, Math.round(((keys / share) * (1 - share)) / keysPerSecond));
}

const SOONEST_S = 0.5;
const LATEST_S = 5;

/** When the tally looks again, seconds: often near the end and at the beginning, seldom in between. */
export function nextVisit(elapsedSeconds: number, etaSeconds: number | null): number {
  const bound = Math.min(elapsedSeconds / 4, etaSeconds === null ? LATEST_S : etaSeconds / 2);
  return Math.min(LATEST_S, Math.max(SOONEST_S, bound));
}
