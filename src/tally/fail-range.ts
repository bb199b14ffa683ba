import type { App } from '../app/app';
import { LostRowError } from '../ledger/range-rows';
import type { RangeMessage } from '../ledger/range-queue';
import { resetIfOlder, isFinal, isSettled } from '../migration/rows';
import { continueChain } from './continue-chain';
import { readableMigration } from '../app/readable-migration';
import { settleBroken } from './settle-broken';

/** So many workers may take a range and die without a word before it is given up. */
const MOST_DEATHS = 30;

/**
 * Settles the range of a poisoned message with the cause that its worker wrote last, so that the tally never waits for
 * it. Where no worker wrote a cause, they did not fail but died (restarts, deployments): the range is sent again.
 */
export async function failRange(
  message: RangeMessage,
  app: Pick<App, 'ledger' | 'queue' | 'telemetry'>,
): Promise<void> {
  const migration = await readableMigration(message.migration, app);
  if (migration === undefined || isFinal(migration)) return;
  const known = await app.ledger.ranges.get(message.migration, message.range);
  if (known?.phase !== migration.phase) return;
  if (known.broken) {
    await settleBroken(known, migration, app);
    return;
  }
  const row = resetIfOlder(known, migration);
  if (isSettled(row)) return;
  if (row.trouble === null && row.generation < MOST_DEATHS) {
    await app.queue.send([message]);
    return;
  }
  try {
    await app.ledger.ranges.replace({
      ...row,
      state: 'failed',
      generation: row.generation + 1,
      cause: row.trouble ?? `Its worker died ${row.generation} times.`,
    });
    app.telemetry.log('error', 'Range failed', { 'keyferry.migration': migration.id, 'keyferry.range': row.name });
    await continueChain(row, migration, app);
  } catch (error) {
    // A worker wrote in the same moment, so the range is alive.
    if (!(error instanceof LostRowError)) throw error;
  }
}
