import type { App } from '../app/app';
import { rangeMessage } from '../ledger/range-queue';
import { inEpoch, isFinal, isSettled, type MigrationRow } from '../migration/rows';
import { firstOfChains } from '../range/chain';
import { see } from '../migration/course';
import { forgetLooks } from './forget-looks';
import { parallelRangesOf } from '../range/range-shape';
import type { SideFacts } from '../app/side-facts';
import { markOf } from '../migration/since';
import { whyStop } from './source-loss';
import { stopMigration } from './stop-migration';

/**
 * The server that is walked is another process now, so all cursors have lost their meaning: begins a new epoch, in which every
 * range of the phase starts anew. Of several workers that see it, one wins the plan row; rows reset themselves when
 * they are taken. What was copied stays and is copied again, unless the source has lost data: then nothing more is written.
 * @param now what the walked side tells, not while it reads its data from disk
 * @returns `same` where it is the process that the cursors belong to, so that nothing is begun anew; `stopped` where the migration is
 */
export async function restartRanges(
  seen: MigrationRow,
  now: SideFacts,
  app: App,
): Promise<'begun' | 'same' | 'stopped'> {
  if (now.runId === seen.sourceRunId) return 'same';
  const side = seen.phase === 'extra' ? 'target' : 'source';
  const stop = side === 'source' ? whyStop(seen.plan, now) : undefined;
  if (stop !== undefined) {
    await stopMigration(seen.id, stop, app);
    return 'stopped';
  }
  let won = false as boolean;
  const migration = await app.ledger.updateMigration(seen.id, (row) => {
    won = row.epoch === seen.epoch && row.sourceRunId !== now.runId && !isFinal(row);
    if (!won) return undefined;
    const mark = markOf(now);
    const course = see(row.course, side, mark);
    return {
      ...row,
      epoch: row.epoch + 1,
      sourceRunId: now.runId,
      course: side === 'source' ? { ...course, source: mark } : course,
    };
  });
  app.watch.forget(seen.id);
  if (!won || migration === undefined) return 'begun';
  app.telemetry.log('warn', `The ${side} restarted or failed over: ranges begin anew`, {
    'keyferry.migration': seen.id,
    'keyferry.epoch': migration.epoch,
  });
  await forgetLooks(migration, app);
  const rows = await app.ledger.listRanges(migration.id, migration.phase);
  const open = rows.filter((row) => !isSettled(inEpoch(row, migration.epoch)));
  const first = firstOfChains(open, parallelRangesOf(migration.plan));
  await app.queue.send(first.map((row) => rangeMessage(migration, row.name)));
  return 'begun';
}
