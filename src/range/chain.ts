import type { App } from '../app/app';
import { debt, rangeMessage } from '../ledger/range-queue';
import type { Snapshot } from '../migration/report';
import { isSettled, rangeName, resetIfOlder, type MigrationRow, type RangeRow } from '../migration/rows';
import { shapesOf } from '../migration/rows-of-plan';
import { chainsOf, parallelRangesOf } from './range-shape';

/**
 * The ranges of a phase are in P chains: of each the first is sent at first, and whoever settles range i sends range i + P of the
 * same phase. So no more than P ranges are at work or in the queue at any time, over all instances, without anybody counting.
 */
export function nextInChain(number: number, chains: number): number {
  return number + chains;
}

/** The first unsettled range of each chain: what must be in the queue or at work. */
export function headsOfChains(
  ranges: readonly RangeRow[],
  chains: number,
  settled: (row: RangeRow) => boolean,
): RangeRow[] {
  const heads = new Map<number, RangeRow>();
  for (const row of ranges) {
    if (settled(row)) continue;
    const chain = row.number % chains;
    const head = heads.get(chain);
    if (head === undefined || row.number < head.number) heads.set(chain, row);
  }
  return [...heads.values()];
}

/** How many chains of the migration's phase have anything left, by all its rows as they count in the epoch. */
export function lanesOf(
  { plan, phase, epoch }: MigrationRow,
  rows: readonly RangeRow[],
): NonNullable<Snapshot['lanes']> {
  return { phase, epoch, left: headsOfChains(rows, chainsOf(plan), isSettled).length };
}

/**
 * How many chains share the migration's rates: those that had anything left when the ranges were added up last. There are never
 * more of them later in the same walk, so that all together never take more than the rates.
 */
export async function lanesLeft(migration: MigrationRow, app: Pick<App, 'ledger'>): Promise<number> {
  const { id, plan, phase, epoch } = migration;
  const all = parallelRangesOf(plan);
  const { keysPerSecond, bytesPerSecond } = plan.request.limits;
  if (keysPerSecond === 0 && bytesPerSecond === 0) return all;
  const lanes = (await app.ledger.snapshots.get(id))?.lanes;
  return lanes?.phase === phase && lanes.epoch === epoch ? Math.max(1, Math.min(all, lanes.left)) : all;
}

/**
 * Sends the range that follows a settled one in its chain. Sent twice, it is worked on once.
 * @param owedMs how long it takes until what the settled one took of the rates is paid off: the next one waits for it
 */
export async function continueChain(
  row: RangeRow,
  migration: MigrationRow,
  app: Pick<App, 'ledger' | 'queue'>,
  owedMs = 0,
): Promise<void> {
  const chains = chainsOf(migration.plan);
  const { length } = shapesOf(migration.plan, row.phase);
  // A row that is lost or cannot be read must not hold up those behind it.
  for (let next = nextInChain(row.number, chains); next < length; next = nextInChain(next, chains)) {
    const name = rangeName(row.phase, next);
    const following = await app.ledger.ranges.get(migration.id, name);
    if (following === undefined || following.broken) continue;
    // Who works on it already would lose it.
    if (resetIfOlder(following, migration).state === 'planned') {
      await app.queue.send([rangeMessage(migration, name, debt(owedMs, app.ledger.now()))]);
    }
    return;
  }
}
