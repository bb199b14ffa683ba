import type { App } from '../app/app';
import { mayHaveExtra } from './room-for-extra';
import { isFinal, type MigrationRow, type MigrationState, type Phase } from '../migration/rows';
import { isReplica } from '../redis/probe';
import { accountedKeys } from '../migration/counts';
import { see, sinceOfTarget, type Course } from '../migration/course';
import { lastSnapshot } from './last-snapshot';
import { nextVisit } from '../migration/progress';
import { sourceKeysAtStart, type Snapshot } from '../migration/report';
import { factsOf, keysIn, type SideFacts } from '../app/side-facts';
import { markOf, onlyRestored, since, UNTOLD } from '../migration/since';
import { isEnd, makeSnapshot, quietTime } from './snapshot';
import { whyStop } from './source-loss';
import { rowsOfPlan } from '../migration/rows-of-plan';
import { resumeStart } from '../start/start-migration';
import { stopMigration } from './stop-migration';
import { sumRanges, type Sum } from './sum';
import { sweepTemporaryKeys } from './sweep-temporary-keys';
import { claimAlso } from '../start/target-claims';
import { verdict, type DuePhase, type Verdict } from '../migration/verdict';

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
  readonly from: { readonly phase: Phase; readonly epoch: number };
}

/**
 * Adds up the ledger, compares it with both servers, writes the sum down and, where all is settled, the verdict. Reads
 * nothing but the ledger and the servers, so any tally can take over from any other. Undefined for an unknown migration.
 */
export async function visitMigration(id: string, app: App): Promise<Visit | undefined> {
  const written = await app.ledger.getMigration(id);
  if (written === undefined) return undefined;
  // Of a phase whose rows are not all written yet, none can be missed.
  const known = await resumeStart(written, app);
  const before = await lastSnapshot(known, app);
  if (isFinal(known)) return makeVisit(known, before, 0, null);

  const rows = await app.ledger.listRanges(id);
  const held = rowsOfPlan(known, rows);
  const quietBefore = quietTime(before, sumRanges(known, rows).lastHeartbeat, Date.now());
  // Before the target's keys are counted: temporary ones would hide as many that are missing.
  const sweep = await sweepTemporaryKeys({ migration: known, rows: held, quietSeconds: quietBefore }, app);
  // After the rows: what the sides tell must not be older than what was done.
  const [source, target] = await Promise.all([factsOf(known, 'source', app), factsOf(known, 'target', app)]);
  const migration = await watchSides(known, source, target, app);
  if (isFinal(migration)) return makeVisit(migration, before, 0, null);
  const sum = sumRanges(migration, rows);
  const now = Date.now();
  const quietSeconds = quietTime(before, sum.lastHeartbeat, now);
  const judged = judge(migration, sum, source, target, quietSeconds, app);
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
  const { phase, epoch } = migration;
  const due = decision.kind === 'phase' && !isFinal(after) ? { ...decision.due, from: { phase, epoch } } : null;
  return makeVisit(after, snapshot, nextVisit(elapsed, snapshot.progress.etaSeconds), due);
}

/** Notes in the migration's row what has become of both sides: another process of the target, or a source that is not to be believed any more. */
async function watchSides(
  known: MigrationRow,
  source: SideFacts | undefined,
  target: SideFacts | undefined,
  app: Pick<App, 'ledger' | 'telemetry' | 'watch'>,
): Promise<MigrationRow> {
  let migration = known;
  const seen = (course: Course): Course => {
    const withTarget = target === undefined || known.plan.inPlace ? course : see(course, 'target', markOf(target));
    return source === undefined ? withTarget : see(withTarget, 'source', markOf(source));
  };
  if (seen(known.course) !== known.course) {
    app.telemetry.log('warn', 'A side restarted or failed over', { 'keyferry.migration': known.id });
    const updated = await app.ledger.updateMigration(known.id, (row) => {
      const course = seen(row.course);
      return isFinal(row) || course === row.course ? undefined : { ...row, course };
    });
    migration = updated ?? known;
    const other = target && (await claimAlso(known, target.runId, app));
    if (other !== undefined) return (await stopMigration(known.id, alsoWritten(other), app)) ?? migration;
  }
  const stop = source === undefined ? undefined : whyStop(migration.plan, source);
  return stop === undefined ? migration : ((await stopMigration(migration.id, stop, app)) ?? migration);
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
  const { request } = plan;
  return verdict({
    phase: migration.phase,
    mode: request.mode,
    verify: request.verify,
    inPlace: plan.inPlace,
    looksForExtra: looksForExtra(migration, sum, source, target),
    cancelRequested: migration.cancelRequested,
    stopCause: migration.stopCause,
    ranges: sum.ranges,
    counts: sum.counts,
    walked: sum.walked,
    source: source && { keys: keysIn(source, plan, 'source'), since: since(course.source, markOf(source)) },
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

function looksForExtra(
  { plan }: MigrationRow,
  { counts }: Sum,
  source: SideFacts | undefined,
  target: SideFacts | undefined,
): boolean {
  if (plan.targetDatabases === undefined) return false;
  if (plan.request.mode !== 'compare') return true;
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
  const after = await app.ledger.updateMigration(migration.id, (row) =>
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
