import type { App } from '../app/app';
import { rangeMessage } from '../ledger/range-queue';
import { UnreadableRowError } from '../ledger/row-schemas';
import { resetIfOlder, isFinal, isSettled, type MigrationRow, type RangeRow } from '../migration/rows';
import { headsOfChains } from '../range/chain';
import { parallelRangesOf } from '../range/range-shape';
import { isUntouched, settleUntouched } from './settle-ranges';
import { resumeStart } from '../start/start-migration';

/** What the watchdog needs of the durable tally. */
export interface TallyStarter {
  /** Starts the tally of a migration unless it runs. */
  ensureTally(id: string): Promise<void>;
}

/**
 * Starts again what has come to a stand: starts that were cut short, tallies that do not run, ranges whose worker is
 * silent. Does nothing for what is well.
 */
export async function watchMigrations(
  app: Pick<App, 'connections' | 'ledger' | 'queue' | 'settings'>,
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
  app: Pick<App, 'connections' | 'ledger' | 'queue' | 'settings'>,
  tallies: TallyStarter,
): Promise<void> {
  const migration = isOld(row, app) ? await resumeStart(row, app) : row;
  if (migration.state === 'planned') return;
  await tallies.ensureTally(migration.id);
  if (migration.cancelRequested) await settleUntouched(migration, app);
  else await sendSilentRanges(migration, app);
}

/** A start takes seconds; the one that still runs is not disturbed. */
function isOld(row: MigrationRow, app: Pick<App, 'settings'>): boolean {
  return Date.now() - Date.parse(row.startedAt) > app.settings.silenceSeconds * 1_000;
}

async function sendSilentRanges(
  migration: MigrationRow,
  app: Pick<App, 'ledger' | 'queue' | 'settings'>,
): Promise<void> {
  const rows = (await app.ledger.ranges.list(migration.id, migration.phase)).map((row) => resetIfOlder(row, migration));
  const startedAt = Date.parse(migration.startedAt);
  const silenceMs = app.settings.silenceSeconds * 1_000;
  const silent = silentRanges(rows, parallelRangesOf(migration.plan), startedAt, Date.now(), silenceMs);
  await app.queue.send(silent.map((row) => rangeMessage(migration, row.name)));
}

/**
 * The ranges to be sent again. An active range is silent when its worker is; planned ones only when no range at all has
 * moved for long, since otherwise they wait in the queue for their turn.
 */
export function silentRanges(
  rows: readonly RangeRow[],
  parallelRanges: number,
  startedAt: number,
  now: number,
  silenceMs: number,
): readonly RangeRow[] {
  const due = headsOfChains(rows, parallelRanges, isSettled).filter((row) => isUntouched(row, now, silenceMs));
  const lastSign = Math.max(startedAt, ...rows.map((row) => (row.heartbeat === null ? 0 : Date.parse(row.heartbeat))));
  const allStill = now - lastSign > silenceMs;
  return allStill ? due : due.filter((row) => row.state === 'active');
}
