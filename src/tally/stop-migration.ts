import type { App } from '../app/app';
import { isFinal, type MigrationRow } from '../migration/rows';
import { settleUntouched } from './settle-untouched';

/**
 * Stops a migration for something that is wrong with a side: workers see it within a second or two and write nothing more; when
 * all have stopped, it has failed with this cause. The first cause stays. Undefined for an unknown migration.
 */
export async function stopMigration(
  id: string,
  cause: string,
  app: Pick<App, 'ledger' | 'telemetry' | 'watch'>,
): Promise<MigrationRow | undefined> {
  const migration = await app.ledger.migrations.update(id, (row) =>
    isFinal(row) || row.stopCause !== null ? undefined : { ...row, cancelRequested: true, stopCause: cause },
  );
  app.watch.forget(id);
  if (migration?.stopCause === cause && !isFinal(migration)) {
    app.telemetry.log('error', 'Migration stopped', { 'keyferry.migration': id, 'keyferry.cause': cause });
    await settleUntouched(migration, app);
  }
  return migration;
}
