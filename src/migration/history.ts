import { z } from 'zod';
import { amount, type DocumentOf } from './document';

/** A migration of any length keeps at most this many points: enough for a chart, few enough for every visit. */
export const MOST_POINTS = 240;

export const historyPointSchema = z.tuple([z.number().min(0), amount]);

/** Of a migration's course: seconds since its start, and keys accounted for by then. */
export type HistoryPoint = DocumentOf<typeof historyPointSchema>;

/** The document of GET /api/migrations/{id}/history. */
export const historySchema = z
  .object({
    points: z
      .array(historyPointSchema)
      .describe(`Seconds since the start, and keys accounted for by then; at most ${MOST_POINTS} points.`),
  })
  .meta({ id: 'History' });

export type HistoryReport = DocumentOf<typeof historySchema>;

/**
 * Adds a point. When there would be too many, every second one goes, the first and the new one stay: what is old is
 * known as finely as what is new.
 */
export function addToHistory(history: readonly HistoryPoint[], point: HistoryPoint): readonly HistoryPoint[] {
  const last = history.at(-1);
  if (last !== undefined && point[0] <= last[0]) return history;
  const points = [...history, point];
  if (points.length <= MOST_POINTS) return points;
  return points.filter((_, index) => index % 2 === 0 || index === points.length - 1);
}
