import { z } from 'zod';
import { amount, type DocumentOf } from './document';

/** A migration of any length keeps at most this many points: enough for a chart, few enough for every visit. */
export const MOST_POINTS = 240;

export const historyPointSchema = z.tuple([z.number().min(0), amount]);

/** Of a migration's course: seconds since its start, and keys accounted for by then. */
export type HistoryPoint = DocumentOf<typeof historyPointSchema>;

export const followedPointSchema = z.tuple([z.number().min(0), amount, amount, amount]);

/**
 * How a source was followed: seconds since the migration's start; the age of the oldest change that was not on the target, ms; gaps
 * so far; readers that listened.
 */
export type FollowedPoint = DocumentOf<typeof followedPointSchema>;

/** The document of GET /api/migrations/{id}/history. */
export const historySchema = z
  .object({
    points: z
      .array(historyPointSchema)
      .describe(`Seconds since the start, and keys accounted for by then; at most ${MOST_POINTS} points.`),
    followed: z
      .array(followedPointSchema)
      .optional()
      .describe(
        `Mode live: seconds since the start, the lag in ms (for how long the oldest change had waited that was not on the target; while nobody follows it grows), gaps so far, and readers that listened; at most ${MOST_POINTS} points.`,
      ),
  })
  .meta({ id: 'History' });

export type HistoryReport = DocumentOf<typeof historySchema>;

/**
 * Adds a point. When there would be too many, every second one goes, the first and the new one stay: what is old is
 * known as finely as what is new.
 */
export function addToHistory<Point extends HistoryPoint | FollowedPoint>(
  history: readonly Point[],
  point: Point,
): readonly Point[] {
  const last = history.at(-1);
  if (last !== undefined && point[0] <= last[0]) return history;
  const points = [...history, point];
  if (points.length <= MOST_POINTS) return points;
  return points.filter((_, index) => index % 2 === 0 || index === points.length - 1);
}
