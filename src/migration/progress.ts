import { z } from 'zod';
import { amount, type DocumentOf } from './document';
import type { HistoryPoint } from './history';

export const progressSchema = z.object({
  phase: z
    .string()
    .optional()
    .describe(
      'What is done, and what percent and etaSeconds are of: read, copy, look and others, one after the other. Not there in documents of earlier versions.',
    ),
  percent: z
    .number()
    .min(0)
    .max(100)
    .describe('0 to 100 with one decimal, of the phase: the next one begins at 0. 100 only when all has ended well.'),
  keysPerSecond: amount.describe('Over the last seconds while it runs, over the whole in the end.'),
  etaSeconds: amount.nullable().describe('Until the end of the phase; null while that cannot be told.'),
  ranges: z.object({ total: amount, done: amount, active: amount, failed: amount }),
  reading: z
    .object({ bytes: amount, of: amount, bytesPerSecond: amount.optional().describe('Over the last seconds.') })
    .optional()
    .describe(
      'While the file that is the source is read, before it is known what is in it: bytes of it, as it is in its store.',
    ),
});

/** How far a migration is, for people and for the tally's next visit. */
export type Progress = DocumentOf<typeof progressSchema>;

/** Percent from the share of the keyspace that is behind the ranges' cursors, which cannot pass what is truly done. */
export function percentOf(share: number, ended: boolean): number {
  return ended ? 100 : Math.min(99.9, Math.floor(share * 1_000) / 10);
}

/** The rate is over so many seconds: ranges write down where they are every few seconds only, all at about the same time. */
const RATE_OVER_S = 10;
/** Between two sums further apart than this the whole app was away. */
const LONGEST_GAP_S = 30;

/**
 * Keys per second over the last seconds, or bytes where the points have these: since the newest sum that is at least ten seconds old, or since the oldest one
 * after the app was away or a source that restarted began anew.
 * @param history the sums before, oldest first
 * @param before the rate before, kept where nothing can be said yet
 */
export function recentRate(history: readonly HistoryPoint[], now: HistoryPoint, before: number): number {
  let base = now;
  for (const point of history.toReversed()) {
    if (base[0] - point[0] > LONGEST_GAP_S || point[1] > base[1]) break;
    base = point;
    if (now[0] - base[0] >= RATE_OVER_S) break;
  }
  const seconds = now[0] - base[0];
  return seconds <= 0 ? before : (now[1] - base[1]) / seconds;
}

/** Seconds left, from the share done and the time it took; null before anything can be said. */
export function etaOf(share: number, keys: number, keysPerSecond: number): number | null {
  if (share <= 0 || keysPerSecond <= 0 || keys <= 0) return null;
  return Math.max(0, Math.round(((keys / share) * (1 - share)) / keysPerSecond));
}

/** The same of bytes that are read. */
export function etaOfReading({ bytes, of, bytesPerSecond = 0 }: NonNullable<Progress['reading']>): number | null {
  return bytesPerSecond <= 0 ? null : Math.max(0, Math.round((of - bytes) / bytesPerSecond));
}

const SOONEST_S = 0.5;
const LATEST_S = 5;

/** When the tally looks again, seconds: often near the end and at the beginning, seldom in between. */
export function nextVisit(elapsedSeconds: number, etaSeconds: number | null): number {
  const bound = Math.min(elapsedSeconds / 4, etaSeconds === null ? LATEST_S : etaSeconds / 2);
  return Math.min(LATEST_S, Math.max(SOONEST_S, bound));
}
