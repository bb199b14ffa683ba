import { z } from 'zod';
import { conversionSchema } from '../convert/registry';
import { leadBack } from '../convert/rename/leading-back';
import type { RenameRule } from '../convert/rename/naming';
import { compileRenamePattern } from '../convert/rename/rename-pattern';
import type { DocumentOf } from './document';
import { fileOf, SIDE, sourceSchema, targetSchema, type SideSpec } from './side-spec';

const MOST_DATABASE = 65_535;
const database = z.int().min(0).max(MOST_DATABASE);
/** Spelled in one way only: each database stands in a map once. */
const databaseKey = z
  .string()
  .regex(/^(?:0|[1-9]\d{0,4})$/, 'must be a database number')
  .refine((text) => Number(text) <= MOST_DATABASE, 'must be a database number');
const WHICH_DATABASES =
  'must be "all", a list of numbers from 0 to 65535, or a map of such numbers to others or to key prefixes (up to 512 characters)';
const glob = z.string().min(1).max(1_024);

const MOST_CONVERSIONS = 16;

const renameRule = z
  .strictObject({
    from: z.string().min(1).max(1_024).superRefine(refuseBadPattern),
    to: z.string().max(1_024),
  })
  .describe(
    'A regular expression (RE2) over key names that are UTF-8 text, and what replaces the first match ($1, $2 …).',
  );

const redisTypes = ['string', 'list', 'set', 'zset', 'hash', 'stream'] as const;

/** What a migration does. */
export const modes = ['copy', 'dry-run', 'compare', 'sync', 'live'] as const;

/** How the source is asked to tell which keys change. */
export const feedChoices = ['auto', 'tracking', 'notifications'] as const;

/** The body of POST /api/migrations. */
export const migrationRequestSchema = z
  .strictObject({
    source: sourceSchema,
    target: targetSchema,
    mode: z
      .enum(modes)
      .default('copy')
      .describe(
        'copy: everything. dry-run: everything but writing, and a report of what a copy would do. compare: write nothing, and find every key that is missing, different or extra on the target. sync: copy only what differs. live: copy, follow what changes on the source, and prove at the cut-over that nothing is left.',
      ),
    databases: z
      .union(
        [
          z.literal('all'),
          z.array(database).min(1).max(1_024),
          z
            .record(databaseKey, z.union([database, z.string().max(512)]))
            .refine(hasEntries, 'must map 1 to 1024 databases'),
        ],
        { error: WHICH_DATABASES },
      )
      .default('all')
      .describe(
        'Which databases: "all", a list of numbers, or a map of source database to target database number or to a key prefix (into database 0).',
      ),
    select: z
      .strictObject({
        match: z.array(glob).max(64).default([]).describe('Only keys that one of these Redis globs matches.'),
        exclude: z.array(glob).max(64).default([]).describe('No keys that one of these Redis globs matches.'),
        types: z.array(z.enum(redisTypes)).max(redisTypes.length).default([]).describe('Only keys of these types.'),
      })
      .default({ match: [], exclude: [], types: [] })
      .describe('Which keys; all when left out.'),
    onConflict: z
      .enum(['replace', 'skip', 'fail'])
      .default('replace')
      .describe(
        'When the target has the key already: replace it, skip it, or (fail) refuse to start on a target with keys.',
      ),
    convert: z
      .array(conversionSchema)
      .max(MOST_CONVERSIONS)
      .default([])
      .describe(
        'Converters by name, or as objects with their options; of each key the first that claims it takes care.',
      ),
    rename: z.array(renameRule).max(32).default([]),
    verify: z
      .enum(['none', 'count', 'quick', 'full'])
      .default('count')
      .describe(
        'What is checked in the end. count: the numbers of keys, and every key where they leave a doubt or anyone else wrote to either side. quick: existence, type, length and expiry of every key. full: the values too. In mode compare: quick, or else full.',
      ),
    deleteExtra: z
      .boolean()
      .default(false)
      .describe(
        'Modes sync and live: delete from the target the keys that the source does not have. Mode live needs it where the target has keys.',
      ),
    force: z
      .boolean()
      .default(false)
      .describe(
        'With deleteExtra: delete although the source is so much smaller than the target. What happens to the source meanwhile it does not excuse, but in mode live, where a source that loses its keys is followed then.',
      ),
    live: z
      .strictObject({
        feed: z
          .enum(feedChoices)
          .default('auto')
          .describe(
            'How the source tells which keys change. auto: client-side caching, by which it tells its clients, or else keyspace notifications where they are on.',
          ),
        standby: z
          .boolean()
          .default(true)
          .describe('A second reader listens beside the first, and goes on in its place without a gap.'),
        cutoverLagMs: z
          .int()
          .min(0)
          .max(3_600_000)
          .default(5_000)
          .describe('A cut-over is refused while the oldest change that is not on the target is older.'),
      })
      .optional()
      .describe('Mode live: how the source is followed.'),
    limits: z
      .strictObject({
        keysPerSecond: z.int().min(0).max(100_000_000).default(0).describe('For the whole migration; 0: no limit.'),
        bytesPerSecond: z
          .int()
          .min(0)
          .max(1e12)
          .default(0)
          .describe('Bytes read from the source, for the whole migration; 0: no limit.'),
        maxSourceLatencyMs: z
          .number()
          .min(0)
          .max(60_000)
          .default(0)
          .describe('The migration slows down where the source takes longer to answer; 0: no limit.'),
        parallelRanges: z.int().min(0).max(16_384).default(0).describe('How many ranges run at once; 0: no limit.'),
        shrinkPercent: z
          .int()
          .min(0)
          .max(100)
          .default(20)
          .describe(
            'A source that restarted or was flushed and has lost more of its keys ends the migration; with deleteExtra, a source with so much fewer keys than the target looks wrong.',
          ),
      })
      .default({ keysPerSecond: 0, bytesPerSecond: 0, maxSourceLatencyMs: 0, parallelRanges: 0, shrinkPercent: 20 }),
    requestId: z
      .string()
      .regex(/^[A-Za-z0-9_.:-]{1,128}$/, 'must be 1 to 128 letters, digits, or any of _ . : -')
      .optional()
      .describe(
        'A repeated POST with the same requestId gives the same migration and starts nothing new. Those that begin with "schedule:" are of migrations that the clock starts.',
      ),
  })
  .superRefine(refuseWhatDoesNotGoTogether)
  .meta({
    id: 'MigrationRequest',
    // As `lacksTarget` has it.
    anyOf: [
      { required: ['target'], properties: { target: { type: ['string', 'object'] } } },
      { required: ['mode'], properties: { mode: { const: 'dry-run' }, source: { type: 'object' } } },
    ],
  });

