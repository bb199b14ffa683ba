import type { App } from '../app/app';
import { mayHaveExtra } from '../compare/room-for-extra';
import { inEpoch, isFinal, type MigrationRow, type MigrationState, type Phase } from '../ledger/rows';
import type { RedisConnection } from '../redis/connection';
import { readServerFacts, type ServerFacts } from '../redis/probe';
import { accountedKeys } from './counts';
import { addToHistory, type HistoryPoint } from './history';
import { etaOf, nextVisit, percentOf, recentRate } from './progress';
import { firstSnapshot, sourceKeysAtStart, type Snapshot } from './report';
import { rangesOf, sendOpenRanges } from './start-migration';
import { sumRanges, type Sum } from './sum';
import { sweepTemporaryKeys, type Sweep } from './sweep-temporary-keys';
import { verdict, type Verdict } from './verdict';

/** What one visit of the tally found, small enough for a custom status. */
export interface Visit {
  readonly finished: boolean;
  /** The second look is due. */
  readonly lookDue: boolean;
  /** The walk over the target is due. */
  readonly extraDue: boolean;
  /** Seconds until the next visit. */
  readonly wait: number;
  readonly status: {
    readonly state: MigrationState;
    readonly percent: number;
    readonly keysPerSecond: number;
    readonly etaSeconds: number | null;
    readonly accountedKeys: number;
    readonly sourceKeys: number;
    readonly failed: number;
    readonly missing: number | null;
    readonly ranges: Snapshot['progress']['ranges'];
  };
}

/**
 * Adds up the ledger, compares it with both servers, writes the sum down and, where all is settled, the verdict. Reads
 * nothing but the ledger and the servers, so any tally can take over from any other. Undefined for an unknown migration.
 */
export async function visitMigration(id: string, app: App): Promise<Visit | undefined> {
  const migration = await app.ledger.getMigration(id);
  if (migration === undefined) return undefined;
  const before = await lastSnapshot(migration, app);
  if (isFinal(migration)) return makeVisit(migration, before, 0, 'wait');

  // A new epoch during the second look begins the look anew, not the copy.
  const rows = (await app.ledger.listRanges(id)).map((row) =>
    row.phase === migration.phase ? inEpoch(row, migration.epoch) : row,
  );
  const sum = sumRanges(migration, rows);
  // Before the target's keys are counted: temporary ones would hide as many that are missing.
  const quietBefore = quietTime(before, sum.lastHeartbeat, Date.now());
  const sweep = await sweepTemporaryKeys({ migration, rows, quietSeconds: quietBefore }, app);
  const [source, target] = await Promise.all([factsNow(migration, 'source', app), factsNow(migration, 'target', app)]);
  const now = Date.now();
  const quietSeconds = quietTime(before, sum.lastHeartbeat, now);
  const sourceKeysNow = source && keysIn(source, databasesOf(migration, 'source'));
  const targetKeysNow = target && keysIn(target, databasesOf(migration, 'target'));
  const judged = verdict({
    phase: migration.phase,
    mode: migration.plan.request.mode,
    // A dry run has written nothing that could be counted or looked at.
    verify: migration.plan.request.mode === 'dry-run' ? 'none' : migration.plan.request.verify,
    looksForExtra: looksForExtra(migration, sum, sourceKeysNow, targetKeysNow),
    cancelRequested: migration.cancelRequested,
    ranges: sum.ranges,
    counts: sum.counts,
    sourceKeysNow,
    targetKeysNow,
    evictedFromTarget: target ? target.evictedKeys - migration.plan.target.evictedKeys : 0,
    targetKeysAtStart: migration.plan.targetKeysAtStart,
    quietSeconds,
    stallAfter: app.settings.stallSeconds,
    cause: sum.cause,
  });
  const decision: Verdict = sweep.done ? judged : { kind: 'wait' };
  const snapshot = makeSnapshot({ migration, sum, before, source, target, decision, quietSeconds, now, sweep });
  await app.ledger.putSnapshot(id, snapshot);
  const after = await applyVerdict(migration, decision, app);
  app.telemetry.progress({
    migration: id,
    state: after.state,
    phase: migration.phase,
    ...snapshot.progress,
    findings: snapshot.counts.findings,
    quietSeconds,
    ended: isFinal(after),
  });
  const elapsed = (now - Date.parse(migration.startedAt)) / 1_000;
  return makeVisit(after, snapshot, nextVisit(elapsed, snapshot.progress.etaSeconds), decision.kind);
}

