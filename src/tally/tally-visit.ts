import type { App } from '../app/app';
import { askSide } from '../app/side-facts';
import { accountedKeys } from '../migration/counts';
import type { NamedPhase } from '../migration/phases';
import { nextVisit } from '../migration/progress';
import { sourceKeysAtStart, type Snapshot } from '../migration/report';
import { isFinal, type MigrationRow, type MigrationState } from '../migration/rows';
import { rowsOfPlan } from '../migration/rows-of-plan';
import { markOf } from '../migration/since';
import type { DuePhase, Verdict } from '../migration/verdict';
import { resumeStart } from '../start/start-migration';
import { judge } from './judge';
import { lastSnapshot } from './last-snapshot';
import { stopMigration } from './settle-ranges';
import { isEnd, makeSnapshot, standstillOf } from './snapshot';
import { sumHeld, sumRanges } from './sum';
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

/**
 * Adds up the ledger, compares it with both servers, writes the sum down and, where all is settled, the verdict. Reads
 * nothing but the ledger and the servers, so any tally can take over from any other. Undefined for an unknown migration.
 */
export async function visitMigration(
  id: string,
  app: Pick<App, 'connections' | 'ledger' | 'queue' | 'settings' | 'telemetry' | 'watch'>,
): Promise<Visit | undefined> {
  const written = await app.ledger.migrations.get(id);
  if (written === undefined) return undefined;
  // Of a phase whose rows are not all written yet, none can be missed.
  const known = await resumeStart(written, app);
  const before = await lastSnapshot(known, app);
  if (isFinal(known)) return makeVisit(known, before, 0, null);

  const rows = await app.ledger.ranges.list(id);
  const held = rowsOfPlan(known, rows);
  const first = sumHeld(known, held);
  const { quietSeconds } = standstillOf(before, first, Date.now());
  // Before the target's keys are counted: temporary ones would hide as many that are missing.
  const sweep = await sweepTemporaryKeys({ migration: known, rows: held, quietSeconds }, app);
  // After the rows: what the sides tell must not be older than what was done.
  const asked = await Promise.all([askSide(known, 'source', app), askSide(known, 'target', app)]);
  const [source, target] = asked.map(({ facts }) => facts);
  const marks = { source: source && markOf(source), target: target && markOf(target) };
  const watched = await watchSides(known, before, marks, app);
  const migration = source === undefined ? watched : await watchSource(watched, before, source, app);
  if (isFinal(migration)) return makeVisit(migration, before, 0, null);
  const hasMoved = migration.phase !== known.phase || migration.epoch !== known.epoch;
  const sum = hasMoved ? sumRanges(migration, rows) : first;
  const now = Date.now();
  const unanswered = asked.find(({ trouble }) => trouble !== null)?.trouble ?? null;
  const standstill = standstillOf(before, { ...sum, trouble: sum.trouble ?? unanswered }, now);
  const judged = judge(migration, sum, source, target, standstill, app);
  const decision: Verdict = sweep.done ? judged : { kind: 'wait' };
  const snapshot = makeSnapshot({ migration, sum, before, source, target, decision, standstill, now, sweep, marks });
  await app.ledger.snapshots.put(id, snapshot);
  const after = await applyVerdict(migration, decision, app);
  app.telemetry.progress({
    migration: id,
    state: after.state,
    phase: migration.phase,
    ...snapshot.progress,
    findings: snapshot.counts.findings,
    stalledSeconds: standstill.stalledSeconds,
    ended: isFinal(after),
  });
  const elapsed = (now - Date.parse(migration.startedAt)) / 1_000;
  const { phase, pass, epoch } = migration;
  const due = decision.kind === 'phase' && !isFinal(after) ? { ...decision.due, from: { phase, pass, epoch } } : null;
  return makeVisit(after, snapshot, nextVisit(elapsed, snapshot.progress.etaSeconds), due);
}

async function applyVerdict(
  migration: MigrationRow,
  decision: Verdict,
  app: Pick<App, 'ledger' | 'settings' | 'telemetry' | 'watch'>,
): Promise<MigrationRow> {
  if (decision.kind === 'stop') return (await stopMigration(migration.id, decision.cause, app)) ?? migration;
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
