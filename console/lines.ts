import type { FollowedPoint } from './api.ts';
import type { Columns, Line } from './line-chart.ts';
import { amount, clock, span } from './words.ts';

/** Keys per second over time. */
export const rateLine: Line = {
  title: 'Keys per second',
  least: 10,
  all: ([seconds, values]) =>
    `Highest ${amount(Math.max(0, ...values))}, last ${amount(values.at(-1) ?? 0)} keys per second, over ${clock(seconds.at(-1) ?? 0)}.`,
  at: ([seconds, values], index) => `At ${clock(seconds[index] ?? 0)}: ${amount(values[index] ?? 0)} keys per second.`,
};

/** How far the target lags behind a source that is followed, in seconds, with a mark at each gap. */
export const lagOf = (points: readonly FollowedPoint[]): Columns => [
  points.map(([seconds]) => seconds),
  points.map(([, lagMs]) => lagMs / 1_000),
  points.map(([, lagMs, gaps], i) => (gaps > (points[i - 1]?.[2] ?? 0) ? lagMs / 1_000 : null)),
];

/** @param points those that the chart shows at the moment */
export function lagLine(points: () => readonly FollowedPoint[]): Line {
  return {
    title: 'Lag of the target, seconds',
    least: 1,
    all: ([, values]) => {
      const last = points().at(-1);
      return `Highest ${exact(Math.max(0, ...values))}, last ${exact(values.at(-1) ?? 0)}; ${said(last)}.`;
    },
    at: ([seconds, values], index) =>
      `At ${clock(seconds[index] ?? 0)}: ${exact(values[index] ?? 0)}; ${said(points()[index])}.`,
  };
}

function exact(seconds: number): string {
  return seconds < 10 ? `${seconds.toFixed(1)} s` : span(seconds);
}

function said(point: FollowedPoint | undefined): string {
  const [, , gaps, readers] = point ?? [0, 0, 0, 0];
  const listening =
    readers === 0 ? 'nobody listens' : readers === 1 ? 'one reader listens' : `${amount(readers)} readers listen`;
  return `${listening}; ${gaps === 0 ? 'no gap' : gaps === 1 ? 'one gap (marked)' : `${amount(gaps)} gaps (marked)`} so far`;
}
