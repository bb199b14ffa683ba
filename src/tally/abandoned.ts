import { isSettled, type RangeRow } from '../migration/rows';
import { headsOfChains } from '../range/chain';

/** What was seen of the ranges of a phase, by one who watches. */
export interface Watched {
  /** For how long a row has been as it is, ms. */
  readonly stillFor: (row: RangeRow) => number;
  /** How many chains the ranges are in. */
  readonly chains: number;
  /** Whether no more ranges are sent than may be at work at once, so that none waits long for its turn. */
  readonly isLimited: boolean;
  /** How often its message was sent again since its worker gave a sign. */
  readonly sentAgain: (row: RangeRow) => number;
  /** Whether it waits for a message that is on its way. */
  readonly rests: (row: RangeRow) => boolean;
  /** After how long without a sign a worker is gone, ms. */
  readonly silenceMs: number;
}

/** A lane moves on at once; its message may have to wait for its turn in the queue, though. Silences. */
const LANE_SILENCES = 3;
/** Messages that wait for their turn are not sent again and again: at most after so many silences. */
const MOST_SILENCES = 64;

/**
 * The ranges that nobody works on although somebody should: those whose worker is silent; those whose message must be lost, since
 * nothing has moved at all, or a lane has not. The latter are sent again after longer and longer times.
 * @param rows all of a phase, each as it counts in the current epoch
 */
export function abandonedRanges(
  rows: readonly RangeRow[],
  { chains, isLimited, stillFor, sentAgain, rests, silenceMs }: Watched,
): RangeRow[] {
  const allStill = rows.every((row) => stillFor(row) >= silenceMs);
  return headsOfChains(rows, chains, isSettled).filter((row) => {
    if (row.state === 'active') return stillFor(row) >= silenceMs;
    if (rests(row) || (!allStill && !isLimited)) return false;
    const silences = Math.min(MOST_SILENCES, (allStill ? 1 : LANE_SILENCES) * 2 ** sentAgain(row));
    return stillFor(row) >= silenceMs * silences;
  });
}
