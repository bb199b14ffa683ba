import type { App } from '../app/app';
import { readableMigration } from '../app/readable-migration';
import { requestStop } from '../app/request-stop';
import type { RangeMessage } from '../ledger/range-queue';
import { LostRowError } from '../ledger/range-rows';
import {
  isFinal,
  isSameWalk,
  isSettled,
  isSign,
  resetIfOlder,
  type MigrationRow,
  type RangeRow,
} from '../migration/rows';
import { shapesOf } from '../migration/rows-of-plan';
import { continueChain } from '../range/chain';

/**
 * Whether nobody works on a range: it is planned, or its worker has been silent for long.
 * @param now ms since 1970, by the storage's clock
 * @param silenceMs a worker writes its row every few seconds; one that has not for so long is gone
 */
export function isUntouched(row: RangeRow, now: number, silenceMs: number): boolean {
  if (isSettled(row)) return false;
  return row.state === 'planned' || !isSign(row.heartbeat, now, silenceMs);
}

/** Settles the ranges of a cancelled migration that nobody works on. A worker that takes one meanwhile settles it itself. */
export async function settleUntouched(migration: MigrationRow, app: Pick<App, 'ledger' | 'settings'>): Promise<void> {
  const rows = await app.ledger.ranges.list(migration.id);
  for (const known of rows) {
    const row = known.phase === migration.phase ? resetIfOlder(known, migration) : known;
    if (!isUntouched(row, app.ledger.now(), app.settings.silenceSeconds * 1_000)) continue;
    try {
      await app.ledger.ranges.replace({ ...row, state: 'cancelled', generation: row.generation + 1 });
    } catch (error) {
      if (!(error instanceof LostRowError)) throw error;
    }
  }
}

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

/** So many workers may take a range and die without a word before it is given up. */
const MOST_DEATHS = 30;

/**
 * Settles the range of a poisoned message with the cause that its worker wrote last, so that the tally never waits for
 * it. Where no worker wrote a cause, they did not fail but died (restarts, deployments): the range is sent again, unless another message
 * has brought it to somebody who works on it.
 */
export async function failRange(
  message: RangeMessage,
  app: Pick<App, 'ledger' | 'queue' | 'settings' | 'telemetry'>,
): Promise<void> {
  const migration = await readableMigration(message.migration, app);
  if (migration === undefined || isFinal(migration)) return;
  const known = await app.ledger.ranges.get(message.migration, message.range);
  if (known?.phase !== migration.phase) return;
  if (known.broken) {
    await settleBroken(known, migration, app);
    return;
  }
  const row = resetIfOlder(known, migration);
  if (isSettled(row)) return;
  if (!isUntouched(row, app.ledger.now(), app.settings.silenceSeconds * 1_000)) return;
  if (row.cause === null && row.generation < MOST_DEATHS) {
    await app.queue.send([message]);
    return;
  }
  try {
    await app.ledger.ranges.replace({
      ...row,
      state: 'failed',
      generation: row.generation + 1,
      cause: row.cause ?? `Its worker died ${row.generation} times.`,
    });
    app.telemetry.log('error', 'Range failed', { 'keyferry.migration': migration.id, 'keyferry.range': row.name });
    await continueChain(row, migration, app);
  } catch (error) {
    // A worker wrote in the same moment, so the range is alive.
    if (!(error instanceof LostRowError)) throw error;
  }
}

/**
 * As `requestStop`, with the ranges settled that nobody works on; when all are, it has failed with this cause.
 * @param seen as it was when the cause was found: what was found in a walk that is over says nothing of the next one
 */
export async function stopMigration(
  seen: MigrationRow,
  cause: string,
  app: Pick<App, 'ledger' | 'settings' | 'telemetry' | 'watch'>,
): Promise<MigrationRow | undefined> {
  const migration = await requestStop(seen.id, cause, app, (row) => isSameWalk(row, seen));
  if (migration?.stopCause === cause && !isFinal(migration)) await settleUntouched(migration, app);
  return migration;
}
