import { randomUUID } from 'node:crypto';
import type { App } from '../app/app';
import { askSide, type Asked } from '../app/side-facts';
import { OvertakenError } from '../app/visits';
import { accountedKeys } from '../migration/counts';
import { lagOf, liveFactsOf, type LiveRow, type Proof } from '../migration/live';
import { isFollowed, type NamedPhase } from '../migration/phases';
import { nextVisit } from '../migration/progress';
import { sourceKeysAtStart, type Snapshot } from '../migration/report';
import { isFinal, isSettled, isSign, isWayBackDue, type MigrationRow, type MigrationState } from '../migration/rows';
import { rowsOfPlan } from '../migration/rows-of-plan';
import { fileOf } from '../migration/side-spec';
import { sumShards, type ShardsTold, type ShardTold } from '../migration/shards';
import { markOf, type Mark } from '../migration/since';
import type { DuePhase, Verdict } from '../migration/verdict';
import type { ProvedSides } from '../migration/way-back';
import { startWayBack } from '../start/start-way-back';
import { resumeStart, writeRows } from '../start/start-migration';
import { lanesOf } from '../range/chain';
import { judge } from './judge';
import { lastSnapshot } from './last-snapshot';
import { stopMigration } from './settle-ranges';
import { type Followed, isEnd, makeSnapshot, standstillOf } from './snapshot';
import { sumHeld, withFollower } from './sum';
import { sweepTemporaryKeys } from './sweep-temporary-keys';
import { watchSides, watchSource } from './watch-sides';

/** What one visit of the tally found, small enough for a custom status. */
export interface Visit {
  readonly finished: boolean;
  /** The phase to be begun; null where none is due. */
  readonly due: DueStart | null;
  /** Seconds until the next visit. */
  readonly wait: number;
  readonly status: {
    readonly state: MigrationState;
    readonly percent: number;
    readonly keysPerSecond: number;
    readonly etaSeconds: number | null;
    readonly accountedKeys: number;
    readonly sourceKeys: number | null;
    readonly failed: number;
    readonly missing: number | null;
    readonly ranges: Snapshot['progress']['ranges'];
  };
}

/** A phase to be begun, and where the migration stood when that was found: begun twice, it begins once. */
export interface DueStart extends DuePhase {
  readonly from: NamedPhase & { readonly epoch: number };
}

/** What a visit needs of the app. */
export type VisitApp = Pick<
  App,
  'connections' | 'files' | 'ledger' | 'queue' | 'settings' | 'telemetry' | 'visits' | 'watch'
>;

/** When to look again where another visit is under way, seconds. */
const UNDER_WAY_S = 1;

/** How often a visit that takes long says that it goes on, ms. */
const SIGN_MS = 3_000;

/**
 * Adds up the ledger, compares it with both servers, writes the sum down and, where all is settled, the verdict. Reads
 * nothing but the ledger and the servers, so anybody can make a visit, at any time. Of two at the same time one does nothing or
 * one is void: a visit writes its beginning into the migration's row, its sum only over the one that it began with, and its verdict
 * only into the row as it knows it. Undefined for an unknown migration.
 */
export async function visitMigration(id: string, app: VisitApp): Promise<Visit | undefined> {
  const written = await app.ledger.migrations.get(id);
  if (written === undefined) return undefined;
  const before = await lastSnapshot(written, app);
  if (isFinal(written)) return makeVisit(written, before, 0, null);
  const isUnderWay = app.visits.isUnderWay(written, before);
  const begun = isUnderWay ? undefined : await app.ledger.migrations.beginVisit(written, randomUUID());
  if (begun === undefined) return makeVisit(written, before, UNDER_WAY_S, null);
  try {
    return await visitOnce(begun, before, app);
  } catch (error) {
    if (!(error instanceof OvertakenError)) throw error;
    return makeVisit(written, before, UNDER_WAY_S, null);
  } finally {
    app.visits.end(begun);
  }
}

