import type { App } from '../app/app';
import { isFinal, phases, type MigrationRow, type Phase } from '../migration/rows';
import { see, sinceOfTarget, walkBegins, type Course, type LookDepth } from '../migration/course';
import { forgetLooks } from './forget-looks';
import { factsOrThrow } from '../app/side-facts';
import { markOf, type Mark } from '../migration/since';
import { ensureRows } from '../start/start-migration';
import type { DueStart } from './tally-visit';

/**
 * Begins a phase: writes it down, then its range rows, then its messages. Safe to be done twice, and to be gone on with after
 * a crash between any two of these. @throws what a side throws that does not answer
 */
export async function startPhase(id: string, due: DueStart, app: App): Promise<void> {
  const known = await app.ledger.getMigration(id);
  if (known === undefined || isFinal(known)) return;
  const [source, target] = await Promise.all([
    factsOrThrow(known.plan, 'source', app),
    factsOrThrow(known.plan, 'target', app),
  ]);
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
          course: courseOf(row, due, anew, sides),
        },
  );
  if (migration === undefined || isFinal(migration) || migration.cancelRequested) return;
  if (migration.phase !== due.phase || migration.epoch !== epoch) return;
  app.watch.forget(id);
  if (anew) await forgetLooks(migration, app);
  await ensureRows(migration, app);
}

/** A look and a comparison are what the verdict rests on from then on; a walk over the target belongs to the walk before it. */
function courseOf(
  { course }: MigrationRow,
  due: DueStart,
  anew: boolean,
  { source, target }: { readonly source: Mark; readonly target: Mark },
): Course {
  const seen = see(see(course, 'source', source), 'target', target);
  const now: Course = { ...seen, anew: course.anew + (anew ? 1 : 0) };
  if (due.phase === 'extra') return now;
  return walkBegins(now, source, target, due.phase === 'look' ? depthOf(due, course, target) : null);
}

/** What has happened to the target since the look was found to be due may ask for more than that. */
function depthOf({ depth }: DueStart, course: Course, target: Mark): LookDepth {
  const { process, flushed } = sinceOfTarget(course, target);
  return process === 'changed' || flushed === 'yes' ? 'values' : (depth ?? 'values');
}

function isAfter(phase: Phase, other: Phase): boolean {
  return phases.indexOf(phase) > phases.indexOf(other);
}
