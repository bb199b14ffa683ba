import type { App } from '../app/app';
import { isFinal, phases, type MigrationRow, type Phase } from '../migration/rows';
import { phaseBegins, see, sinceOfTarget, walkBegins, type Course, type LookDepth } from '../migration/course';
import { factsOf } from '../app/side-facts';
import { hasOtherData, markOf, type Mark } from '../migration/since';
import { ensureRows } from '../start/start-migration';
import type { DueStart } from './tally-visit';

/**
 * Begins a phase: writes it down, then its range rows, then its messages. Safe to be done twice, and to be gone on with after
 * a crash between any two of these. Does nothing while a side does not answer.
 */
export async function startPhase(id: string, due: DueStart, app: App): Promise<void> {
  const known = await app.ledger.getMigration(id);
  if (known === undefined || isFinal(known)) return;
  const [source, target] = await Promise.all([factsOf(known, 'source', app), factsOf(known, 'target', app)]);
  // The next visit finds the phase due again.
  if (source === undefined || target === undefined) return;
  const sides = { source: markOf(source), target: markOf(target) };
  const anew = !isAfter(due.phase, due.from.phase);
  const epoch = anew ? due.from.epoch + 1 : due.from.epoch;
  const migration = await app.ledger.updateMigration(id, (row) =>
    isFinal(row) || row.cancelRequested || row.phase !== due.from.phase || row.epoch !== due.from.epoch
      ? undefined
      : {
          ...row,
          phase: due.phase,
          epoch,
          state: due.phase === 'copy' ? 'running' : 'verifying',
          sourceRunId: due.phase === 'extra' ? target.runId : source.runId,
          // Of what comes anew no row is there as it must be.
          phasesWithRows: row.phasesWithRows.filter((phase) => isAfter(due.phase, phase)),
          course: phaseBegins(courseOf(row, due, anew, sides), due.phase, epoch),
        },
  );
  if (migration === undefined || isFinal(migration) || migration.cancelRequested) return;
  if (migration.phase !== due.phase || migration.epoch !== epoch) return;
  app.watch.forget(id);
  await ensureRows(migration, app);
}

/** A look and a comparison are what the verdict rests on from then on; a walk over the target belongs to the walk before it. */
function courseOf(
  row: MigrationRow,
  due: DueStart,
  anew: boolean,
  { source, target }: { readonly source: Mark; readonly target: Mark },
): Course {
  const seen = see(see(row.course, 'source', source), 'target', target);
  const now: Course = { ...seen, anew: seen.anew + (anew ? 1 : 0) };
  if (due.phase === 'extra') return now;
  return walkBegins(now, source, target, due.phase === 'look' ? depthOf(due, row, target) : null);
}

/** What has happened to the target since the look was found to be due may ask for more than that. */
function depthOf({ depth = 'values' }: DueStart, { course, plan }: MigrationRow, target: Mark): LookDepth {
  return hasOtherData(sinceOfTarget(course, target)) && plan.request.onConflict !== 'skip' ? 'values' : depth;
}

function isAfter(phase: Phase, other: Phase): boolean {
  return phases.indexOf(phase) > phases.indexOf(other);
}
