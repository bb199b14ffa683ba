import { z } from 'zod';
import { SLOTS } from '../keyspace/hash-slot';
import { plannedConversionSchema } from '../convert/conversion-facts';
import { storedConversions } from '../convert/registry';
import { countsSchema, type Counts } from '../migration/counts';
import { cutoverSteps } from '../migration/live';
import {
  lookDepths,
  phasesWithFormerNames,
  placeInPlan,
  untils,
  works,
  type Phase,
  type Work,
} from '../migration/phases';
import { migrationRequestSchema } from '../migration/request';
import { feedKinds } from '../redis/feed-connection';
import { migrationStates, MOST_PIECE_RUNS, PHASE_NAME, rangeStates } from '../migration/rows';

/** A stored row is not as it was written. The message names the row, and what is wrong with it; nothing of what it holds. */
export class UnreadableRowError extends Error {
  constructor(
    readonly row: string,
    readonly reason: string,
  ) {
    super(`${row} cannot be read: ${reason}`);
    this.name = 'UnreadableRowError';
  }
}

/**
 * The version of rows that this app writes, to be raised when an app before would take a row for something else than it is. All
 * versions keep `state`, `startedAt` and `finishedAt` of a plan row as they are.
 * - 1: rows without a version are of it. The phases of a migration stand in no plan.
 * - 2: plans have their phases, rows their pass.
 * Newer ones are only written where something stands in a row that apps before do not know.
 */
export const ROW_VERSION = 2;

/** The version of batches of findings, and of range rows that say which of these count: who does not know would write them without. */
export const FINDINGS_VERSION = 3;

/** Rows of newer versions are left alone. */
export const NEWEST_VERSION = 4;

/**
 * From which version of rows on an app knows what is done in a phase. To an app before, a plan with such a phase would be one that is
 * broken: it would end it when that is asked for, though a newer app is at it.
 */
const KNOWN_SINCE: Readonly<Record<Work, number>> = {
  copy: ROW_VERSION,
  survey: ROW_VERSION,
  compare: ROW_VERSION,
  sync: ROW_VERSION,
  extra: ROW_VERSION,
  look: ROW_VERSION,
  follow: 3,
  seal: 3,
  libraries: 3,
  read: 4,
};

/** The version of a plan's row: as old as can be, so that apps of different versions can work side by side on what all of them know. */
export function versionOfPlan({ phases }: { readonly phases: readonly Pick<Phase, 'work'>[] }): number {
  return Math.max(ROW_VERSION, ...phases.map(({ work }) => KNOWN_SINCE[work]));
}

/** A newer version of the app wrote a row: what it says is not known here, so that nothing is decided by it. */
export class NewerRowError extends UnreadableRowError {
  constructor(row: string, version: number) {
    super(
      row,
      `a newer version of Keyferry wrote it (rows of version ${version}, and this one knows them up to ${NEWEST_VERSION}); bring this app up to date`,
    );
    this.name = 'NewerRowError';
  }
}

/** A row's fields, or what is wrong with them. */
export type Parsed<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: UnreadableRowError };

/** @param row how an error names the row */
export function parseRow<T>(row: string, schema: z.ZodType<T>, stored: unknown): Parsed<T> {
  const newer = newerVersionOf(stored);
  if (newer !== undefined) return { ok: false, error: new NewerRowError(row, newer) };
  const { success, data, error } = schema.safeParse(stored);
  if (success) return { ok: true, value: data };
  const [issue] = error.issues;
  const reason = `${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? ''}`;
  return { ok: false, error: new UnreadableRowError(row, reason) };
}

/** @throws UnreadableRowError that names the row so */
export function mustParse<T>(row: string, schema: z.ZodType<T>, stored: unknown): T {
  const parsed = parseRow(row, schema, stored);
  if (!parsed.ok) throw parsed.error;
  return parsed.value;
}

function newerVersionOf(stored: unknown): number | undefined {
  if (typeof stored !== 'object' || stored === null || !('version' in stored)) return undefined;
  const { version } = stored;
  return typeof version === 'number' && Number.isInteger(version) && version > NEWEST_VERSION ? version : undefined;
}

/** For whoever goes on without a row that cannot be read. */
export function undefinedIfUnreadable(error: unknown): undefined {
  if (!(error instanceof UnreadableRowError)) throw error;
}

export const version = z.int().min(1).max(NEWEST_VERSION).default(1);
/** Zod's integers are safe ones. */
const count = z.int().min(0);
const amount = z.number().min(0);
const database = z.int().min(0).max(65_535);
const bits = z.int().min(0).max(20);
const LONGEST_TEXT = 65_536;
const text = z.string().max(LONGEST_TEXT);
const textOrNull = text.transform((value) => (value === '' ? null : value));

