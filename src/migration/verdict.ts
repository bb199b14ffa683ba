import { accountedKeys, type Counts } from './counts';
import type { LiveFacts } from './live';
import { isPass, phaseAt, walksSource, type LookDepth, type NamedPhase, type Phase, type Until } from './phases';
import type { RangeState } from './rows';
import { hasOtherData, type Since } from './since';

/** One side as it is when the tally looks. */
export interface SideNow {
  /** Keys in the databases copied from or to; undefined where it does not tell, or does not answer at the moment. */
  readonly keys: number | undefined;
  /** Its numbers are those of several nodes together. */
  readonly isCluster?: boolean;
  /** That number may be too large, or too small: slots were on their way from one node to another while its keys were counted. */
  readonly slotsMoved?: boolean;
  /** What became of it since the walk began that the verdict rests on. */
  readonly since: Since;
}

/** What the tally knows when it looks at a migration. Times in seconds, numbers in keys. */
export interface TallyFacts {
  readonly phases: readonly Phase[];
  /** Places of the phases whose walks count; the last is the current one. */
  readonly walks: readonly number[];
  /** Source and target are one server. */
  readonly inPlace: boolean;
  /** Whether the target may have keys that no walk has met. */
  readonly mayHaveExtra: boolean;
  readonly cancelRequested: boolean;
  /** Why the migration must stop, where something is wrong with a side. */
  readonly stopCause: string | null;
  /** How many ranges of the phase are in each state. */
  readonly ranges: Readonly<Record<RangeState, number>>;
  /** Sums of the range rows, as far as their phases say that they count. */
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
  /** Databases of the source were exchanged, and no walk began anew for it. */
  readonly sourceExchanged: boolean;
  /** What else keeps it from being called completed. */
  readonly doubt?: string | undefined;
  /** For how long no range has given a sign, while the tally watched. */
  readonly quietSeconds: number;
  /** For how long nothing was done, while the tally watched. */
  readonly stalledSeconds: number;
  readonly stallAfter: number;
  /** Where the source is followed. */
  readonly live?: LiveFacts | undefined;
  /** What held the work up last since something was done. */
  readonly trouble: string | null;
  /** The first cause among failed ranges. */
  readonly cause: string | null;
}

/** A phase to be begun; begun anew where it is the current one or one before it. */
export interface DuePhase extends NamedPhase {
  /** How closely keys are looked at, where that shows only then. */
  readonly depth?: LookDepth;
}

/** What comes next: `wait` for ranges or servers, another phase, a stop of all work and then the end, or the end. */
export type Verdict =
  | { readonly kind: 'wait' }
  | { readonly kind: 'phase'; readonly due: DuePhase }
  | { readonly kind: 'stop'; readonly cause: string }
  | End;

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
    const still = `Nothing moved for ${Math.round(facts.stallAfter)} seconds with ${open} ranges open.`;
    const cause = stopCause ?? withTrouble(still, facts);
    // Nobody is left who could be told to stop.
    if (facts.quietSeconds > facts.stallAfter) return { kind: 'failed', cause };
    const isStalled = facts.stalledSeconds > facts.stallAfter && stopCause === null && !facts.cancelRequested;
    return isStalled ? { kind: 'stop', cause } : { kind: 'wait' };
  }
  // Whoever follows may still write.
  if ((stopCause !== null || facts.cancelRequested) && facts.live?.works === true) return { kind: 'wait' };
  if (stopCause !== null) return { kind: 'failed', cause: stopCause };
  if (facts.cancelRequested) return { kind: 'cancelled' };
  if (ranges.failed > 0) {
    return { kind: 'failed', cause: facts.cause ?? `${ranges.failed} ranges failed.` };
  }
  if (ranges.cancelled > 0) return { kind: 'cancelled' };
  const { source, target } = facts;
  if (source === undefined || target === undefined) {
    if (facts.stalledSeconds <= facts.stallAfter) return { kind: 'wait' };
    const cause = withTrouble('Both sides must answer before the verdict, and one does not.', facts);
    return { kind: 'failed', cause };
  }
  const due =
    facts.live === undefined ? duePlace(facts, source, target) : dueWhenFollowed(facts, facts.live, source, target);
  if (due === 'wait') {
    if (facts.stalledSeconds <= facts.stallAfter) return { kind: 'wait' };
    return { kind: 'failed', cause: withTrouble('Nobody follows the source any more, or nothing comes of it.', facts) };
  }
  if (due === undefined) {
    // Keys on their way are counted twice: once they are there it shows whether any were not seen.
    const isCountedBadly = source.slotsMoved === true && shortWalk(facts, source) !== undefined;
    if (isCountedBadly && facts.stalledSeconds <= facts.stallAfter) return { kind: 'wait' };
    return ended(facts, source, target);
  }
  if (facts.live === undefined && due.place <= placeOf(facts) && facts.anew >= MOST_ANEW) {
    return {
      kind: 'failed',
      cause: `The target restarted, failed over or was flushed again and again while its keys were looked at (${MOST_ANEW + 1} times).`,
    };
  }
  // Each visit begins it, unless something keeps it from that.
  if (facts.stalledSeconds > facts.stallAfter) {
    const { phase } = phaseAt(facts, due.place);
    return { kind: 'failed', cause: withTrouble(`The phase ${phase} was due and could not be begun.`, facts) };
  }
  return {
    kind: 'phase',
    due: { ...phaseAt(facts, due.place), ...(due.depth === undefined ? {} : { depth: due.depth }) },
  };
}