/** @param whole read all range rows as they are now, and not only what was written since they were read last */
async function visitOnce(begun: MigrationRow, before: Snapshot, app: VisitApp, whole = false): Promise<Visit> {
  const { id, visit } = begun;
  const mine = (row: MigrationRow): MigrationRow => {
    if (row.visit !== visit) throw new OvertakenError();
    return row;
  };
  // Of a phase whose rows are not all written yet, none can be missed.
  let known = mine(await resumeStart(begun, app, writeRows));
  if (isFinal(known)) return makeVisit(known, before, 0, null);
  let signed = performance.now();
  const goesOn = async () => {
    if (performance.now() - signed < SIGN_MS) return;
    signed = performance.now();
    const still = await app.ledger.migrations.beginVisit(known, visit);
    if (still === undefined) throw new OvertakenError();
    known = still;
  };

  // The sum is as old as the rows are.
  const now = app.ledger.now();
  const silenceMs = app.settings.silenceSeconds * 1_000;
  const { rows, isWhole } = await app.ledger.seenRanges.list(id, { whole });
  const follower = isFollowed(known.plan) ? await app.ledger.live.get(id) : undefined;
  const held = rowsOfPlan(known, rows);
  const ofWalk = held.filter(({ phase }) => phase === known.phase);
  // What follows is for good.
  if (!isWhole && ofWalk.length > 0 && ofWalk.every(isSettled)) return await visitOnce(known, before, app, true);
  const first = withFollower(sumHeld(known, held), follower);
  const { quietSeconds } = standstillOf(before, first, now);
  // Before the target's keys are counted: temporary ones would hide as many that are missing.
  const sweep = await sweepTemporaryKeys({ migration: known, rows: held, follower, quietSeconds, goesOn }, app);
  // After the rows: what the sides tell must not be older than what was done.
  const asked = await Promise.all([askSide(known, 'source', app), askSide(known, 'target', app)]);
  const [source, target] = asked.map(({ facts }) => facts);
  const ofSource = asked[0].shards;
  const marks = { source: source && markOf(source), target: target && markOf(target) };
  const watched = await watchSides(known, before, marks, app);
  const migration = mine(source === undefined ? watched : await watchSource(watched, before, source, ofSource, app));
  if (isFinal(migration)) return makeVisit(migration, before, 0, null);
  const hasMoved = migration.phase !== known.phase || migration.epoch !== known.epoch;
  const current = hasMoved ? rowsOfPlan(migration, rows) : held;
  const sum = hasMoved ? withFollower(sumHeld(migration, current), follower) : first;
  const unanswered = asked.find(({ trouble }) => trouble !== null)?.trouble ?? null;
  const standstill = standstillOf(before, { ...sum, trouble: sum.trouble ?? unanswered }, now);
  const works = follower !== undefined && follower.session !== '' && isSign(follower.heartbeat, now, silenceMs);
  const live = isFollowed(migration.plan) ? liveFactsOf(migration, follower, marks.source, works) : undefined;
  const judged = judge(migration, sum, source, target, standstill, live, app);
  const decision: Verdict = sweep.done ? judged : { kind: 'wait' };
  if (!isWhole && decision.kind !== 'wait') return await visitOnce(migration, before, app, true);
  const ofPhase = current.filter(({ phase }) => phase === migration.phase);
  const lanes = lanesOf(migration, ofPhase);
  const shards = sumShards(migration, shardsTold(asked, before), ofPhase);
  const followed = follower && (await followedNow(follower, works, now, silenceMs, app));
  const sourceShards = source === undefined ? before.sourceShards : ofSource;
  const told = { source, target, marks, sweep, shards, sourceShards, followed };
  const snapshot = makeSnapshot({ migration, sum, before, decision, standstill, now, lanes, ...told });
  if (!(await app.ledger.snapshots.put(id, snapshot))) throw new OvertakenError();
  const after = await applyVerdict(migration, decision, provedSides(follower?.proof, marks.target, snapshot), app);
  app.telemetry.progress({
    migration: id,
    state: after.state,
    ...snapshot.progress,
    phase: migration.phase,
    findings: snapshot.counts.findings,
    stalledSeconds: standstill.stalledSeconds,
    live: followed && {
      waiting: follower.waiting,
      gaps: followed.gaps,
      // Who has ended lags behind nothing.
      lagMs: isFinal(after) ? 0 : followed.lagMs,
    },
    shards,
    ended: isFinal(after) && after.visit === visit,
  });
  const elapsed = (now - Date.parse(migration.startedAt)) / 1_000;
  const { phase, pass, epoch } = migration;
  const due = decision.kind === 'phase' && !isFinal(after) ? { ...decision.due, from: { phase, pass, epoch } } : null;
  return makeVisit(after, snapshot, nextVisit(elapsed, snapshot.progress.etaSeconds), due);
}