/** As `Date.toISOString` writes it: such times are compared as texts too. */
const time = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'must be a time')
  .refine((value) => !Number.isNaN(Date.parse(value)), 'must be a time');
const timeOrNull = z.union([z.literal('').transform(() => null), time], { error: 'must be a time or empty' });

const LAST_CURSOR = String(2n ** 192n - 1n);
const cursor = z
  .string()
  .regex(/^\d{1,58}$/, 'must be a cursor')
  .refine((value) => value.length < LAST_CURSOR.length || value <= LAST_CURSOR, 'must be a cursor');

/** A number from 0 to 1 as text, since the storage tells 1 and 1.0 apart. */
const share = z
  .string()
  .regex(/^\d(\.\d+)?(e-\d+)?$/, 'must be a number from 0 to 1')
  .transform(Number)
  .pipe(z.number().min(0).max(1));

/** Reads JSON, then the schema. */
function json<T extends z.ZodType>(schema: T) {
  return z
    .string()
    .transform((value, context): unknown => {
      try {
        return JSON.parse(value);
      } catch {
        context.addIssue({ code: 'custom', message: 'must be JSON' });
        return z.NEVER;
      }
    })
    .pipe(schema);
}

/** Generations, apart by blanks. Whatever else stands there says that there were some; a row of an earlier version has none. */
const builders = text
  .default('')
  .transform((value) => value.split(' ').filter((word) => word !== ''))
  .transform((words) => words.map(Number).map((generation) => (Number.isSafeInteger(generation) ? generation : 0)));

/** What each says is "slot:keys"; rows of earlier versions have none, and what is no number says nothing. */
const borders = text.default('').transform((value) =>
  value.split(' ').flatMap((word): (readonly [slot: number, keys: number])[] => {
    const [, slot, keys] = /^(\d{1,5}):(\d{1,15})$/.exec(word) ?? [];
    return slot === undefined ? [] : [[Number(slot), Number(keys)]];
  }),
);

const phaseName = z.string().regex(PHASE_NAME, 'must be the name of a phase');
/** Rows of earlier versions have none. */
const pass = count.default(0);

const piece = z.object({
  runs: z.array(z.tuple([count, count, count])).max(MOST_PIECE_RUNS),
  bytes: count,
  crc: z.string().regex(/^[0-9a-f]{16}$/),
  keys: count,
  expiring: count,
  border: z.array(z.string().max(32)).max(64),
});

/** A range row's own properties. Read by the thousand at every visit of the tally: 16,384 rows took 0.1 s. */
export const rangeSchema = z.object({
  version,
  phase: phaseName,
  number: count,
  database,
  index: count,
  bits,
  state: z.enum(rangeStates),
  epoch: count,
  pass,
  generation: count,
  builders,
  cursor,
  /** Rows of earlier versions have none. */
  inside: z.boolean().default(false),
  /** Rows of earlier versions do not say it. */
  wroteAhead: z.boolean().optional(),
  presumedOwn: count.default(0),
  share,
  counts: json(countsSchema),
  borders,
  piece: piece.nullable(),
  /** Rows without findings, and those of earlier versions, have none. */
  findingRuns: z.array(z.tuple([count, count, count])).default([]),
  progress: count.default(0),
  tries: count.default(0),
  begunAnew: count.default(0),
  restsUntil: timeOrNull.default(null),
  clockDoubtMs: count.default(0),
  heartbeat: timeOrNull,
  trouble: textOrNull,
  cause: textOrNull,
});

/** What a server does not tell is missing. */
const keyspaceLine = z.looseObject({ database, keys: count.optional() });
const walked = z.looseObject({ database, keys: count.optional(), bits });
const facts = z.looseObject({
  version: text,
  runId: text,
  usedMemory: amount.optional(),
  maxMemory: amount.optional(),
  evictedKeys: amount.optional(),
  databases: z.array(keyspaceLine),
  abilities: z.looseObject({}),
});

const countName = z.enum(Object.keys(countsSchema.shape) as (keyof Counts)[]);

const phase = z.object({
  name: phaseName,
  side: z.enum(['source', 'target']),
  work: z.enum(works),
  when: z.discriminatedUnion('kind', [
    z.object({ kind: z.enum(['always', 'mayHaveExtra', 'gap']) }),
    z.object({
      kind: z.literal('inDoubt'),
      asked: z.enum(lookDepths).optional(),
      otherData: z.enum(lookDepths),
      byNumbers: z.boolean(),
    }),
  ]),
  until: z.enum(untils).optional(),
  state: z.enum(['running', 'verifying']),
  counts: z.union([z.literal('all'), z.array(countName)]),
  proves: z.boolean(),
  depth: z.enum(lookDepths).optional(),
});

