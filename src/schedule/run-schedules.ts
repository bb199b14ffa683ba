import { wallClock } from '../basics/wall-clock';
import type { App } from '../app/app';
import { FileError } from '../files/file-error';
import { UnreadableRowError } from '../ledger/row-schemas';
import { StorageError } from '../ledger/storage-error';
import { PlanRefusedError } from '../migration/plan-refusals';
import { readableMigration } from '../app/readable-migration';
import { BadRequestError } from '../migration/request';
import { idFromRequestId, startMigration, type StartApp } from '../start/start-migration';
import type { TallyStarter } from '../tally/watch-migrations';
import { ConnectionSettingsError } from '../redis/connection-settings';
import { RedisError } from '../redis/errors';
import { adopt, decide, firstRow, requestIdOf, settled } from './decide';
import type { ScheduledRun, ScheduleRow } from '../ledger/schedule-ledger';
import type { Schedule, ScheduleSettings } from './schedule-settings';

/** What runs by the clock need of the app. */
type ScheduleApp = StartApp & Pick<App, 'schedules'>;

/** Milliseconds since 1970: now, and when this process read the settings. */
export interface Clock {
  readonly now: number;
  readonly since: number;
}

/** What was done about one schedule. */
export interface Outcome extends ScheduledRun {
  readonly schedule: string;
}

/**
 * Starts the migrations that are due, one at a time for each schedule. May be called twice, late, or on two machines at
 * once. Schedules that are no longer in the settings are forgotten, so that nothing of them is caught up should they
 * come back.
 * @throws AggregateError with what was not foreseen, after all schedules were looked at
 */
export async function runSchedules(
  { schedules, mistakes }: ScheduleSettings,
  app: ScheduleApp,
  tallies: TallyStarter,
  clock: Clock,
): Promise<Outcome[]> {
  const known = await app.schedules.list();
  const rows = new Map(known.rows.map((row) => [row.name.toLowerCase(), row]));
  const results = await Promise.allSettled(
    schedules.map((schedule) => runSchedule(schedule, rows.get(schedule.name.toLowerCase()), app, tallies, clock)),
  );
  // A schedule whose setting is wrong is still one.
  if (mistakes.length === 0) {
    for (const { name } of schedules) rows.delete(name.toLowerCase());
    for (const { name } of rows.values()) await app.schedules.remove(name);
  }
  const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  const errors = [...known.newer, ...failed];
  if (errors.length > 0) throw new AggregateError(errors, `${errors.length} schedules could not be looked after.`);
  return results.flatMap((result) => (result.status === 'fulfilled' && result.value ? [result.value] : []));
}

async function runSchedule(
  schedule: Schedule,
  known: ScheduleRow | undefined,
  app: ScheduleApp,
  tallies: TallyStarter,
  { now, since }: Clock,
): Promise<Outcome | undefined> {
  const row = known ?? (await app.schedules.create(firstRow(schedule, Math.min(since, now))));
  if (row === undefined) return undefined;
  const migration = row.run === null ? undefined : await readableMigration(row.run.migration, app);
  const adopted = adopt(row, schedule, since);
  const current = adopted === row ? row : await app.schedules.replace(adopted);
  // Where another instance was faster, it also goes on.
  if (current === undefined) return undefined;

  const decision = decide(schedule, current, migration, now);
  if (decision.kind === 'nothing' || decision.kind === 'wait') return undefined;
  if (decision.kind === 'retry') return await carryOut(schedule, current, decision.run, app, tallies);
  const run: ScheduledRun = {
    due: new Date(decision.due).toISOString(),
    migration: idFromRequestId(requestIdOf(schedule, decision.due)),
    state: 'starting',
    claimedAt: new Date(now).toISOString(),
    message: null,
  };
  const claimed = await app.schedules.replace({ ...current, run });
  return claimed && (await carryOut(schedule, claimed, run, app, tallies));
}

/** Starts a claimed run and writes down how that went. Where somebody else wrote meanwhile, that one knows better. */
async function carryOut(
  schedule: Schedule,
  row: ScheduleRow,
  run: ScheduledRun,
  app: ScheduleApp,
  tallies: TallyStarter,
): Promise<Outcome> {
  const requestId = requestIdOf(schedule, Date.parse(run.due));
  const { unforeseen, ...result } = await start(schedule, requestId, app);
  const after = { ...run, ...result };
  await app.schedules.replace(after.state === 'starting' ? { ...row, run: after } : settled(row, after, wallClock()));
  if (unforeseen !== undefined) throw unforeseen.error;
  if (after.state === 'started') await tallies.ensureTally(after.migration);
  return { schedule: schedule.name, ...after };
}

/** How an attempt to start went. */
interface Attempted extends Pick<ScheduledRun, 'state' | 'message'> {
  /** What is thrown once that is written down. */
  readonly unforeseen?: { readonly error: unknown };
}

const UNFORESEEN = 'It could not be started for a reason that nobody foresaw; it stands in the log of the app.';

/**
 * Asks for the migration. A Redis, a store of files or a storage that cannot be reached, and a target that another migration writes to, are
 * asked again; what is wrong with the request, the servers or the files is not. Whatever keeps it from starting is told in a message.
 */
async function start(schedule: Schedule, requestId: string, app: ScheduleApp): Promise<Attempted> {
  try {
    await startMigration({ ...schedule.request, requestId }, app);
    return { state: 'started', message: null };
  } catch (error) {
    if (error instanceof RedisError || error instanceof UnreadableRowError || error instanceof StorageError) {
      return { state: 'starting', message: error.message };
    }
    if (error instanceof FileError) {
      return { state: error.asks === 'retry' ? 'starting' : 'refused', message: error.message };
    }
    if (error instanceof PlanRefusedError) {
      // Started under this id before the setting was changed.
      if (error.code === 'requestIdReused') return { state: 'started', message: null };
      return { state: error.code === 'targetBusy' ? 'starting' : 'refused', message: error.message };
    }
    if (error instanceof ConnectionSettingsError) return { state: 'refused', message: error.message };
    if (error instanceof BadRequestError) return { state: 'refused', message: mistakesText(error) };
    return { state: 'starting', message: UNFORESEEN, unforeseen: { error } };
  }
}

function mistakesText({ mistakes }: BadRequestError): string {
  return mistakes.map(({ path, message }) => `${path}: ${message}`).join('; ');
}
