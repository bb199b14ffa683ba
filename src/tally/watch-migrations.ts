import type { App } from '../app/app';
import { UnreadableRowError } from '../ledger/row-schemas';
import { isFinal, isSign, type MigrationRow } from '../migration/rows';
import { settleUntouched } from './settle-ranges';
import { resumeStart } from '../start/start-migration';

/** What the watchdog needs of the durable tally. */
export interface TallyStarter {
  /** Starts the tally of a migration unless it runs. */
  ensureTally(id: string): Promise<void>;
}

/**
 * Starts again what has come to a stand: starts that were cut short, tallies that do not run, ranges of cancelled migrations that
 * nobody works on. Does nothing for what is well.
 */
export async function watchMigrations(
  app: Pick<App, 'connections' | 'files' | 'ledger' | 'queue' | 'settings'>,
  tallies: TallyStarter,
): Promise<void> {
  await Promise.all([app.ledger.ensure(), app.queue.ensure()]);
  const { rows, unreadable } = await app.ledger.migrations.read('open');
  const open = rows.filter((row) => !isFinal(row));
  // One that cannot be helped does not keep the others from being helped.
  const results = await Promise.allSettled(open.map((row) => watchMigration(row, app, tallies)));
  const errors = [
    ...results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : [])),
    ...unreadable.map(({ id, reason }) => new UnreadableRowError(`The row of the migration "${id}"`, reason)),
  ];
  if (errors.length > 0) throw new AggregateError(errors, `${errors.length} migrations could not be looked after.`);
}

async function watchMigration(
  row: MigrationRow,
  app: Pick<App, 'connections' | 'files' | 'ledger' | 'queue' | 'settings'>,
  tallies: TallyStarter,
): Promise<void> {
  const migration = row.state === 'planned' && isOld(row, app) ? await resumeStart(row, app) : row;
  if (migration.state === 'planned') return;
  await tallies.ensureTally(migration.id);
  if (migration.cancelRequested) await settleUntouched(migration, app);
}

/** A start takes seconds; the one that still runs is not disturbed. */
function isOld(row: MigrationRow, app: Pick<App, 'ledger' | 'settings'>): boolean {
  return !isSign(row.startedAt, app.ledger.now(), app.settings.silenceSeconds * 1_000);
}
