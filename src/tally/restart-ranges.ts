import type { App } from '../app/app';
import { isFinal, isSameWalk, type MigrationRow } from '../migration/rows';
import { mustWalkAnew, see, unsteady } from '../migration/course';
import { phaseOf, walksOf } from '../migration/phases';
import { sendOpenRanges } from '../start/start-migration';
import type { SideFacts } from '../app/side-facts';
import { markOf, since } from '../migration/since';
import { whyStop, type SeenBefore } from './source-loss';
import { stopMigration } from './settle-ranges';

/**
 * The server that is walked is another process now, or has another data set, so all cursors have lost their meaning: begins a
 * new epoch, in which every range of the phase starts anew. Of several that see it, one wins the plan row; rows reset themselves
 * when they are taken. What was copied stays and is copied again, unless the source has lost data: then nothing more is written.
 * A side that goes from one process to another and back is no restart, and stops the migration after a few times.
 * @param met the run id that was met
 * @param now what the walked side tells, not while it reads its data from disk
 * @param before what the tally saw of the source when it looked last
 * @returns `same` where it is the process that the cursors belong to, so that nothing is begun anew; `stopped` where the migration is
 */
export async function restartRanges(
  seen: MigrationRow,
  met: string,
  now: SideFacts,
  before: SeenBefore,
  app: Pick<App, 'ledger' | 'queue' | 'settings' | 'telemetry' | 'watch'>,
): Promise<'begun' | 'same' | 'stopped'> {
  const mark = markOf(now);
  const { side } = phaseOf(seen.plan, seen);
  const isAnother = ({ walkedRunId, course }: MigrationRow) =>
    walkedRunId !== now.runId ||
    (side === 'source' && (since(course.source, mark).process === 'changed' || mustWalkAnew(course, mark)));
  if (!isAnother(seen)) return await noteMet(seen, met, app);
  const stop =
    unsteady(see(seen.course, side, mark), side, seen.plan) ??
    (side === 'source' ? whyStop(seen, now, before) : undefined);
  if (stop !== undefined) {
    await stopMigration(seen, stop, app);
    return 'stopped';
  }
  let won = false as boolean;
  const migration = await app.ledger.migrations.update(seen.id, (row) => {
    won = row.epoch === seen.epoch && row.phase === seen.phase && isAnother(row) && !isFinal(row);
    if (!won) return undefined;
    const epoch = row.epoch + 1;
    const exchanges = row.course.exchanges + (mustWalkAnew(row.course, mark) ? 1 : 0);
    const course = { ...see(row.course, side, mark), walks: walksOf({ ...row, epoch }) };
    return {
      ...row,
      epoch,
      walkedRunId: now.runId,
      course: side === 'source' ? { ...course, source: mark, exchanges } : course,
    };
  });
  app.watch.forget(seen.id);
  if (!won || migration === undefined) return 'begun';
  app.telemetry.log('warn', `The ${side} is another process or has another data set: ranges begin anew`, {
    'keyferry.migration': seen.id,
    'keyferry.epoch': migration.epoch,
  });
  await sendOpenRanges(migration, app);
  return 'begun';
}

/** Notes that the endpoint of the walked side has led to another process, beside the one that is walked. */
async function noteMet(
  seen: MigrationRow,
  met: string,
  app: Pick<App, 'ledger' | 'settings' | 'telemetry' | 'watch'>,
): Promise<'same' | 'stopped'> {
  const { id, plan } = seen;
  const { side } = phaseOf(plan, seen);
  const migration = await app.ledger.migrations.update(id, (row) => {
    const course = see(row.course, side, { runId: met });
    return isFinal(row) || !isSameWalk(row, seen) || course === row.course ? undefined : { ...row, course };
  });
  const stop = migration && unsteady(migration.course, side, plan);
  if (stop === undefined) return 'same';
  await stopMigration(seen, stop, app);
  return 'stopped';
}
