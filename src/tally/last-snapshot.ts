import type { App } from '../app/app';
import { isFinal, type MigrationRow } from '../migration/rows';
import { percentOf } from '../migration/progress';
import { firstSnapshot, type Snapshot } from '../migration/report';
import { sumRanges } from './sum';

/**
 * The tally's last sum, or an empty one before the first. Of a migration that has ended there was one: where it is lost or
 * cannot be read, the range rows are added up again, and what only the tally knew is told as unknown.
 */
export async function lastSnapshot(migration: MigrationRow, app: Pick<App, 'ledger'>): Promise<Snapshot> {
  const kept = await app.ledger.snapshots.get(migration.id);
  if (kept !== undefined) return kept;
  const empty = firstSnapshot(migration);
  if (!isFinal(migration)) return empty;
  const { counts, ranges, share, lastHeartbeat } = sumRanges(migration, await app.ledger.ranges.list(migration.id));
  const { planned, active, done, failed, cancelled } = ranges;
  const well = migration.state === 'completed' || migration.state === 'completedWithDifferences';
  return {
    ...empty,
    lastHeartbeat,
    counts,
    progress: {
      ...empty.progress,
      percent: percentOf(share, well),
      ranges: { total: planned + active + done + failed + cancelled, done, active, failed },
    },
    warnings: [
      "The tally's last sum is lost or cannot be read: its numbers were added up again, without its warnings.",
    ],
  };
}
