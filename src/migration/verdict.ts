import type { Phase, RangeState } from './rows';
import type { LookDepth } from './course';
import type { MigrationRequest } from './request';
import { accountedKeys, type Counts } from './counts';
import { hasOtherData, type Since } from './since';

/** One side as it is when the tally looks. */
export interface SideNow {
  /** Keys in the databases copied from or to; undefined where it does not tell, or does not answer at the moment. */
  readonly keys: number | undefined;
  /** What became of it since the walk began that the verdict rests on. */
  readonly since: Since;
}

/** What the tally knows when it looks at a migration. Times in seconds, numbers in keys. */
export interface TallyFacts {
  readonly phase: Phase;
  readonly mode: MigrationRequest['mode'];
  readonly verify: MigrationRequest['verify'];
  /**
   * How the migration's own keys are looked at where the target may have other data: their values, or with onConflict "skip",
   * where those that the target had are among them, whether they are there. None that was written then was there before.
   */
  readonly ownDepth: LookDepth;
  /** Source and target are one server. */
  readonly inPlace: boolean;
  /** Whether the target is walked for extra keys. */
  readonly looksForExtra: boolean;
  readonly cancelRequested: boolean;
  /** Why the migration must stop, where something is wrong with a side. */
  readonly stopCause: string | null;
  /** How many ranges of the phase are in each state. */
  readonly ranges: Readonly<Record<RangeState, number>>;
  /** Sums of the copy ranges, with `missing` and its findings from the look ranges. */
  readonly counts: Counts;
  /** Different keys that the latest walk over the source brought. */
  readonly walked: number;
  /** Each undefined while it does not answer. */
  readonly source: SideNow | undefined;
  readonly target: SideNow | undefined;
  /** Keys that the source may count although they have expired: a replica does not take them away by itself. */
  readonly unreaped: number;
  /** Nobody but the migration has written to the target since it was planned. */
  readonly targetIsOurs: boolean;
  /** Keys that the target had before; undefined where it did not tell. */
  readonly targetKeysAtStart: number | undefined;
  /** How often the walk that the verdict rests on was begun anew because the target was another one. */
  readonly anew: number;
  /** For how long no range has given a sign, while the tally watched. */
  readonly quietSeconds: number;
  readonly stallAfter: number;
  /** The first cause among failed ranges. */
  readonly cause: string | null;
}

/** A phase to be begun; begun anew where it is the current one or one before it. */
export interface DuePhase {
  readonly phase: Phase;
  /** Of the look: whether keys are only looked for, or their values compared. */
  readonly depth?: LookDepth;
}

/** What comes next: `wait` for ranges or servers, another phase, or the end. */
export type Verdict = { readonly kind: 'wait' } | { readonly kind: 'phase'; readonly due: DuePhase } | End;

export type End =
  | {
      readonly kind: 'completed' | 'completedWithDifferences';
      readonly missing: number | null;
      /** Why it cannot be called completed although no key is known to differ. */
      readonly doubt?: string;
    }
  | { readonly kind: 'failed'; readonly cause: string }
  | { readonly kind: 'cancelled' };

/** So often a walk begins anew for a target that is another one each time. */
const MOST_ANEW = 3;

/**
 * The verdict on a migration. It is completed only when every range is done, no key failed or lost something, both sides are
 * still what they were when the walk began that it rests on, and that walk leaves no doubt.
 */
export function verdict(facts: TallyFacts): Verdict {
  const { ranges, stopCause } = facts;
  const open = ranges.planned + ranges.active;
  if (open > 0) {
    if (facts.quietSeconds <= facts.stallAfter) return { kind: 'wait' };
    if (stopCause !== null) return { kind: 'failed', cause: stopCause };
    return {
      kind: 'failed',
      cause: `Nothing moved for ${Math.round(facts.stallAfter)} seconds with ${open} ranges open.`,
    };
  }
  if (stopCause !== null) return { kind: 'failed', cause: stopCause };
  if (facts.cancelRequested) return { kind: 'cancelled' };
  if (ranges.failed > 0) {
    return { kind: 'failed', cause: facts.cause ?? `${ranges.failed} ranges failed.` };
  }
  if (ranges.cancelled > 0) return { kind: 'cancelled' };
  const { source, target } = facts;
  if (source === undefined || target === undefined) {
    if (facts.quietSeconds <= facts.stallAfter) return { kind: 'wait' };
    return { kind: 'failed', cause: 'Both sides must answer before the verdict, and one does not.' };
  }
  // A dry run has written nothing that could be looked at.
  const due = facts.mode === 'dry-run' ? undefined : duePhase(facts, source, target);
  if (due === undefined) return ended(facts, source, target);
  const again = due.phase === facts.phase || (facts.mode === 'compare' && due.phase === 'copy');
  if (again && facts.anew >= MOST_ANEW) {
    return {
      kind: 'failed',
      cause: `The target restarted, failed over or was flushed again and again while its keys were looked at (${MOST_ANEW + 1} times).`,
    };
  }
  return { kind: 'phase', due };
}