function withTrouble(sentence: string, { trouble }: TallyFacts): string {
  return trouble === null ? sentence : `${sentence} ${trouble}`;
}

interface DuePlace {
  readonly place: number;
  readonly depth?: LookDepth | undefined;
}

/**
 * The same where the source is followed. A pass proves something only in the session that it began in: another session means that
 * changes may have been missed, and another pass. And what a cut-over has proved holds only while the source stands still.
 */
function dueWhenFollowed(
  facts: TallyFacts,
  live: LiveFacts,
  source: SideNow,
  target: SideNow,
): DuePlace | 'wait' | undefined {
  const { phases } = facts;
  const at = placeOf(facts);
  if (live.session === '') return 'wait';
  const hasPassed = phases.slice(0, at + 1).some(isPass);
  const repair = phases.findIndex(({ when }) => when.kind === 'gap');
  if (hasPassed && live.session !== live.passSession && repair >= 0) return { place: repair };
  const { until } = phases[at] ?? {};
  if (until !== undefined && !isReached(until, live)) return 'wait';
  const cutover = phases.findIndex((phase) => phase.until === 'proved');
  if (at > cutover && !live.proved) return { place: cutover };
  return duePlace(facts, source, target);
}

function isReached(until: Until, live: LiveFacts): boolean {
  switch (until) {
    case 'listening':
      return live.session !== '';
    case 'settled':
      return live.settled;
    case 'asked':
      return live.cutoverRequested;
    case 'proved':
      return live.proved;
  }
}

/** The phase that must come before anything can be said; undefined where all is known that will be. */
function duePlace(facts: TallyFacts, source: SideNow, target: SideNow): DuePlace | undefined {
  const { phases } = facts;
  // What was looked at on a target that may have other data since is to be looked at again.
  const proof = proofOf(facts);
  if (proof !== undefined && isOther(facts, target)) return { place: proof, depth: depthAnew(phases[proof]) };
  for (const [at, phase] of phases.entries()) {
    if (at <= placeOf(facts)) continue;
    const begin = beginning(phase, facts, source, target);
    if (begin !== undefined) return { place: at, ...begin };
  }
  return undefined;
}

/** Whether a phase is to be begun now that those before it are done, and how closely it looks; undefined where it is left out. */
function beginning(
  { when, side }: Phase,
  facts: TallyFacts,
  source: SideNow,
  target: SideNow,
): { readonly depth?: LookDepth } | undefined {
  switch (when.kind) {
    case 'always':
      return {};
    case 'mayHaveExtra':
      return facts.mayHaveExtra ? {} : undefined;
    case 'gap': {
      // Of the source: begun where there was a gap. Behind it the target's keys, and behind a first copy where it had any.
      const hadKeys = facts.targetKeysAtStart !== 0;
      return side === 'target' && (hadKeys || isRepaired(facts)) ? {} : undefined;
    }
    case 'inDoubt': {
      // Counters that were set back ask for a look; another one would tell no more.
      if (isOther(facts, target) || (!facts.inPlace && target.since.reset)) return { depth: when.otherData };
      if (when.asked !== undefined) return { depth: when.asked };
      // What a target does not tell of itself is looked after, as far as that can be done.
      const untold = !facts.inPlace && target.since.process === 'unknown';
      const doubtful =
        target.since.evicted !== 0 ||
        untold ||
        (facts.live === undefined && hasFewer(facts, target)) ||
        (when.byNumbers && leavesDoubt(facts, source, target));
      return doubtful ? { depth: 'existence' } : undefined;
    }
  }
}

/** How closely a phase looks that must come again for a target with other data. */
function depthAnew(phase: Phase | undefined): LookDepth | undefined {
  return phase?.when.kind === 'inDoubt' ? phase.when.otherData : undefined;
}

/** Where the latest walk over the source stands, if a verdict can rest on it alone. */
function proofOf(facts: TallyFacts): number | undefined {
  const latest = latestOverSource(facts);
  return facts.phases[latest]?.proves === true ? latest : undefined;
}

