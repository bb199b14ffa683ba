import type { App } from '../app/app';
import type { MigrationRow } from '../migration/rows';

/** The findings of walks that look. */
const LOOKED: readonly string[] = [
  'missing',
  'different-type',
  'different-length',
  'different-value',
  'different-expiry',
  'different-field-expiry',
  'extra',
];

/** Removes what a walk that now begins anew has found: it says nothing any more. Not where the new one has begun already. */
export async function forgetLooks(migration: MigrationRow, app: Pick<App, 'ledger'>): Promise<void> {
  const looks = migration.phase !== 'copy' || migration.plan.request.mode === 'compare';
  if (!looks) return;
  const rows = await app.ledger.listRanges(migration.id, migration.phase);
  if (rows.some((row) => row.epoch >= migration.epoch)) return;
  await app.ledger.deleteFindings(migration.id, LOOKED);
}