/** What decisions are made by; other fields pass as they are. */
const plan = z
  .looseObject({
    // Rules were tried when the request came: not again at every reading.
    request: z.looseObject({
      ...migrationRequestSchema.shape,
      rename: z.array(z.looseObject({ from: text, to: text })),
    }),
    source: facts,
    target: facts,
    databases: z.array(z.looseObject({ ...walked.shape, targetDatabase: database, prefix: text })),
    targetDatabases: z.array(walked).optional(),
    phases: z.array(phase).min(1).optional(),
    feeds: z.array(z.enum(feedKinds)).optional(),
    inPlace: z.boolean(),
    transport: z.enum(['payload', 'commands']),
    targetKeysAtStart: count.optional(),
    warnings: z.array(z.string()),
    conversions: z.array(plannedConversionSchema).optional(),
  })
  // A plan of an earlier version has none: its rows go by the names that phases had then, and what was found stands elsewhere.
  .transform((plan) => ({
    ...plan,
    phases: plan.phases ?? phasesWithFormerNames(plan.request, plan.targetDatabases !== undefined),
    conversions: plan.conversions ?? storedConversions(plan),
  }));

const mark = z.looseObject({
  runId: text,
  replicationId: text.optional(),
  changes: amount.optional(),
  lastSave: amount.optional(),
  restores: amount.optional(),
  otherChanges: amount.optional(),
  flushes: amount.optional(),
  swaps: amount.optional(),
  evictedKeys: amount.optional(),
  expiredKeys: amount.optional(),
  commandsProcessed: amount.optional(),
});

const courseFields = z.object({
  source: mark,
  target: mark,
  seen: z.object({ source: mark, target: mark }),
  restarts: z.object({ source: count, target: count }),
  // Not written by earlier versions.
  met: z.object({ source: z.array(text).max(64), target: z.array(text).max(64) }).optional(),
  exchanges: count.default(0),
  returns: z.object({ source: count, target: count }).default({ source: 0, target: 0 }),
  restartsBefore: count,
  reset: z.object({ source: z.boolean(), target: z.boolean() }),
  // Earlier versions wrote down in which epoch each phase had begun, by its name.
  walks: z
    .array(z.object({ place: count, epoch: count }))
    .min(1)
    .optional(),
  epochs: z.record(phaseName, count).optional(),
  claimed: text,
  anew: count,
  session: text.default(''),
  lookDepth: z.enum(lookDepths).nullable(),
});

const phaseList = text.transform((value) => (value === '' ? [] : value.split(','))).pipe(z.array(phaseName).max(64));

const migrationFields = z.object({
  version,
  state: z.enum(migrationStates),
  phase: phaseName,
  pass,
  requestHash: text,
  epoch: count,
  walkedRunId: text.optional(),
  cancelRequested: z.boolean(),
  cutoverRequestedAt: timeOrNull.default(null),
  wayBack: json(
    z.object({
      migration: text.nullable(),
      refused: text.nullable(),
      trouble: text.nullable().default(null),
      proved: z.object({ source: mark, target: mark, targetKeys: count.nullable() }).nullable().default(null),
      attempt: z.object({ by: text, at: time }).nullable().default(null),
    }),
  ).optional(),
  stopCause: textOrNull.default(null),
  course: json(courseFields).optional(),
  startedAt: time,
  finishedAt: textOrNull,
  cause: textOrNull,
  traceparent: textOrNull,
  phasesWithRows: phaseList.optional(),
  visit: text.default(''),
  plan,
  // Of earlier versions.
  sourceRunId: text.optional(),
});

export const migrationStateSchema = migrationFields.shape.state;

/** A plan row's own properties, with the plan put together. What earlier versions called otherwise, or did not write, is there too. */
export const migrationSchema = migrationFields
  .refine(({ phase, pass, plan }) => plan.phases.filter(({ name }) => name === phase).length > pass, {
    path: ['phase'],
    error: 'is not in the plan',
  })
  .refine(({ walkedRunId, sourceRunId }) => (walkedRunId ?? sourceRunId) !== undefined, {
    path: ['walkedRunId'],
    error: 'is missing',
  })
  .transform(({ walkedRunId, sourceRunId = '', course, ...row }) => {
    const place = placeInPlan(row.plan, row);
    const begun = row.plan.phases.slice(0, place + 1).map(({ name }) => name);
    return {
      ...row,
      walkedRunId: walkedRunId ?? sourceRunId,
      course: course && withWalks(course, begun, row.epoch),
      // Those that were walked for certain.
      phasesWithRows: row.phasesWithRows ?? (row.state === 'planned' ? [] : begun.slice(0, Math.max(1, place))),
    };
  });