export type MigrationRequest = z.output<typeof migrationRequestSchema>;

export const mistakeSchema = z.object({ path: z.string(), message: z.string() });

/** One mistake in a request: where, and what. */
export type RequestMistake = DocumentOf<typeof mistakeSchema>;

/** A request that is not as the schema says, with every mistake at once. */
export class BadRequestError extends Error {
  constructor(readonly mistakes: readonly RequestMistake[]) {
    super('The request is not valid.');
    this.name = 'BadRequestError';
  }

  /** With its mistakes, for people. */
  get explained(): string {
    return [this.message, ...this.mistakes.map(({ path, message }) => `"${path}": ${message}.`)].join(' ');
  }
}

/** Checks a request's parsed JSON. @throws BadRequestError with all mistakes */
export function parseMigrationRequest(body: unknown): MigrationRequest {
  const result = migrationRequestSchema.safeParse(body);
  const mistakes = result.success ? [] : result.error.issues.flatMap((issue) => mistakesOf(issue));
  // Told with all others: what does not go together is looked at only where nothing else is wrong.
  if (lacksTarget(body)) mistakes.push({ path: 'target', message: `${SIDE}. Only a dry run of a file does without` });
  if (result.success && isOfSchedule(result.data)) {
    mistakes.push({ path: 'requestId', message: `must not begin with "${OF_SCHEDULES}": such are of the clock's` });
  }
  if (result.success && mistakes.length === 0) return result.data;
  throw new BadRequestError(mistakes);
}

/** What the ids of scheduled runs begin with. No body has them: a run that was asked for under the id of one to come would stand for it. */
export const OF_SCHEDULES = 'schedule:';

function isOfSchedule({ requestId }: MigrationRequest): boolean {
  return requestId?.startsWith(OF_SCHEDULES) === true;
}

