import type { App } from '../app/app';
import type { MigrationState } from '../migration/rows';
import { readableMigration } from '../app/readable-migration';
import type { RequestMistake } from '../migration/request';
import { adopt, decide } from './decide';
import { localText, nextDues } from './due';
import type { RunState } from '../ledger/schedule-ledger';
import type { Schedule, ScheduleSettings } from './schedule-settings';
import type { Clock } from './run-schedules';
import { zoneOf, type When } from './when';

/** How many times to come are told. */
const TIMES = 5;

/** A moment in UTC, and as the clock of the schedule's zone shows it; ISO 8601. */
export interface Moment {
  readonly at: string;
  readonly local: string;
}

export interface ScheduleReport {
  readonly name: string;
  readonly when: When;
  /** The zone that local times are of. */
  readonly zone: string;
  readonly source: string;
  readonly target: string;
  readonly mode: string;
  /** When it comes due next, with the maintenance window that it comes before, if there is one. */
  readonly next: readonly (Moment & { readonly window: Moment | null })[];
  /** The last run. Its state is that of its migration, where it has started. */
  readonly last: {
    readonly due: string;
    readonly migration: string;
    readonly state: Exclude<RunState, 'started'> | MigrationState | 'unknown';
    readonly startedAt: string | null;
    readonly finishedAt: string | null;
    /** Why it has not started. */
    readonly message: string | null;
  } | null;
  /** A run that is due now, and what it waits for: the migration before it, or (null) the next look at the clock. */
  readonly waiting: { readonly due: string; readonly for: string | null } | null;
}

/** The document of GET /api/schedules. */
export interface SchedulesReport {
  readonly schedules: readonly ScheduleReport[];
  /** What is wrong in the settings, each with the setting and the place in it. These schedules do not run. */
  readonly mistakes: readonly RequestMistake[];
}

/** Tells what will run when, and how the last runs went. */
export async function reportSchedules(
  { schedules, mistakes }: ScheduleSettings,
  app: Pick<App, 'ledger' | 'schedules' | 'telemetry'>,
  clock: Clock,
): Promise<SchedulesReport> {
  await app.ledger.ensure();
  return { schedules: await Promise.all(schedules.map((schedule) => reportOf(schedule, app, clock))), mistakes };
}

async function reportOf(
  schedule: Schedule,
  app: Pick<App, 'ledger' | 'schedules' | 'telemetry'>,
  { now, since }: Clock,
): Promise<ScheduleReport> {
  const { name, when, request } = schedule;
  const row = await app.schedules.get(name);
  const current = row && adopt(row, schedule, since);
  const run = current?.run ?? null;
  const migration = run === null ? undefined : await readableMigration(run.migration, app);
  const decision = current && decide(schedule, current, migration, now);
  const zone = zoneOf(when);
  const moment = (at: number): Moment => ({ at: new Date(at).toISOString(), local: localText(at, zone) });
  return {
    name,
    when,
    zone,
    source: request.source,
    target: request.target,
    mode: request.mode,
    next: nextDues(when, now, TIMES).map(({ at, window }) => ({
      ...moment(at),
      window: window === null ? null : moment(window),
    })),
    last: run && {
      due: run.due,
      migration: run.migration,
      state: migration?.state ?? (run.state === 'started' ? 'unknown' : run.state),
      startedAt: migration?.startedAt ?? null,
      finishedAt: migration?.finishedAt ?? null,
      message: run.message,
    },
    waiting:
      decision?.kind === 'wait' || decision?.kind === 'begin'
        ? { due: new Date(decision.due).toISOString(), for: decision.kind === 'wait' ? decision.for : null }
        : null,
  };
}
