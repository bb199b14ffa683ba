import { isFinal, type MigrationRow } from '../migration/rows';
import type { App } from './app';

/**
 * Asks a migration to stop for something that is wrong with a side: workers see it within a second or two and write nothing more.
 * The first cause stays. Undefined for an unknown migration.
 * @param counts whether the cause still speaks of the migration as its row is in that moment; it is not stopped where it does not
 */
export async function requestStop(
  id: string,
  cause: string,
  app: Pick<App, 'ledger' | 'telemetry' | 'watch'>,
  counts: (row: MigrationRow) => boolean = () => true,
): Promise<MigrationRow | undefined> {
  const migration = await app.ledger.migrations.update(id, (row) =>
    isFinal(row) || row.stopCause !== null || !counts(row)
      ? undefined
      : { ...row, cancelRequested: true, stopCause: cause },
  );
  app.watch.forget(id);
  if (migration?.stopCause === cause && !isFinal(migration)) {
    app.telemetry.log('error', 'Migration stopped', { 'keyferry.migration': id, 'keyferry.cause': cause });
  }
  return migration;
}