/** The phase that must come before anything can be said; undefined where all is known that will be. */
function duePhase(facts: TallyFacts, source: SideNow, target: SideNow): DuePhase | undefined {
  const { phase, mode, verify } = facts;
  const isOther = !facts.inPlace && hasOtherData(target.since);
  if (mode === 'compare') {
    if (isOther) return { phase: 'copy' };
    return phase === 'copy' && facts.looksForExtra ? { phase: 'extra' } : undefined;
  }
  if (phase === 'copy' && facts.looksForExtra) return { phase: 'extra' };
  if (phase === 'look') return isOther ? { phase: 'look', depth: facts.ownDepth } : undefined;
  // Counters that were set back ask for a look; another one would tell no more.
  const mayBeOther = isOther || (!facts.inPlace && target.since.reset);
  if (mayBeOther) return { phase: 'look', depth: facts.ownDepth };
  if (verify === 'quick' || verify === 'full') return { phase: 'look', depth: verify === 'full' ? 'values' : 'quick' };
  // What a target does not tell of itself is looked after, as far as that can be done.
  const untold = !facts.inPlace && target.since.process === 'unknown';
  if (target.since.evicted !== 0 || untold || hasFewer(facts, target)) return { phase: 'look', depth: 'existence' };
  if (verify === 'none' || mode === 'sync') return undefined;
  return leavesDoubt(facts, source, target) ? { phase: 'look', depth: 'existence' } : undefined;
}

/** Whether a target has fewer keys than were written to it or seen on it, and have not expired: some were lost, however. */
function hasFewer({ counts }: TallyFacts, { keys, since }: SideNow): boolean {
  return keys !== undefined && keys < counts.copied + counts.same - since.expired;
}

/**
 * Whether keys may be missing although as many are on the target as were copied. Numbers prove something only where nobody
 * else wrote, on either side: writers can keep the number of keys and change every one.
 */
function leavesDoubt(facts: TallyFacts, source: SideNow, target: SideNow): boolean {
  const { counts, targetKeysAtStart, targetIsOurs } = facts;
  if (source.since.written !== 'no' || !targetIsOurs) return true;
  if (source.keys === undefined || target.keys === undefined || targetKeysAtStart === undefined) return true;
  const unseenOnSource = source.keys > accountedKeys(counts);
  // Keys that were there before hide missing ones, unless as many new ones have come as were copied.
  const fewerOnTarget = target.keys - targetKeysAtStart < counts.copied + counts.converted;
  return unseenOnSource || fewerOnTarget;
}

function ended(facts: TallyFacts, source: SideNow, target: SideNow): End {
  const { counts, phase, mode, verify } = facts;
  const looked = phase === 'look' || mode === 'compare';
  const counted = mode === 'copy' && verify === 'count';
  const lost = looked ? lostWhileLooking(target) : undefined;
  // Where keys went while they were looked at, nobody knows how many are missing.
  const missing = lost !== undefined ? null : looked ? counts.missing : counted ? 0 : null;
  const doubt = shortWalk(facts, source) ?? lost;
  // Not by the findings alone: of a key with another finding none is written.
  const differences = counts.failed + counts.findings + counts.missing + counts.different;
  const differs = differences > 0 || (mode === 'compare' && counts.extra > 0) || doubt !== undefined;
  return {
    kind: differs ? 'completedWithDifferences' : 'completed',
    missing,
    ...(doubt === undefined ? {} : { doubt }),
  };
}

/**
 * A walk must bring at least as many keys as the server counts, but for those written meanwhile: a server that gives fewer
 * by SCAN than it says it has was not copied whole.
 */
function shortWalk({ walked, unreaped }: TallyFacts, { keys, since }: SideNow): string | undefined {
  if (keys === undefined)
    return 'The source does not tell how many keys it has: whether all were seen is unknown. Allow INFO keyspace or DBSIZE on it.';
  const short = keys - walked - unreaped;
  if (short <= 0) return undefined;
  const written = since.written === 'yes' ? (since.changes ?? Number.POSITIVE_INFINITY) : 0;
  if (short <= written) return undefined;
  return `The source counts ${keys} keys and the walk over it brought ${walked}: keys may not have been seen.`;
}

function lostWhileLooking({ since: { evicted, reset } }: SideNow): string | undefined {
  if (reset) {
    return 'The counters of the target were set back (CONFIG RESETSTAT) while its keys were looked at: whether it was flushed meanwhile is unknown.';
  }
  if (evicted === 0 || evicted === 'unknown') return undefined;
  return `The target evicted ${evicted} keys while its keys were looked at: more may be missing than were found. Give it more memory or the policy noeviction, and run a sync.`;
}