/** Whether an object names no target and asks for something else than what is in a file. */
function lacksTarget(body: unknown): boolean {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return false;
  const { source, target, mode } = body as Readonly<Partial<Record<string, unknown>>>;
  return (target ?? null) === null && !(mode === 'dry-run' && typeof source === 'object');
}

/** Checks another body's parsed JSON. @throws BadRequestError with all mistakes */
export function parsedBy<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw new BadRequestError(result.error.issues.flatMap((issue) => mistakesOf(issue)));
}

function mistakesOf(issue: z.core.$ZodIssue): RequestMistake[] {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: path === '' ? key : `${path}.${key}`, message: 'is not a known field' }));
  }
  return [{ path, message: issue.message }];
}

interface TogetherInMode {
  readonly source: SideSpec;
  readonly target: SideSpec;
  readonly mode: string;
  readonly databases: unknown;
  readonly onConflict: string;
  readonly rename: readonly RenameRule[];
  readonly convert: readonly unknown[];
  readonly deleteExtra: boolean;
  readonly force: boolean;
  readonly select: { readonly types: readonly unknown[] };
  readonly live?: unknown;
}

function refuseWhatDoesNotGoTogether(request: TogetherInMode, context: z.RefinementCtx): void {
  const refuse = (field: string, message: string) => {
    context.addIssue({ code: 'custom', path: [field], message });
  };
  const { mode, onConflict, rename, convert, deleteExtra, force, live } = request;
  const { types } = request.select;
  const [isFromFile, isIntoFile] = [request.source, request.target].map((side) => fileOf(side) !== undefined);
  if (request.target === null) {
    if (onConflict !== 'replace') refuse('onConflict', 'must be left out where there is no target');
    if (rename.length > 0) refuse('rename', 'must be left out where there is no target');
    if (request.databases !== 'all' && !Array.isArray(request.databases)) {
      refuse('databases', 'must be "all" or a list of numbers where there is no target');
    }
  }
  if (isFromFile && isIntoFile) refuse('target', 'cannot be a file where the source is one');
  if (isFromFile && (mode === 'sync' || mode === 'live')) {
    refuse('mode', 'must be "copy", "dry-run" or "compare" where the source is a file');
  }
  if (isIntoFile && mode === 'compare') {
    refuse(
      'mode',
      'can be "compare" where the source is the file: exchange the sides, and keys that are missing are those that are extra then',
    );
  } else if (isIntoFile && mode !== 'copy') refuse('mode', 'must be "copy" where the target is a file');
  if (isIntoFile && onConflict !== 'replace') refuse('onConflict', 'must be left out where the target is a file');
  if (isIntoFile && rename.length > 0) {
    refuse('rename', 'cannot go into a file: two keys of one name would make it useless');
  }
  if (isIntoFile && convert.length > 0) {
    refuse('convert', 'cannot go into a file: convert when it is restored, or on the server before');
  }
  if ((mode === 'compare' || mode === 'sync' || mode === 'live') && onConflict !== 'replace') {
    refuse('onConflict', `must be left out in mode ${mode}`);
  }
  if (deleteExtra && mode !== 'sync' && mode !== 'live') refuse('deleteExtra', 'belongs to the modes sync and live');
  if (!leadBack(rename)) {
    const must =
      'must be known which names "rename" made a name from, and of a rule it cannot be: it may put other text at the start of names ("^old:" or "^old:(.*)$"), at their end, or both';
    if (mode === 'live') refuse('rename', `cannot go with mode live like this: it ${must}`);
    else if (deleteExtra) refuse('deleteExtra', `cannot go with "rename" like this: it ${must}`);
  }
  if (force && !deleteExtra && mode !== 'live') refuse('force', 'belongs to deleteExtra and to mode live');
  if (mode !== 'live') {
    if (live !== undefined) refuse('live', 'belongs to mode live');
    return;
  }
  if (convert.length > 0 && (rename.length > 0 || types.length > 0)) {
    refuse('convert', 'cannot go with "rename" or types to select in mode live');
  }
}

function hasEntries(map: Readonly<Record<string, unknown>>): boolean {
  const { length } = Object.keys(map);
  return length >= 1 && length <= 1_024;
}

function refuseBadPattern(text: string, context: z.RefinementCtx): void {
  try {
    compileRenamePattern(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'is wrong' });
  }
}
