import type { App } from '../app/app';
import { mayHaveExtra } from './room-for-extra';
import { isFinal, type MigrationRow, type MigrationState } from '../migration/rows';
import { isReplica } from '../redis/probe';
import { accountedKeys } from '../migration/counts';
import { see, seeReset, sinceOfSource, sinceOfTarget, type Course } from '../migration/course';
import { phaseOf, walksOf, type NamedPhase } from '../migration/phases';
import { restartRanges } from './restart-ranges';
import { lastSnapshot } from './last-snapshot';
import type { Plan } from '../migration/plan';
import { nextVisit } from '../migration/progress';
import { sourceKeysAtStart, type Snapshot } from '../migration/report';
import { factsOf, keysIn, type SideFacts } from '../app/side-facts';
import { markOf, onlyRestored, since, UNTOLD, type Mark } from '../migration/since';
import { isEnd, makeSnapshot, quietTime } from './snapshot';
import { whyStop } from './source-loss';
import { rowsOfPlan } from '../migration/rows-of-plan';
import { resumeStart } from '../start/start-migration';
import { stopMigration } from './stop-migration';
import { sumHeld, sumRanges, type Sum } from './sum';
import { sweepTemporaryKeys } from './sweep-temporary-keys';
import { claimAlso } from '../start/target-claims';
import { verdict, type DuePhase, type Verdict } from '../migration/verdict';

interface Marks {
  readonly source: Mark | undefined;
  readonly target: Mark | undefined;
}

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

/**
 * Adds up the ledger, compares it with both servers, writes the sum down and, where all is settled, the verdict. Reads
 * nothing but the ledger and the servers, so any tally can take over from any other. Undefined for an unknown migration.
 */
export async function visitMigration(id: string, app: App): Promise<Visit | undefined> {
  const written = await app.ledger.migrations.get(id);
  if (written === undefined) return undefined;
  // Of a phase whose rows are not all written yet, none can be missed.
  const known = await resumeStart(written, app);
  const before = await lastSnapshot(known, app);
  if (isFinal(known)) return makeVisit(known, before, 0, null);

  const rows = await app.ledger.ranges.list(id);
  const held = rowsOfPlan(known, rows);
  const first = sumHeld(known, held);
  const quietBefore = quietTime(before, first.lastHeartbeat, Date.now());
  // Before the target's keys are counted: temporary ones would hide as many that are missing.
  const sweep = await sweepTemporaryKeys({ migration: known, rows: held, quietSeconds: quietBefore }, app);
  // After the rows: what the sides tell must not be older than what was done.
  const [source, target] = await Promise.all([factsOf(known, 'source', app), factsOf(known, 'target', app)]);
  const marks = { source: source && markOf(source), target: target && markOf(target) };
  const watched = await watchSides(known, before, marks, app);
  const migration = source === undefined ? watched : await watchSource(watched, before, source, app);
  if (isFinal(migration)) return makeVisit(migration, before, 0, null);
  const hasMoved = migration.phase !== known.phase || migration.epoch !== known.epoch;
  const sum = hasMoved ? sumRanges(migration, rows) : first;
  const now = Date.now();
  const quietSeconds = quietTime(before, sum.lastHeartbeat, now);
  const judged = judge(migration, sum, source, target, quietSeconds, app);
  const decision: Verdict = sweep.done ? judged : { kind: 'wait' };
  const snapshot = makeSnapshot({ migration, sum, before, source, target, decision, quietSeconds, now, sweep, marks });
  await app.ledger.snapshots.put(id, snapshot);
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
  const { phase, pass, epoch } = migration;
  const due = decision.kind === 'phase' && !isFinal(after) ? { ...decision.due, from: { phase, pass, epoch } } : null;
  return makeVisit(after, snapshot, nextVisit(elapsed, snapshot.progress.etaSeconds), due);
}

