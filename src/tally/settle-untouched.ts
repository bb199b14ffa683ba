import type { App } from '../app/app';
import { LostRowError } from '../ledger/range-rows';
import { resetIfOlder, isSettled, type MigrationRow, type RangeRow } from '../migration/rows';

/** A worker writes its row every few seconds; one that has not for so long is gone. */
export const SILENT_MS = 60_000;

/**
 * Whether nobody works on a range: it is planned, or its worker has been silent for long. A sign that is to come as much
 * later is none: a clock was wrong.
 */
export function isUntouched(row: RangeRow, now: number): boolean {
  if (isSettled(row)) return false;
  return row.state === 'planned' || row.heartbeat === null || Math.abs(now - Date.parse(row.heartbeat)) > SILENT_MS;
}

/** Settles the ranges of a cancelled migration that nobody works on. A worker that takes one meanwhile settles it itself. */
export async function settleUntouched(migration: MigrationRow, app: Pick<App, 'ledger'>): Promise<void> {
  const rows = await app.ledger.ranges.list(migration.id);
  for (const known of rows) {
    const row = known.phase === migration.phase ? resetIfOlder(known, migration) : known;
    if (!isUntouched(row, Date.now())) continue;
    try {
      await app.ledger.ranges.replace({ ...row, state: 'cancelled', generation: row.generation + 1 });
    } catch (error) {
      if (!(error instanceof LostRowError)) throw error;
    }
  }
}
