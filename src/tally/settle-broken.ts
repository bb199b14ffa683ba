import type { App } from '../app/app';
import { LostRowError } from '../ledger/range-rows';
import type { MigrationRow, RangeRow } from '../migration/rows';
import { continueChain } from './continue-chain';
import { shapesOf } from '../migration/rows-of-plan';

/**
 * Settles a range whose row cannot be read: writes over it that it failed, and why, and has its chain go on. A row that
 * the plan does not know stays as it is.
 */
export async function settleBroken(
  row: RangeRow,
  migration: MigrationRow,
  app: Pick<App, 'ledger' | 'queue' | 'telemetry'>,
): Promise<void> {
  const shape = shapesOf(migration.plan, row.phase).at(row.number);
  if (row.number < 0 || shape === undefined) return;
  try {
    await app.ledger.ranges.replace({ ...row, ...shape, epoch: migration.epoch, generation: 1 });
  } catch (error) {
    if (!(error instanceof LostRowError)) throw error;
  }
  app.telemetry.log('error', 'Range failed', {
    'keyferry.migration': migration.id,
    'keyferry.range': row.name,
    'keyferry.trouble': row.cause ?? '',
  });
  await continueChain({ ...row, ...shape }, migration, app);
}
