import type { App } from '../app/app';
import { rangeMessage } from '../ledger/range-queue';
import { inEpoch, isFinal, isSettled, type MigrationRow } from '../ledger/rows';
import { firstOfChains } from './chain';
import { parallelRangesOf } from './range-shape';

/**
 * The source is another server process now, so all cursors have lost their meaning: begins a new epoch, in which every
 * range of the phase starts anew. Of several workers that see it, one wins the plan row; rows reset themselves when
 * they are taken. What was copied stays and is copied again.
 */
export async function restartRanges(seen: MigrationRow, runId: string, app: App): Promise<void> {
  let won = false as boolean;
  const migration = await app.ledger.updateMigration(seen.id, (row) => {
    won = row.epoch === seen.epoch && row.sourceRunId !== runId && !isFinal(row);
    return won ? { ...row, epoch: row.epoch + 1, sourceRunId: runId } : undefined;
  });
  app.watch.forget(seen.id);
  if (!won || migration === undefined) return;
  app.telemetry.log('warn', 'The source restarted or failed over: ranges begin anew', {
    'keyferry.migration': seen.id,
    'keyferry.epoch': migration.epoch,
  });
  const rows = await app.ledger.listRanges(migration.id, migration.phase);
  const open = rows.filter((row) => !isSettled(inEpoch(row, migration.epoch)));
  const first = firstOfChains(open, parallelRangesOf(migration.plan));
  await app.queue.send(first.map((row) => rangeMessage(migration, row.name)));
}