/** Notes in the migration's row what has become of both sides, and stops it where a side is not to be believed any more. */
async function watchSides(
  known: MigrationRow,
  before: Snapshot,
  { source, target }: Marks,
  app: Pick<App, 'ledger' | 'telemetry' | 'watch'>,
): Promise<MigrationRow> {
  const { id, plan } = known;
  const seen = (course: Course): Course => {
    let now = course;
    if (source !== undefined) {
      now = see(now, 'source', source);
      if (since(before.marks?.source ?? markOf(plan.source), source).reset) now = seeReset(now, 'source');
    }
    if (target !== undefined && !plan.inPlace) {
      now = see(now, 'target', target);
      if (since(before.marks?.target ?? markOf(plan.target), target).reset) now = seeReset(now, 'target');
    }
    return now;
  };
  const note = async (change: (course: Course) => Course): Promise<MigrationRow> => {
    const updated = await app.ledger.migrations.update(id, (row) => {
      const course = change(row.course);
      return isFinal(row) || course === row.course ? undefined : { ...row, course };
    });
    return updated ?? known;
  };
  let migration = known;
  if (seen(known.course) !== known.course) {
    app.telemetry.log('warn', 'A side restarted, failed over or was reset', { 'keyferry.migration': id });
    migration = await note(seen);
  }
  if (target !== undefined && !plan.inPlace && target.runId !== migration.course.claimed) {
    const other = await claimAlso(known, target.runId, app);
    if (other !== undefined) return (await stopMigration(id, alsoWritten(other), app)) ?? migration;
    // Written after the claim: a crash in between only repeats it.
    migration = await note((course) => ({ ...course, claimed: target.runId }));
  }
  return migration;
}

/** Stops a migration whose source is not to be believed any more; begins its walk anew where the source has another data set. */
async function watchSource(
  migration: MigrationRow,
  before: Snapshot,
  source: SideFacts,
  app: App,
): Promise<MigrationRow> {
  const { id, plan, course } = migration;
  const stop = whyStop(migration, source, before);
  if (stop !== undefined) return (await stopMigration(id, stop, app)) ?? migration;
  // Another process its workers see by themselves; in the same one, only its replication id tells.
  const isExchanged =
    phaseOf(plan, migration).side === 'source' &&
    source.runId === migration.walkedRunId &&
    sinceOfSource(course, markOf(source)).process === 'changed';
  if (!isExchanged || migration.cancelRequested) return migration;
  await restartRanges(migration, source, before, app);
  return (await app.ledger.migrations.get(id)) ?? migration;
}

function alsoWritten(other: string): string {
  return `The target failed over to a server that the migration ${other} writes to: nothing more is written to it.`;
}

function judge(
  migration: MigrationRow,
  sum: Sum,
  source: SideFacts | undefined,
  target: SideFacts | undefined,
  quietSeconds: number,
  app: Pick<App, 'settings'>,
): Verdict {
  const { plan, course } = migration;
  return verdict({
    phases: plan.phases,
    walks: walksOf(migration).map(({ place }) => place),
    inPlace: plan.inPlace,
    mayHaveExtra: mayHaveUnmet(plan, sum, source, target),
    cancelRequested: migration.cancelRequested,
    stopCause: migration.stopCause,
    ranges: sum.ranges,
    counts: sum.counts,
    walked: sum.walked,
    source: source && { keys: keysIn(source, plan, 'source'), since: sinceOfSource(course, markOf(source)) },
    target: target && { keys: keysIn(target, plan, 'target'), since: sinceOfTarget(course, markOf(target)) },
    unreaped: source !== undefined && isReplica(source) ? expiring(source) : 0,
    targetIsOurs: target !== undefined && onlyRestored(course.target, markOf(target), sum.counts.copied),
    targetKeysAtStart: plan.targetKeysAtStart,
    anew: course.anew,
    quietSeconds,
    stallAfter: app.settings.stallSeconds,
    cause: sum.cause,
  });
}

function expiring({ databases }: SideFacts): number {
  return databases.reduce((sum, { expires }) => sum + (expires ?? 0), 0);
}

/** Whether the target may have keys that no walk has met. */
function mayHaveUnmet(
  plan: Plan,
  { counts }: Sum,
  source: SideFacts | undefined,
  target: SideFacts | undefined,
): boolean {
  const stands = (before: SideFacts, now: SideFacts | undefined) =>
    (now === undefined ? UNTOLD : since(markOf(before), markOf(now))).written === 'no';
  // A number of keys that is the same says nothing where keys were written.
  if (!stands(plan.source, source) || !stands(plan.target, target)) return true;
  return mayHaveExtra(plan, counts, {
    sourceAtStart: sourceKeysAtStart(plan),
    sourceNow: source && keysIn(source, plan, 'source'),
    targetAtStart: plan.targetKeysAtStart,
    targetNow: target && keysIn(target, plan, 'target'),
  });
}

async function applyVerdict(
  migration: MigrationRow,
  decision: Verdict,
  app: Pick<App, 'ledger' | 'watch'>,
): Promise<MigrationRow> {
  if (!isEnd(decision)) return migration;
  const after = await app.ledger.migrations.update(migration.id, (row) =>
    // What has come since the sum was taken makes the verdict void: a new epoch or phase, or a reason to stop.
    isFinal(row) ||
    row.epoch !== migration.epoch ||
    row.phase !== migration.phase ||
    row.stopCause !== migration.stopCause
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
