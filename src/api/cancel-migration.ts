import type { App } from '../app/app';
import { NewerRowError, UnreadableRowError } from '../ledger/row-schemas';
import { isFinal, type MigrationRow } from '../migration/rows';
import { settleUntouched } from '../tally/settle-ranges';

/**
 * Asks a migration to stop. Workers see it within a second or two, finish their page and settle their ranges; ranges that
 * nobody works on are settled here. Undefined when there is no such migration; an ended one stays as it is.
 * @throws UnreadableRowError where the row cannot be read, after that migration was ended; NewerRowError, and does nothing then:
 * an app of that version may be at it
 */
export async function cancelMigration(
  id: string,
  app: Pick<App, 'ledger' | 'settings' | 'watch'>,
): Promise<MigrationRow | undefined> {
  const migration = await app.ledger.migrations
    .update(id, (row) => (isFinal(row) || row.cancelRequested ? undefined : { ...row, cancelRequested: true }))
    .catch(endUnreadable(id, app));
  app.watch.forget(id);
  if (migration?.cancelRequested === true && !isFinal(migration)) await settleUntouched(migration, app);
  return migration;
}

/** Of a migration whose row cannot be read nobody works any more; it ends, so that it holds its target no longer. */
function endUnreadable(id: string, app: Pick<App, 'ledger'>): (error: unknown) => Promise<never> {
  return async (error) => {
    if (!(error instanceof UnreadableRowError) || error instanceof NewerRowError) throw error;
    await app.ledger.migrations.failUnreadable(id, `Cancelled. ${error.message}`);
    throw new UnreadableRowError(error.row, `${error.reason}; it has ended as failed`);
  };
}