function looksForExtra(
  { plan }: MigrationRow,
  { counts }: Sum,
  sourceNow: number | undefined,
  targetNow: number | undefined,
): boolean {
  if (plan.targetDatabases === undefined) return false;
  if (plan.request.mode !== 'compare') return true;
  const atStart = { sourceAtStart: sourceKeysAtStart(plan), targetAtStart: plan.targetKeysAtStart };
  return mayHaveExtra(plan, counts, { ...atStart, sourceNow, targetNow });
}

/** Begins the second look. Safe to be done twice. */
export async function startLook(id: string, app: App): Promise<void> {
  await startPhase(id, 'look', {}, app);
}

/** Begins the walk over the target, whose cursors belong to the process that it is now. Safe to be done twice. */
export async function startExtra(id: string, app: App): Promise<void> {
  const migration = await app.ledger.getMigration(id);
  if (migration === undefined) return;
  const target = app.connections.get(migration.plan.request.target, 0);
  await target.ready();
  await startPhase(id, 'extra', { sourceRunId: target.runId ?? '' }, app);
}

const ORDER: readonly Phase[] = ['copy', 'look', 'extra'];

/** Writes the phase down, then its range rows, then its messages. */
async function startPhase(
  id: string,
  phase: Phase,
  changes: Partial<Pick<MigrationRow, 'sourceRunId'>>,
  app: App,
): Promise<void> {
  const migration = await app.ledger.updateMigration(id, (row) =>
    isFinal(row) || ORDER.indexOf(row.phase) >= ORDER.indexOf(phase)
      ? undefined
      : { ...row, ...changes, phase, state: 'verifying' },
  );
  if (migration?.phase !== phase || isFinal(migration)) return;
  app.watch.forget(id);
  await app.ledger.createRanges(rangesOf(migration.plan, id, phase, migration.epoch));
  await sendOpenRanges(migration, app);
}

/** The snapshot that is kept, or an empty one. */
export async function lastSnapshot(migration: MigrationRow, app: App): Promise<Snapshot> {
  return (await app.ledger.getSnapshot(migration.id)) ?? firstSnapshot(migration);
}

async function factsNow({ plan }: MigrationRow, side: 'source' | 'target', app: App): Promise<ServerFacts | undefined> {
  try {
    const connection: RedisConnection = app.connections.get(plan.request[side], 0);
    await connection.ready();
    return await readServerFacts(connection);
  } catch {
    // The workers say what is wrong with a server; the tally only has no numbers for now.
    return undefined;
  }
}

function databasesOf({ plan }: MigrationRow, side: 'source' | 'target'): Set<number> {
  return new Set(plan.databases.map((d) => (side === 'source' ? d.database : d.targetDatabase)));
}

function keysIn(facts: ServerFacts, databases: ReadonlySet<number>): number {
  return facts.databases.filter((line) => databases.has(line.database)).reduce((sum, line) => sum + line.keys, 0);
}

function makeSnapshot(input: {
  migration: MigrationRow;
  sum: Sum;
  before: Snapshot;
  source: ServerFacts | undefined;
  target: ServerFacts | undefined;
  decision: Verdict;
  quietSeconds: number;
  now: number;
  sweep: Sweep;
}): Snapshot {
  const { migration, sum, before, source, target, decision, quietSeconds, now } = input;
  const ended = isEnd(decision);
  const keys = accountedKeys(sum.counts);
  const sinceStart = (now - Date.parse(migration.startedAt)) / 1_000;
  const history = before.history ?? [[0, 0]];
  const point: HistoryPoint = [Math.round(sinceStart * 10) / 10, keys];
  const rate = ended ? keys / Math.max(0.001, sinceStart) : recentRate(history, point, before.progress.keysPerSecond);
  const { done, active, failed, planned, cancelled } = sum.ranges;
  const well = decision.kind === 'completed' || decision.kind === 'completedWithDifferences';
  return {
    at: new Date(now).toISOString(),
    lastHeartbeat: sum.lastHeartbeat,
    quietSeconds,
    counts: sum.counts,
    progress: {
      percent: percentOf(sum.share, well),
      keysPerSecond: Math.round(rate),
      etaSeconds: ended ? null : etaOf(sum.share, keys, rate),
      ranges: { total: done + active + failed + planned + cancelled, done, active, failed },
    },
    sourceKeysNow: source ? keysIn(source, databasesOf(migration, 'source')) : before.sourceKeysNow,
    targetKeysNow: target ? keysIn(target, databasesOf(migration, 'target')) : before.targetKeysNow,
    missing: 'missing' in decision ? decision.missing : null,
    warnings: [
      ...(ended && well ? [] : sum.troubles),
      ...runningWarnings(migration, source, target),
      ...input.sweep.warnings,
    ],
    history: addToHistory(history, point),
  };
}

