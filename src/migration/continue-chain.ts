import type { App } from '../app/app';
import { rangeMessage } from '../ledger/range-queue';
import { inEpoch, isSettled, rangeName, type MigrationRow, type RangeRow } from '../ledger/rows';
import { nextInChain } from './chain';
import { parallelRangesOf } from './range-shape';

/**
 * Sends the range that follows a settled one in its chain. Sent twice, it is worked on once.
 * @param owedUntil when what the settled one took of the rates is paid off, ms since 1970: the next one waits for it
 */
export async function continueChain(
  row: RangeRow,
  migration: MigrationRow,
  app: App,
  owedUntil?: number,
): Promise<void> {
  const next = nextInChain(row.number, parallelRangesOf(migration.plan));
  if (next === undefined) return;
  const name = rangeName(row.phase, next);
  const following = await app.ledger.getRange(migration.id, name);
  if (following !== undefined && !isSettled(inEpoch(following, migration.epoch))) {
    await app.queue.send([rangeMessage(migration, name, owedUntil)]);
  }
}