/** @param begun the names of the phases up to the current one, which is in this epoch */
function withWalks(
  { epochs = {}, walks, met, ...course }: z.infer<typeof courseFields>,
  begun: readonly string[],
  epoch: number,
) {
  const epochAt = (place: number, name: string) => (place === begun.length - 1 ? epoch : (epochs[name] ?? 0));
  const { source, target } = course.seen;
  return {
    ...course,
    met: met ?? { source: [source.runId], target: [target.runId] },
    walks: walks ?? begun.map((name, place) => ({ place, epoch: epochAt(place, name) })),
  };
}

const proof = z.object({
  source: mark,
  quietSince: time,
  at: time,
  barrierMs: amount,
  names: count,
  drainMs: amount,
  streams: count,
});

const writers = z.object({
  at: time,
  untold: z.boolean(),
  clients: count,
  writing: count,
  latest: z.array(z.object({ name: text, address: text, database, command: text, secondsAgo: amount })),
});

/** Who follows a source, and how far. */
export const liveSchema = z.object({
  version,
  holder: text,
  generation: count,
  session: text,
  runId: text,
  feed: z.enum(feedKinds).nullable(),
  listeningSince: time.nullable(),
  settled: z.boolean(),
  heartbeat: time,
  waiting: count,
  kept: count,
  lagMs: amount,
  written: count,
  deleted: count,
  gaps: count,
  lastGap: text.nullable(),
  findings: count,
  trouble: text.nullable(),
  builders: z.array(count).max(64),
  clockDoubtMs: amount,
  step: z.enum(cutoverSteps).nullable(),
  quietSince: time.nullable(),
  proof: proof.nullable(),
  writers: writers.nullable().default(null),
  acknowledged: z.object({ holder: text, mark: count }).nullable().default(null),
  takeovers: count.default(0),
});

/** A reader that stands by. */
export const standbySchema = z.object({
  version,
  holder: text,
  heartbeat: time,
  mark: count,
  covers: text,
  trouble: text.nullable(),
});

const slot = z
  .int()
  .min(0)
  .max(SLOTS - 1);
const shardTold = z.object({
  node: text.nullable(),
  slots: z.array(z.tuple([slot, slot])).max(SLOTS),
  keys: count.optional(),
  trouble: text.nullable(),
});

const shard = shardTold.extend({
  walked: count.optional(),
  passed: count.max(SLOTS).optional(),
  heldUp: text.nullable(),
});

/** The tally's last sum. */
export const snapshotSchema = z.looseObject({
  version,
  at: time,
  lastHeartbeat: time.nullable(),
  quietSeconds: amount.max(1e9),
  // Sums of earlier versions have none.
  moved: text.default(''),
  stalledSeconds: amount.max(1e9).default(0),
  trouble: text.nullable().default(null),
  clockSetBack: amount.max(1e12).optional(),
  counts: countsSchema,
  findingsKept: count.optional(),
  progress: z.looseObject({
    percent: z.number().min(0).max(100),
    keysPerSecond: amount,
    etaSeconds: amount.nullable(),
    ranges: z.looseObject({ total: count, done: count, active: count, failed: count }),
    reading: z.object({ bytes: count, of: count, bytesPerSecond: count.optional() }).optional(),
  }),
  sourceKeysNow: count.nullable(),
  targetKeysNow: count.nullable(),
  missing: count.nullable(),
  warnings: z.array(z.string()),
  history: z.array(z.tuple([amount, count])).optional(),
  readHistory: z.array(z.tuple([amount, count])).optional(),
  followed: z.array(z.tuple([amount, amount, count, count])).optional(),
  shards: z.object({ source: z.array(shard).optional(), target: z.array(shard).optional() }).optional(),
  sourceShards: z.array(shardTold).optional(),
  lanes: z.object({ phase: phaseName, epoch: count, left: count }).optional(),
  visit: text.default(''),
});

/** The findings of a batch as they are packed: keys in base64, codes, messages. */
export const packedFindings = z.array(z.tuple([z.base64(), z.string().min(1).max(1_000), text]));

const batch = z.object({
  version,
  range: text,
  phase: phaseName,
  database,
  epoch: count,
  generation: count,
  first: count,
});

/** A batch of findings, without what is packed in it. */
export const findingBatchSchema = batch.extend({ count });
export type FindingBatch = z.infer<typeof findingBatchSchema>;

/** The same of marks. */
export const markBatchSchema = batch;

/** The properties of a finding with a row of its own. */
export const findingSchema = z.object({
  version,
  database,
  key: z.instanceof(Uint8Array),
  code: z.string().min(1).max(1_000),
  message: text,
  phase: phaseName.optional(),
  epoch: count.optional(),
});
