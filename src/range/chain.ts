import type { RangeRow } from '../migration/rows';

/**
 * With a limit of P parallel ranges, P messages are sent at first, and whoever settles range i sends range i + P of the
 * same phase. So P ranges are at work at any time, over all instances, without anybody counting.
 */
export function firstOfChains<T>(ranges: readonly T[], parallelRanges: number): readonly T[] {
  return parallelRanges === 0 ? ranges : ranges.slice(0, parallelRanges);
}

/** The number of the range that follows `number` in its chain; undefined where there are no chains. */
export function nextInChain(number: number, parallelRanges: number): number | undefined {
  return parallelRanges === 0 ? undefined : number + parallelRanges;
}

/** The first unsettled range of each chain: what must be in the queue or at work. */
export function headsOfChains(
  ranges: readonly RangeRow[],
  parallelRanges: number,
  settled: (row: RangeRow) => boolean,
): RangeRow[] {
  const open = ranges.filter((row) => !settled(row));
  if (parallelRanges === 0) return open;
  const heads = new Map<number, RangeRow>();
  for (const row of open) {
    const chain = row.number % parallelRanges;
    const head = heads.get(chain);
    if (head === undefined || row.number < head.number) heads.set(chain, row);
  }
  return [...heads.values()];
}
