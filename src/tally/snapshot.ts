import type { MigrationRow } from '../migration/rows';
import { accountedKeys } from '../migration/counts';
import { isUnread } from '../migration/file-facts';
import { addToHistory, type FollowedPoint, type HistoryPoint } from '../migration/history';
import { etaOf, etaOfReading, percentOf, recentRate, type Progress } from '../migration/progress';
import { phaseOf, writesTarget } from '../migration/phases';
import { readingOf, type Snapshot } from '../migration/report';
import { runningWarnings } from './running-warnings';
import { lostKeys } from './source-loss';
import { keysIn, type SideFacts } from '../app/side-facts';
import type { Sum } from './sum';
import type { Sweep } from './sweep-temporary-keys';
import type { End, Verdict } from '../migration/verdict';

/** Workers that are stopped, or die, write down no more. */
const AT_LEAST =
  'The numbers are those of the last checkpoints, a few seconds before the end: more may have been written to the target.';

/** Puts a visit's sum together, to be kept. */
export function makeSnapshot(input: {
  readonly migration: MigrationRow;
  readonly sum: Sum;
  readonly before: Snapshot;
  readonly source: SideFacts | undefined;
  readonly target: SideFacts | undefined;
  readonly decision: Verdict;
  readonly sweep: Sweep;
  readonly marks: NonNullable<Snapshot['marks']>;
  readonly standstill: Standstill;
  readonly lanes: NonNullable<Snapshot['lanes']>;
  readonly shards: Snapshot['shards'];
  readonly sourceShards: Snapshot['sourceShards'];
  readonly followed: Followed | undefined;
  /** ms since 1970 */
  readonly now: number;
}): Snapshot {
  const { migration, sum, before, source, target, decision, now } = input;
  const ended = isEnd(decision);
  const { failed, cancelled } = sum.ranges;
  const well = decision.kind === 'completed' || decision.kind === 'completedWithDifferences';
  const doubt = well && decision.doubt !== undefined ? [decision.doubt] : [];
  const clockSetBack = (before.clockSetBack ?? 0) + setBackBy(before, now);
  const mayHaveWritten = writesTarget(migration.plan) && !isUnread(migration.plan);
  const atLeast = ended && !well && mayHaveWritten && failed + cancelled > 0 ? [AT_LEAST] : [];
  return {
    ...workDone(migration, sum, before, now, ended ? (well ? 'well' : 'ill') : 'open'),
    moved: sum.moved,
    ...input.standstill,
    sourceKeysNow: source ? (keysIn(source, migration.plan, 'source') ?? null) : before.sourceKeysNow,
    targetKeysNow: target ? (keysIn(target, migration.plan, 'target') ?? null) : before.targetKeysNow,
    missing: 'missing' in decision ? decision.missing : null,
    warnings: [
      ...doubt,
      ...(ended && well ? [] : sum.troubles),
      ...runningWarnings(migration, source, target),
      ...rangesAnew(sum),
      ...valuesUnknown(sum),
      ...input.sweep.warnings,
      ...atLeast,
      ...doubtOfExpiries(sum, source),
      ...doubtOfOwn(sum),
      ...(clockSetBack === 0 ? [] : [wrongTimes(clockSetBack)]),
    ],
    clockSetBack,
    lostKeys: source === undefined ? (before.lostKeys ?? 0) : lostKeys(migration.plan, source, before),
    marks: {
      source: input.marks.source ?? before.marks?.source,
      target: input.marks.target ?? before.marks?.target,
    },
    lanes: input.lanes,
    ...(input.shards === undefined ? {} : { shards: input.shards }),
    ...(input.sourceShards === undefined ? {} : { sourceShards: input.sourceShards }),
    ...followedSince(input, ended),
    visit: migration.visit,
    ...(before.etag === undefined ? {} : { etag: before.etag }),
  };
}

/** How the source is followed at the moment. */
export interface Followed {
  readonly lagMs: number;
  readonly gaps: number;
  readonly readers: number;
}

function followedSince(
  {
    migration,
    before,
    now,
    followed,
  }: Pick<Parameters<typeof makeSnapshot>[0], 'migration' | 'before' | 'now' | 'followed'>,
  ended: boolean,
): Pick<Snapshot, 'followed'> {
  // Who has ended does not follow any more.
  if (followed === undefined || ended) return { followed: before.followed };
  const seconds = Math.round((now - Date.parse(migration.startedAt)) / 100) / 10;
  const point: FollowedPoint = [Math.max(0, seconds), followed.lagMs, followed.gaps, followed.readers];
  return { followed: addToHistory(before.followed ?? [], point) };
}

