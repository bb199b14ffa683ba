import type { HistoryPoint } from './api.ts';

/** Columns for the chart: seconds since the start, and keys per second up to then. */
export type Rates = [seconds: number[], keysPerSecond: number[]];

/** Ranges write down what they have done every few seconds; over less than that a rate would only show when they did. */
const WINDOW_S = 4;

/** The rate at each point, over the last seconds before it, or over all since the start at first. */
export function ratesOf(points: readonly HistoryPoint[]): Rates {
  const seconds: number[] = [];
  const rates: number[] = [];
  let from = 0;
  for (const [at, keys] of points) {
    const next = () => points[from + 1];
    for (let after = next(); after !== undefined && at - after[0] >= WINDOW_S; after = next()) from++;
    const [since, before] = points[from] ?? [at, keys];
    seconds.push(at);
    // A restart of the source throws keys back; that is no negative rate.
    rates.push(at > since ? Math.max(0, (keys - before) / (at - since)) : 0);
  }
  return [seconds, rates];
}
