import { z } from 'zod';
import type { App } from '../app/app';
import { readableMigration } from '../app/readable-migration';
import { NewerRowError } from '../ledger/row-schemas';
import { isoTime, type DocumentOf } from '../migration/document';
import { mistakeSchema, modes } from '../migration/request';
import { migrationStates } from '../migration/rows';
import { nameOfSide } from '../migration/side-spec';
import { adopt, decide } from './decide';
import { localText, nextDues } from './due';
import type { Schedule, ScheduleSettings } from './schedule-settings';
import type { Clock } from './run-schedules';
import { cronSchema, windowSchema, zoneOf } from './when';

/** How many times to come are told. */
const TIMES = 5;

const momentSchema = z
  .object({ at: isoTime, local: z.string() })
  .describe("A moment in UTC, and as the clock of the schedule's zone shows it; ISO 8601.");

type Moment = DocumentOf<typeof momentSchema>;

const scheduleSchema = z.object({
  name: z.string(),
  when: z.union([cronSchema, windowSchema]),
  zone: z.string().describe('The zone that local times are of.'),
  source: z.string(),
  target: z.string(),
  mode: z.enum(modes),
  next: z
    .array(momentSchema.extend({ window: momentSchema.nullable() }))
    .describe('When it comes due next, with the maintenance window that it comes before, if there is one.'),
  last: z
    .object({
      due: isoTime,
      migration: z.string(),
      state: z.enum(['starting', 'refused', 'unknown', ...migrationStates]),
      startedAt: isoTime.nullable(),
      finishedAt: isoTime.nullable(),
      message: z.string().nullable().describe('Why it has not started.'),
    })
    .nullable()
    .describe('The last run. Its state is that of its migration, where it has started.'),
  waiting: z
    .object({ due: isoTime, for: z.string().nullable() })
    .nullable()
    .describe(
      'A run that is due now, and what it waits for: the migration before it, or (null) the next look at the clock.',
    ),
});

export type ScheduleReport = DocumentOf<typeof scheduleSchema>;

/** The document of GET /api/schedules. */
export const schedulesSchema = z
  .object({
    schedules: z.array(scheduleSchema),
    mistakes: z
      .array(mistakeSchema)
      .describe(
        'What is wrong in the settings, each with the setting and the place in it, or with what is remembered of a schedule, with its name. These schedules do not run.',
      ),
  })
  .meta({ id: 'Schedules' });

export type SchedulesReport = DocumentOf<typeof schedulesSchema>;

/** Tells what will run when, and how the last runs went. */
export async function reportSchedules(
  { schedules, mistakes }: ScheduleSettings,
  app: Pick<App, 'ledger' | 'schedules' | 'telemetry'>,
  clock: Clock,
): Promise<SchedulesReport> {
  await app.ledger.ensure();
  const told = await Promise.all(schedules.map((schedule) => reportOf(schedule, app, clock).catch(unlessNewer)));
  const newer = told.flatMap((each, i) =>
    each instanceof NewerRowError ? [{ path: schedules[i]?.name ?? '', message: each.message }] : [],
  );
  return {
    schedules: told.flatMap((each) => (each instanceof NewerRowError ? [] : [each])),
    mistakes: [...mistakes, ...newer],
  };
}

/** What a newer version of the app remembers of a schedule keeps none of the others from being told. */
function unlessNewer(error: unknown): NewerRowError {
  if (error instanceof NewerRowError) return error;
  throw error;
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
    source: nameOfSide(request.source),
    target: nameOfSide(request.target),
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
