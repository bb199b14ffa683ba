import type { App } from './app';
import { UnreadableRowError } from '../ledger/row-schemas';
import type { MigrationRow } from '../migration/rows';

/**
 * A migration, for who works on one of its ranges. Undefined where there is none, or its row cannot be read: nothing can be
 * done then, and a message that came again and again would change nothing. Should the row become readable, the watchdog
 * sends its ranges.
 */
export async function readableMigration(
  id: string,
  app: Pick<App, 'ledger' | 'telemetry'>,
): Promise<MigrationRow | undefined> {
  try {
    return await app.ledger.migrations.get(id);
  } catch (error) {
    if (!(error instanceof UnreadableRowError)) throw error;
    app.telemetry.log('error', 'Migration unreadable', { 'keyferry.migration': id, 'keyferry.trouble': error.reason });
    return undefined;
  }
}