/** Whether numbers left no doubt: a phase that they would have called for, after the latest walk over the source, was left out. */
function isProvedByNumbers(facts: TallyFacts): boolean {
  const later = facts.phases.slice(latestOverSource(facts) + 1);
  return later.some(({ when }) => when.kind === 'inDoubt' && when.byNumbers);
}

function latestOverSource({ phases, walks }: TallyFacts): number {
  return walks.findLast((place) => walksSource(phases[place])) ?? 0;
}

/** Whether the latest pass over the source was one after a gap. */
function isRepaired(facts: TallyFacts): boolean {
  return facts.phases[latestOverSource(facts)]?.when.kind === 'gap';
}

function placeOf({ walks }: TallyFacts): number {
  return walks.at(-1) ?? 0;
}

function isOther({ inPlace }: TallyFacts, { since }: SideNow): boolean {
  return !inPlace && hasOtherData(since);
}

/** Whether a target has fewer keys than were written to it or seen on it, and have not expired: some were lost, however. */
function hasFewer({ counts }: TallyFacts, { keys, since }: SideNow): boolean {
  return keys !== undefined && keys < counts.copied + counts.same + counts.uncompared - since.expired;
}

/**
 * Whether keys may be missing although as many are on the target as were copied. Numbers prove something only where nobody
 * else wrote, on either side: writers can keep the number of keys and change every one.
 */
function leavesDoubt(facts: TallyFacts, source: SideNow, target: SideNow): boolean {
  const { counts, targetKeysAtStart, targetIsOurs } = facts;
  if (source.since.written !== 'no' || !targetIsOurs) return true;
  if (source.slotsMoved === true || target.slotsMoved === true) return true;
  if (source.keys === undefined || target.keys === undefined || targetKeysAtStart === undefined) return true;
  const unseenOnSource = source.keys > accountedKeys(counts);
  // Keys that were there before hide missing ones, unless as many new ones have come as were copied.
  const fewerOnTarget = target.keys - targetKeysAtStart < counts.copied + counts.converted;
  return unseenOnSource || fewerOnTarget;
}

function ended(facts: TallyFacts, source: SideNow, target: SideNow): End {
  const { counts } = facts;
  const looked = proofOf(facts) !== undefined;
  const counted = isProvedByNumbers(facts);
  const lost = looked ? lostWhileLooking(target) : undefined;
  // Where keys went while they were looked at, nobody knows how many are missing.
  const missing = lost !== undefined ? null : looked ? counts.missing : counted ? 0 : null;
  const doubt = facts.doubt ?? (facts.sourceExchanged ? EXCHANGED : undefined) ?? shortWalk(facts, source) ?? lost;
  // Not by the findings alone: of a key with another finding none is written.
  const { failed, findings, missing: lacking, different, uncompared } = counts;
  const differences = failed + findings + lacking + different + uncompared + (facts.live?.findings ?? 0);
  const differs = differences > 0 || counts.extra > counts.deleted || doubt !== undefined;
  return {
    kind: differs ? 'completedWithDifferences' : 'completed',
    missing,
    ...(doubt === undefined ? {} : { doubt }),
  };
}

const EXCHANGED =
  'Databases of the source were exchanged (SWAPDB) while it was walked, too often or too late for the walk to begin anew: keys of both data sets may be on the target. Run it again, or a sync, when that has ended.';

/**
 * A walk must bring at least as many keys as the server counts, but for those written meanwhile: a server that gives fewer
 * by SCAN than it says it has was not copied whole.
 */
function shortWalk({ walked, unreaped }: TallyFacts, { keys, since, isCluster }: SideNow): string | undefined {
  if (keys === undefined)
    return 'The source does not tell how many keys it has: whether all were seen is unknown. Allow INFO keyspace or DBSIZE on it.';
  const short = keys - walked - unreaped;
  if (short <= 0) return undefined;
  const written = since.written === 'yes' ? (since.changes ?? Number.POSITIVE_INFINITY) : 0;
  if (short <= written) return undefined;
  return `The source counts ${keys} keys and the walk over it brought ${walked}: keys may not have been seen.${isCluster === true ? LEFT_BEHIND : ''}`;
}

const LEFT_BEHIND =
  ' Keys that a slot, moved without them, left on a node that does not have it any more are counted too, though no client is given them.';

function lostWhileLooking({ since: { evicted, reset } }: SideNow): string | undefined {
  if (reset) {
    return 'The counters of the target were set back (CONFIG RESETSTAT) while its keys were looked at: whether it was flushed meanwhile is unknown.';
  }
  if (evicted === 0 || evicted === 'unknown') return undefined;
  return `The target evicted ${evicted} keys while its keys were looked at: more may be missing than were found. Give it more memory or the policy noeviction, and run a sync.`;
}
