import { readStoreSettings } from '../files/store-settings';
import type { SideSpec } from '../migration/side-spec';
import { z } from 'zod';
import {
  BadRequestError,
  parseMigrationRequest,
  type MigrationRequest,
  type RequestMistake,
} from '../migration/request';
import { ConnectionSettingsError, readConnectionSettings } from '../redis/connection-settings';
import { cronSchema, durationText, windowSchema, type When } from './when';

type Env = Readonly<Record<string, string | undefined>>;

/** A migration that is to be started by the clock. */
export interface Schedule {
  readonly name: string;
  readonly when: When;
  /** How late a missed run may be caught up, an ISO 8601 duration; without it however late. */
  readonly catchUp?: string | undefined;
  /** What POST /api/migrations would be given; without a requestId. */
  readonly request: MigrationRequest;
}

/** What the settings say: the schedules that can be run, and what is wrong with the others. */
export interface ScheduleSettings {
  readonly schedules: readonly Schedule[];
  /** Each with the setting and the place in it: `SCHEDULED_MIGRATIONS.1.when.cron`. */
  readonly mistakes: readonly RequestMistake[];
}

/** One setting with an array of schedules. */
const TOGETHER = 'SCHEDULED_MIGRATIONS';
/** One setting for each schedule: what follows is its name. */
const EACH = 'SCHEDULED_MIGRATION_';

const nameText = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, 'must be a letter, then up to 63 letters, digits, "_" or "-"');

const entrySchema = z.strictObject({
  name: nameText,
  when: z.record(z.string(), z.unknown()),
  catchUp: durationText.optional(),
  migration: z.record(z.string(), z.unknown()),
});

/** Reads all schedules. One that is wrong does not keep the others from being read. */
export function readSchedules(env: Env): ScheduleSettings {
  const schedules = new Map<string, Schedule>();
  const mistakes: RequestMistake[] = [];
  for (const { path, read } of entriesOf(env)) {
    try {
      const schedule = readSchedule(read(), env);
      const key = schedule.name.toLowerCase();
      if (schedules.has(key)) throw new BadRequestError([{ path: 'name', message: 'is the name of another schedule' }]);
      schedules.set(key, schedule);
    } catch (error) {
      if (!(error instanceof BadRequestError)) throw error;
      mistakes.push(...under(path, error.mistakes));
    }
  }
  return { schedules: [...schedules.values()], mistakes };
}

interface Entry {
  readonly path: string;
  /** @throws BadRequestError when the setting is not JSON of the right kind */
  readonly read: () => unknown;
}

function entriesOf(env: Env): Entry[] {
  const each = Object.keys(env)
    .filter((name) => name.startsWith(EACH) && filled(env[name]))
    .sort()
    .map((name) => ({
      path: name,
      read: () => named(name.slice(EACH.length), parseJson(env[name] ?? '')),
    }));
  return [...togetherOf(env[TOGETHER]), ...each];
}

function togetherOf(text: string | undefined): Entry[] {
  if (!filled(text)) return [];
  let list: unknown;
  try {
    list = parseJson(text ?? '');
    if (!Array.isArray(list)) throw wrong('must be an array of schedules');
  } catch (error) {
    const failing = () => {
      throw error;
    };
    return [{ path: TOGETHER, read: failing }];
  }
  return list.map((entry: unknown, index) => ({ path: `${TOGETHER}.${index}`, read: () => entry }));
}

/** A setting of its own gives its schedule the name, unless the schedule says another. */
function named(name: string, entry: unknown): unknown {
  return typeof entry === 'object' && entry !== null && !Array.isArray(entry) ? { name, ...entry } : entry;
}

function readSchedule(entry: unknown, env: Env): Schedule {
  const { name, when, catchUp, migration } = parse(entrySchema, entry, '');
  const mistakes: RequestMistake[] = [];
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof BadRequestError)) throw error;
      mistakes.push(...error.mistakes);
      return undefined;
    }
  };
  const checked = attempt(() => parse('window' in when ? windowSchema : cronSchema, when, 'when'));
  const request = attempt(() => readRequest(migration, env));
  if (checked === undefined || request === undefined) throw new BadRequestError(mistakes);
  return { name, when: checked, catchUp, request };
}

function readRequest(migration: Readonly<Record<string, unknown>>, env: Env): MigrationRequest {
  const path = 'migration';
  if ('requestId' in migration) {
    throw new BadRequestError([{ path: `${path}.requestId`, message: 'comes from the schedule and its due time' }]);
  }
  try {
    const request = parseMigrationRequest(migration);
    const mistakes = (['source', 'target'] as const).flatMap((side) => connectionMistakes(side, request[side], env));
    if (mistakes.length > 0) throw new BadRequestError(mistakes);
    return request;
  } catch (error) {
    if (error instanceof BadRequestError) throw new BadRequestError(under(path, error.mistakes));
    throw error;
  }
}

function connectionMistakes(path: string, side: SideSpec, env: Env): RequestMistake[] {
  try {
    if (typeof side === 'string') readConnectionSettings(side, env);
    else if (side !== null) readStoreSettings(side.rdb, env);
    return [];
  } catch (error) {
    if (error instanceof ConnectionSettingsError) return [{ path, message: error.message }];
    throw error;
  }
}

function parse<T extends z.ZodType>(schema: T, value: unknown, path: string): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const mistakes = result.error.issues.flatMap((issue) => {
    const at = issue.path.map(String).join('.');
    return issue.code === 'unrecognized_keys'
      ? under(
          at,
          issue.keys.map((key) => ({ path: key, message: 'is not a known field' })),
        )
      : [{ path: at, message: issue.message }];
  });
  throw new BadRequestError(under(path, mistakes));
}

function under(path: string, mistakes: readonly RequestMistake[]): RequestMistake[] {
  return mistakes.map((mistake) => ({
    ...mistake,
    path: [path, mistake.path].filter((part) => part !== '').join('.'),
  }));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own words would show a piece of the setting.
    throw wrong('is not JSON');
  }
}

function wrong(message: string): BadRequestError {
  return new BadRequestError([{ path: '', message }]);
}

function filled(text: string | undefined): boolean {
  return text !== undefined && text.trim() !== '';
}
