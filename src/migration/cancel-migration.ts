import type { App } from '../app/app';
import { isFinal, type MigrationRow } from '../ledger/rows';
import { settleUntouched } from './settle-untouched';

/**
 * Asks a migration to stop. Workers see it within a second or two, finish their page and settle their ranges; ranges that
 * nobody works on are settled here. Undefined when there is no such migration; an ended one stays as it is.
 */
export async function cancelMigration(id: string, app: App): Promise<MigrationRow | undefined> {
  const migration = await app.ledger.updateMigration(id, (row) =>
    isFinal(row) || row.cancelRequested ? undefined : { ...row, cancelRequested: true },
  );
  app.watch.forget(id);
  if (migration?.cancelRequested === true && !isFinal(migration)) await settleUntouched(migration, app);
  return migration;
}