/** What the rows alone say, beside the last sum. */
export function workDone(
  migration: Pick<MigrationRow, 'startedAt' | 'plan' | 'phase' | 'pass'>,
  sum: Sum,
  before: Snapshot,
  now: number,
  end: 'open' | 'well' | 'ill' = 'open',
): Pick<Snapshot, 'at' | 'lastHeartbeat' | 'counts' | 'findingsKept' | 'progress' | 'history' | 'readHistory'> {
  const keys = accountedKeys(sum.counts);
  const sinceStart = (now - Date.parse(migration.startedAt)) / 1_000;
  const history = before.history ?? [[0, 0]];
  const point: HistoryPoint = [Math.round(sinceStart * 10) / 10, keys];
  const isOpen = end === 'open';
  const rate = isOpen ? recentRate(history, point, before.progress.keysPerSecond) : keys / Math.max(0.001, sinceStart);
  const { done, active, failed, planned, cancelled } = sum.ranges;
  const { reading, readHistory } = readingNow(migration, sum.share, before, point[0]);
  // Where keys are only looked at, those that were counted say nothing of how fast that goes.
  const counted = phaseOf(migration.plan, migration).counts === 'all';
  const ofKeys = counted ? etaOf(sum.share, keys, rate) : null;
  const eta = reading === undefined ? ofKeys : etaOfReading(reading);
  return {
    at: new Date(now).toISOString(),
    lastHeartbeat: sum.lastHeartbeat,
    counts: sum.counts,
    findingsKept: sum.findingsKept,
    progress: {
      phase: migration.phase,
      percent: percentOf(sum.share, end === 'well'),
      keysPerSecond: Math.round(rate),
      etaSeconds: isOpen ? eta : null,
      ranges: { total: done + active + failed + planned + cancelled, done, active, failed },
      ...(reading === undefined ? {} : { reading }),
    },
    history: addToHistory(history, point),
    readHistory,
  };
}

/** How much of the file is read, and how fast. */
function readingNow(
  migration: Pick<MigrationRow, 'plan' | 'phase' | 'pass'>,
  share: number,
  before: Snapshot,
  seconds: number,
): { readonly reading?: Progress['reading']; readonly readHistory?: Snapshot['readHistory'] } {
  const { reading } = readingOf(migration, share);
  if (reading === undefined) return {};
  const history = before.readHistory ?? [[0, 0]];
  const point: HistoryPoint = [seconds, reading.bytes];
  const rate = recentRate(history, point, before.progress.reading?.bytesPerSecond ?? 0);
  return { reading: { ...reading, bytesPerSecond: Math.round(rate) }, readHistory: addToHistory(history, point) };
}

/** A source that has none, and had none, has no expiries that could be wrong. */
function doubtOfExpiries({ clockDoubtMs }: Sum, source: SideFacts | undefined): string[] {
  const hasNone = source?.databases.every(({ expires }) => expires === 0) === true;
  if (clockDoubtMs === 0 || hasNone) return [];
  return [
    `Expiries may be off by up to ${clockDoubtMs} ms: the way to a server is slow, so that the difference of both servers' clocks is not known better. Run the app nearer to them where that matters.`,
  ];
}

function doubtOfOwn({ presumedOwn }: Sum): string[] {
  if (presumedOwn === 0) return [];
  return [
    `Of the keys that count as copied the target had ${presumedOwn} already, with the same values, where a range was walked once more, or a connection was lost: whether the migration wrote them before, or somebody else, is not known.`,
  ];
}

function rangesAnew({ begunAnew }: Sum): string[] {
  if (begunAnew === 0) return [];
  return [
    `Ranges began at their start again (${begunAnew} ${begunAnew === 1 ? 'time' : 'times'}): slots went to other nodes while they were walked, a node was another process, or a server did not know its own cursor any more. What they had brought before was brought again, and counts once.`,
  ];
}

function valuesUnknown({ counts: { uncompared } }: Sum): string[] {
  if (uncompared === 0) return [];
  return [
    `Of ${uncompared} ${uncompared === 1 ? 'key' : 'keys'} it is not known whether the value is the same on both sides (finding not-compared): types of modules are compared by what DUMP gives, which may differ for equal values.`,
  ];
}

/** The storage's clock is known to about a second. */
const LEAST_SET_BACK_S = 5;

function setBackBy({ at }: Snapshot, now: number): number {
  const seconds = (Date.parse(at) - now) / 1_000;
  return seconds > LEAST_SET_BACK_S ? Math.round(seconds) : 0;
}

function wrongTimes(seconds: number): string {
  return `The clock of the app's storage was set back by ${seconds} seconds in all during the migration: times from before that, as that of its start, lie as much too late.`;
}

export function isEnd(decision: Verdict): decision is End {
  return decision.kind !== 'wait' && decision.kind !== 'phase' && decision.kind !== 'stop';
}

/**
 * A gap between two visits longer than this is no standstill of the workers: the whole app was away, or a clock was set. Those who are
 * there again must have the time to show it, also where the limit is short. Seconds.
 */
const LONGEST_GAP_S = 10;

/** For how long nothing has come, while the tally watched. */
export type Standstill = Pick<Snapshot, 'quietSeconds' | 'stalledSeconds' | 'trouble'>;

/**
 * What the last sum and the rows say of a standstill.
 * @param now ms since 1970
 */
export function standstillOf(
  before: Pick<Snapshot, 'at' | 'lastHeartbeat' | 'moved' | keyof Standstill>,
  sum: Pick<Sum, 'lastHeartbeat' | 'moved' | 'trouble'>,
  now: number,
): Standstill {
  const passed = Math.min(LONGEST_GAP_S, Math.max(0, now - Date.parse(before.at)) / 1_000);
  const isStill = sum.moved === before.moved;
  return {
    quietSeconds: sum.lastHeartbeat === before.lastHeartbeat ? before.quietSeconds + passed : 0,
    stalledSeconds: isStill ? before.stalledSeconds + passed : 0,
    trouble: sum.trouble ?? (isStill ? before.trouble : null),
  };
}