type End = Extract<Verdict, { readonly kind: 'completed' | 'completedWithDifferences' | 'failed' | 'cancelled' }>;

function isEnd(decision: Verdict): decision is End {
  return decision.kind !== 'wait' && decision.kind !== 'look' && decision.kind !== 'extra';
}

/** A gap between two visits longer than this is no silence of the workers: the whole app was away. Seconds. */
const LONGEST_GAP_S = 30;

/** For how long the tally has watched and seen no new heartbeat of any range. Seconds. */
export function quietTime(
  before: Pick<Snapshot, 'at' | 'lastHeartbeat' | 'quietSeconds'>,
  lastHeartbeat: string | null,
  now: number,
): number {
  if (lastHeartbeat !== before.lastHeartbeat) return 0;
  return before.quietSeconds + Math.min(LONGEST_GAP_S, Math.max(0, now - Date.parse(before.at)) / 1_000);
}

function runningWarnings(
  { plan, epoch }: MigrationRow,
  source: ServerFacts | undefined,
  target: ServerFacts | undefined,
): string[] {
  const warnings: string[] = [];
  if (epoch > 0) {
    warnings.push(
      `The source restarted or failed over ${epoch} times during the copy: its ranges began anew each time.`,
    );
  }
  const evicted = target ? target.evictedKeys - plan.target.evictedKeys : 0;
  if (evicted > 0) warnings.push(`The target evicted ${evicted} keys during the copy.`);
  const evictedFromSource = source ? source.evictedKeys - plan.source.evictedKeys : 0;
  if (evictedFromSource > 0) warnings.push(`The source evicted ${evictedFromSource} keys during the copy.`);
  const atStart = sourceKeysAtStart(plan);
  const now = source ? keysIn(source, new Set(plan.databases.map((d) => d.database))) : atStart;
  if (atStart > 1_000 && now < atStart / 2) {
    warnings.push(
      `The source has lost more than half of its keys since the start (${atStart}, now ${now}): was it flushed?`,
    );
  }
  if (target && target.maxMemory > 0 && target.usedMemory >= target.maxMemory) {
    const short = Math.max(0, plan.source.usedMemory - target.maxMemory);
    warnings.push(
      `The target is full: ${target.usedMemory} of ${target.maxMemory} bytes are used${short > 0 ? `, about ${short} bytes more are needed` : ''}.`,
    );
  }
  return warnings;
}

async function applyVerdict(migration: MigrationRow, decision: Verdict, app: App): Promise<MigrationRow> {
  if (!isEnd(decision)) return migration;
  const after = await app.ledger.updateMigration(migration.id, (row) =>
    // A new epoch or phase since the sum was taken makes the verdict void.
    isFinal(row) || row.epoch !== migration.epoch || row.phase !== migration.phase
      ? undefined
      : {
          ...row,
          state: decision.kind,
          finishedAt: new Date().toISOString(),
          cause: decision.kind === 'failed' ? decision.cause : null,
        },
  );
  app.watch.forget(migration.id);
  return after ?? migration;
}

function makeVisit(migration: MigrationRow, snapshot: Snapshot, wait: number, due: Verdict['kind']): Visit {
  const { percent, keysPerSecond, etaSeconds, ranges } = snapshot.progress;
  return {
    finished: isFinal(migration),
    lookDue: due === 'look' && !isFinal(migration),
    extraDue: due === 'extra' && !isFinal(migration),
    wait,
    status: {
      state: migration.state,
      percent,
      keysPerSecond,
      etaSeconds,
      accountedKeys: accountedKeys(snapshot.counts),
      sourceKeys: snapshot.sourceKeysNow ?? sourceKeysAtStart(migration.plan),
      failed: snapshot.counts.failed,
      missing: snapshot.missing,
      ranges,
    },
  };
}