async function followedNow(
  follower: LiveRow,
  works: boolean,
  now: number,
  silenceMs: number,
  { ledger }: Pick<App, 'ledger'>,
): Promise<Followed> {
  const standby = await ledger.live.getStandby(follower.migration);
  const stands = standby !== undefined && standby.holder !== '' && isSign(standby.heartbeat, now, silenceMs);
  return { lagMs: lagOf(follower, works, now), gaps: follower.gaps, readers: Number(works) + Number(stands) };
}

/** What the sides told of their masters, or did last: which there are is not forgotten while none answers. */
function shardsTold([source, target]: readonly [Asked, Asked], { shards }: Pick<Snapshot, 'shards'>): ShardsTold {
  const told = ({ shards: now, trouble }: Asked, before: readonly ShardTold[] | undefined) =>
    now ?? before?.map((shard) => ({ ...shard, keys: undefined, trouble: shard.trouble ?? trouble }));
  return { source: told(source, shards?.source), target: told(target, shards?.target) };
}

/** What a way back begins from: both sides as the verdict found them. */
function provedSides(
  proof: Proof | null | undefined,
  target: Mark | undefined,
  { targetKeysNow }: Pick<Snapshot, 'targetKeysNow'>,
): ProvedSides | null {
  return proof && target ? { source: proof.source, target, targetKeys: targetKeysNow } : null;
}

async function applyVerdict(
  migration: MigrationRow,
  decision: Verdict,
  proved: ProvedSides | null,
  app: Pick<App, 'connections' | 'files' | 'ledger' | 'queue' | 'settings' | 'telemetry' | 'watch'>,
): Promise<MigrationRow> {
  if (decision.kind === 'stop') return (await stopMigration(migration, decision.cause, app)) ?? migration;
  if (!isEnd(decision)) return migration;
  const after = await app.ledger.migrations.update(migration.id, (row) =>
    // Whatever has come since the visit began makes the verdict void: another visit, a new epoch or phase, a reason to stop.
    row.etag !== migration.etag
      ? undefined
      : {
          ...row,
          state: decision.kind,
          finishedAt: app.ledger.time(),
          cause: decision.kind === 'failed' ? decision.cause : null,
          ...(row.wayBack === undefined ? {} : { wayBack: { ...row.wayBack, proved } }),
        },
  );
  app.watch.forget(migration.id);
  if (after !== undefined && isWayBackDue(after)) {
    // Where the storage is away, whoever looks after open migrations tries it again.
    await startWayBack(after.id, app).catch((error: unknown) => {
      const trouble = error instanceof Error ? error.message : String(error);
      app.telemetry.log('warn', 'The way back is not started yet', {
        'keyferry.migration': after.id,
        'keyferry.trouble': trouble,
      });
    });
  }
  if (after !== undefined && (decision.kind === 'failed' || decision.kind === 'cancelled'))
    await discardBlocks(after, app);
  return after ?? migration;
}

/** What an unfinished file has left, as far as it can be removed. */
async function discardBlocks({ id, plan }: MigrationRow, app: Pick<App, 'files' | 'telemetry'>): Promise<void> {
  const file = fileOf(plan.request.target);
  if (file === undefined) return;
  try {
    await app.files.get(file.rdb).discard(file.file, id);
  } catch (error) {
    const trouble = error instanceof Error ? error.message : String(error);
    app.telemetry.log('warn', 'Blocks of a file are left', { 'keyferry.migration': id, 'keyferry.trouble': trouble });
  }
}

function makeVisit(migration: MigrationRow, snapshot: Snapshot, wait: number, due: DueStart | null): Visit {
  const { percent, keysPerSecond, etaSeconds, ranges } = snapshot.progress;
  return {
    finished: isFinal(migration),
    due,
    wait,
    status: {
      state: migration.state,
      percent,
      keysPerSecond,
      etaSeconds,
      accountedKeys: accountedKeys(snapshot.counts),
      sourceKeys: snapshot.sourceKeysNow ?? sourceKeysAtStart(migration.plan) ?? null,
      failed: snapshot.counts.failed,
      missing: snapshot.missing,
      ranges,
    },
  };
}
