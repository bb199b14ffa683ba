import type { Phase, RangeState } from '../ledger/rows';
import type { MigrationRequest } from './request';
import { accountedKeys, type Counts } from './counts';

/** What the tally knows when it looks at a migration. Times in seconds, numbers in keys. */
export interface TallyFacts {
  readonly phase: Phase;
  readonly mode: MigrationRequest['mode'];
  readonly verify: MigrationRequest['verify'];
  /** Whether the target is walked for extra keys in the end. */
  readonly looksForExtra: boolean;
  readonly cancelRequested: boolean;
  /** How many ranges of the phase are in each state. */
  readonly ranges: Readonly<Record<RangeState, number>>;
  /** Sums of the copy ranges, with `missing` and its findings from the look ranges. */
  readonly counts: Counts;
  /**
   * Keys in the databases copied from and to; undefined where a side does not answer at the moment, null where it answers and
   * does not tell.
   */
  readonly sourceKeysNow: number | null | undefined;
  readonly targetKeysNow: number | null | undefined;
  /** Keys that the target has evicted since the start; undefined where it does not tell. */
  readonly evictedFromTarget: number | undefined;
  /** Keys that the target had before; undefined where it did not tell. */
  readonly targetKeysAtStart: number | undefined;
  /** For how long no range has given a sign, while the tally watched. */
  readonly quietSeconds: number;
  readonly stallAfter: number;
  /** The first cause among failed ranges. */
  readonly cause: string | null;
}

/** What comes next: `wait` for ranges or servers, `look` at every key, walk the target for `extra` ones, or the end. */
export type Verdict =
  | { readonly kind: 'wait' }
  | { readonly kind: 'look' }
  | { readonly kind: 'extra' }
  | { readonly kind: 'completed'; readonly missing: number | null }
  | { readonly kind: 'completedWithDifferences'; readonly missing: number | null }
  | { readonly kind: 'failed'; readonly cause: string }
  | { readonly kind: 'cancelled' };

/**
 * The verdict on a migration. It is completed only when every range is done, no key failed or lost something, and the
 * counts of both sides leave no doubt or the second look found every key.
 */
export function verdict(facts: TallyFacts): Verdict {
  const { ranges, counts } = facts;
  const open = ranges.planned + ranges.active;
  if (open > 0) {
    if (facts.quietSeconds > facts.stallAfter) {
      return {
        kind: 'failed',
        cause: `Nothing moved for ${Math.round(facts.stallAfter)} seconds with ${open} ranges open.`,
      };
    }
    return { kind: 'wait' };
  }
  if (facts.cancelRequested) return { kind: 'cancelled' };
  if (ranges.failed > 0) {
    return { kind: 'failed', cause: facts.cause ?? `${ranges.failed} ranges failed.` };
  }
  if (ranges.cancelled > 0) return { kind: 'cancelled' };
  if (facts.phase === 'extra') return ended(counts, facts.mode === 'compare' ? counts.missing : null);
  if (facts.phase === 'look') return facts.looksForExtra ? { kind: 'extra' } : ended(counts, counts.missing);
  if (facts.mode === 'compare') return facts.looksForExtra ? { kind: 'extra' } : ended(counts, counts.missing);
  if (facts.verify === 'quick' || facts.verify === 'full') return { kind: 'look' };
  if (facts.looksForExtra) return { kind: 'extra' };
  // Keys that were equal already are in no number that the target could be held against.
  if (facts.mode === 'sync' || facts.verify === 'none') return ended(counts, null);
  if (facts.sourceKeysNow === undefined || facts.targetKeysNow === undefined) {
    return facts.quietSeconds > facts.stallAfter
      ? { kind: 'failed', cause: 'Both sides must answer for the check of the counts, and one does not.' }
      : { kind: 'wait' };
  }
  return leaveDoubt(facts, facts.sourceKeysNow, facts.targetKeysNow) ? { kind: 'look' } : ended(counts, 0);
}

/**
 * Whether the numbers of keys leave a doubt. Only a first check: expired keys that are not reaped, and writers on either
 * side, make numbers differ without any key missing, and that is established by looking.
 */
function leaveDoubt(facts: TallyFacts, sourceKeysNow: number | null, targetKeysNow: number | null): boolean {
  const { counts, targetKeysAtStart, evictedFromTarget } = facts;
  if (sourceKeysNow === null || targetKeysNow === null || targetKeysAtStart === undefined) return true;
  const unseenOnSource = sourceKeysNow > accountedKeys(counts);
  // Keys that were there before hide missing ones, unless as many new ones have come as were copied.
  const fewerOnTarget = targetKeysNow - targetKeysAtStart < counts.copied + counts.converted;
  return unseenOnSource || fewerOnTarget || evictedFromTarget !== 0;
}

function ended(counts: Counts, missing: number | null): Verdict {
  const differs = counts.failed > 0 || counts.findings > 0 || (missing ?? 0) > 0;
  return { kind: differs ? 'completedWithDifferences' : 'completed', missing };
}
