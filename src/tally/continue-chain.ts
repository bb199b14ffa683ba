import type { App } from '../app/app';
import { rangeMessage } from '../ledger/range-queue';
import { resetIfOlder, isSettled, rangeName, type MigrationRow, type RangeRow } from '../migration/rows';
import { nextInChain } from '../range/chain';
import { parallelRangesOf } from '../range/range-shape';
import { shapesOf } from '../migration/rows-of-plan';

/**
 * Sends the range that follows a settled one in its chain. Sent twice, it is worked on once.
 * @param owedUntil when what the settled one took of the rates is paid off, ms since 1970: the next one waits for it
 */
export async function continueChain(
  row: RangeRow,
  migration: MigrationRow,
  app: Pick<App, 'ledger' | 'queue'>,
  owedUntil?: number,
): Promise<void> {
  const parallel = parallelRangesOf(migration.plan);
  const { length } = shapesOf(migration.plan, row.phase);
  // A row that is lost or cannot be read must not hold up those behind it.
  for (
    let next = nextInChain(row.number, parallel);
    next !== undefined && next < length;
    next = nextInChain(next, parallel)
  ) {
    const name = rangeName(row.phase, next);
    const following = await app.ledger.ranges.get(migration.id, name);
    if (following === undefined || following.broken) continue;
    if (!isSettled(resetIfOlder(following, migration))) {
      await app.queue.send([rangeMessage(migration, name, owedUntil)]);
    }
    return;
  }
}
