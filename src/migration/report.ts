import { z } from 'zod';
import { plannedConversionSchema } from '../convert/conversion-facts';
import { storedBytes } from '../payload/source-file';
import { sumOfKnown } from '../redis/database-keys';
import { accountedKeys, COUNTS_ADD_UP, countsSchema, noCounts, type Counts } from './counts';
import { amount, isoTime, type DocumentOf } from './document';
import type { FollowedPoint, HistoryPoint } from './history';
import { phaseOf } from './phases';
import type { Plan } from './plan';
import { progressSchema, type Progress } from './progress';
import { liveReportSchema, type LiveReport } from './live';
import { modes } from './request';
import { FINDINGS_PER_RANGE, migrationStates, type MigrationRow, type UnreadableMigration } from './rows';
import { shapesOf } from './rows-of-plan';
import { isUnread, versionOfFile } from './file-facts';
import { shardsReport, shardsSchema, type Shards, type ShardTold } from './shards';
import { isServer, nameOfSide } from './side-spec';
import type { Mark } from './since';

/** The tally's last sum, as it is kept. */
export interface Snapshot {
  /** When it was taken, ISO 8601. */
  readonly at: string;
  /** The latest heartbeat of any range of the phase, ISO 8601; null before the first. */
  readonly lastHeartbeat: string | null;
  /** For how long it has been the latest while the tally watched, seconds. */
  readonly quietSeconds: number;
  /** How far the work was: another text says that something was done. */
  readonly moved: string;
  /** For how long it has been the same while the tally watched, seconds. */
  readonly stalledSeconds: number;
  /** What held the work up last since something was done; null where nothing is known of it. */
  readonly trouble: string | null;
  readonly counts: Counts;
  /** How many of the findings are kept in full. Not there in sums that an earlier version wrote. */
  readonly findingsKept?: number | undefined;
  readonly progress: Progress;
  /** Null where the side has not answered yet, or does not tell. */
  readonly sourceKeysNow: number | null;
  readonly targetKeysNow: number | null;
  readonly missing: number | null;
  readonly warnings: readonly string[];
  /** By how much the storage's clock was set back meanwhile, seconds. */
  readonly clockSetBack?: number;
  /** Keys of the source that were gone after restarts and flushes, all together. */
  readonly lostKeys?: number;
  /** What each side told last, to see when its counters are set back. */
  readonly marks?: { readonly source?: Mark | undefined; readonly target?: Mark | undefined };
  /** The course so far. Not there in sums that an earlier version wrote. */
  readonly history?: readonly HistoryPoint[];
  /** The same of the bytes of the file that is the source, while it is read. */
  readonly readHistory?: readonly HistoryPoint[] | undefined;
  readonly followed?: readonly FollowedPoint[] | undefined;
  /** The masters of sides that are clusters. Not there in sums that an earlier version wrote. */
  readonly shards?: Shards | undefined;
  /** Those of the source when they all told last. Not there in sums that an earlier version wrote. */
  readonly sourceShards?: readonly ShardTold[] | undefined;
  /** How many chains of a walk had anything left to do. Not there in sums that an earlier version wrote. */
  readonly lanes?: { readonly phase: string; readonly epoch: number; readonly left: number };
  /** The visit that made it; empty where there was none. */
  readonly visit: string;
  /** Of the row that it was read from. */
  readonly etag?: string;
}

const untold = 'null where the server does not tell.';

const sideSchema = z.object({
  name: z.string(),
  version: z.string(),
  keysAtStart: amount.nullable().describe(`Keys of the databases concerned; ${untold}`),
  keysNow: amount.nullable(),
});

/** The document of GET /api/migrations/{id}. */
export const migrationReportSchema = z
  .object({
    id: z.string(),
    state: z.enum(migrationStates),
    mode: z.enum(modes),
    source: sideSchema,
    target: sideSchema.describe('Without name and version where there is no target: a dry run of a file.'),
    progress: progressSchema,
    counts: countsSchema.omit({ missing: true, findings: true }).describe(COUNTS_ADD_UP),
    tally: z.object({
      sourceKeys: amount.nullable(),
      accountedKeys: amount,
      targetKeys: amount.nullable(),
      missing: amount.nullable().describe('Keys that were looked up and are not on the target; null before that.'),
      verdict: z.enum(migrationStates).nullable().describe('The state that it ended in; null before that.'),
    }),
    shards: shardsSchema.optional().describe('Of each side that is a cluster, its masters.'),
    live: liveReportSchema.optional().describe('Mode live: how the source is followed.'),
    warnings: z.array(z.string()),
    conversions: z.array(plannedConversionSchema).describe("The request's conversions."),
    findings: amount.describe('Exactly how many there are.'),
    findingsKept: amount
      .optional()
      .describe(
        `How many of them are kept in full, and listed: of each range the first ${FINDINGS_PER_RANGE.toLocaleString('en')}. Not there in documents of earlier versions.`,
      ),
    startedAt: isoTime,
    finishedAt: isoTime.nullable(),
    cause: z.string().nullable().describe('Why it failed; null otherwise.'),
  })
  .meta({ id: 'Migration' });

export type MigrationReport = DocumentOf<typeof migrationReportSchema>;

/** Keys of the chosen databases when planned; undefined where the source did not tell. */
export function sourceKeysAtStart(plan: Plan): number | undefined {
  if (isUnread(plan)) return undefined;
  return sumOfKnown(plan.databases.map(({ keys }) => keys));
}

/**
 * How much of the file that is the source is read, in the phase that does so.
 * @param share of the phase, 0 to 1
 */
export function readingOf(
  { plan, phase, pass }: Pick<MigrationRow, 'plan' | 'phase' | 'pass'>,
  share: number,
): Pick<Progress, 'reading'> {
  const { file } = plan.source;
  if (file === undefined || phaseOf(plan, { phase, pass }).work !== 'read') return {};
  const of = storedBytes(file);
  return { reading: { bytes: Math.floor(share * of), of } };
}

/** What has ended is not being read. */
function withoutReading({ reading: _, ...progress }: Progress): Progress {
  return progress;
}

/** What is told before the tally has added up for the first time. */
export function firstSnapshot(row: MigrationRow): Snapshot {
  const total = shapesOf(row.plan, row.phase).length;
  return {
    at: row.startedAt,
    lastHeartbeat: null,
    quietSeconds: 0,
    moved: '',
    stalledSeconds: 0,
    trouble: null,
    counts: noCounts,
    progress: {
      phase: row.phase,
      percent: 0,
      keysPerSecond: 0,
      etaSeconds: null,
      ranges: { total, done: 0, active: 0, failed: 0 },
      ...readingOf(row, 0),
    },
    sourceKeysNow: null,
    targetKeysNow: null,
    missing: null,
    warnings: [],
    visit: '',
  };
}

/** Puts the plan row and the tally's last sum together. */
export function makeReport(row: MigrationRow, snapshot: Snapshot, live?: LiveReport): MigrationReport {
  const { plan } = row;
  const { missing: _missing, findings, ...counts } = snapshot.counts;
  const atStart = sourceKeysAtStart(plan) ?? null;
  return {
    id: row.id,
    state: row.state,
    mode: plan.request.mode,
    source: {
      name: nameOfSide(plan.request.source),
      version: plan.source.file === undefined ? plan.source.version : `RDB ${plan.source.file.version}`,
      keysAtStart: atStart,
      keysNow: snapshot.sourceKeysNow,
    },
    target: {
      name: nameOfSide(plan.request.target),
      version: versionOfTarget(plan),
      keysAtStart: plan.request.target === null ? null : (plan.targetKeysAtStart ?? null),
      keysNow: keysOfTarget(row, snapshot),
    },
    progress: row.finishedAt === null ? snapshot.progress : withoutReading(snapshot.progress),
    counts,
    tally: {
      sourceKeys: snapshot.sourceKeysNow ?? atStart,
      accountedKeys: accountedKeys(snapshot.counts),
      targetKeys: keysOfTarget(row, snapshot),
      missing: snapshot.missing,
      verdict: row.finishedAt === null ? null : row.state,
    },
    ...(snapshot.shards === undefined ? {} : { shards: shardsReport(snapshot.shards) }),
    ...(live === undefined ? {} : { live }),
    warnings: [...plan.warnings, ...snapshot.warnings, ...warningsOfWayBack(row)],
    conversions: plan.conversions,
    findings: findings + (live?.findings ?? 0),
    findingsKept: (snapshot.findingsKept ?? findings) + (live?.findings ?? 0),
    startedAt: row.startedAt,
    finishedAt: row.finishedAt,
    cause: row.cause ?? row.stopCause,
  };
}

function warningsOfWayBack({ wayBack }: MigrationRow): string[] {
  return wayBack?.refused ? [`The way back was not begun: ${wayBack.refused}`] : [];
}

/** What is to be said of findings that no list has; undefined where lists have all. */
export function onlyCounted({
  findings,
  findingsKept = findings,
}: Pick<MigrationReport, 'findings' | 'findingsKept'>): string | undefined {
  const many = findings - findingsKept;
  if (many <= 0) return undefined;
  return `${many.toLocaleString('en')} findings are only counted: of each range the first ${FINDINGS_PER_RANGE.toLocaleString('en')} are kept.`;
}

function versionOfTarget({ request, target }: Plan): string {
  if (request.target === null) return '';
  return isServer(request.target) ? target.version : `RDB ${versionOfFile(target.abilities)}`;
}

/** A file has none before it is put together. */
function keysOfTarget({ plan, state }: MigrationRow, { targetKeysNow, counts }: Snapshot): number | null {
  if (plan.request.target === null) return null;
  if (isServer(plan.request.target)) return targetKeysNow;
  return state === 'completed' || state === 'completedWithDifferences' ? counts.copied : null;
}

const listItemSchema = z.object({
  id: z.string(),
  state: z
    .enum([...migrationStates, 'unreadable'])
    .describe('unreadable: what the ledger keeps of it cannot be read; names and times are empty where they cannot.'),
  source: z.string(),
  target: z.string(),
  startedAt: isoTime,
  finishedAt: isoTime.nullable(),
});

/** One line of GET /api/migrations. */
export type MigrationListItem = DocumentOf<typeof listItemSchema>;

/** The document of GET /api/migrations. */
export const migrationListSchema = z.object({ migrations: z.array(listItemSchema) }).meta({ id: 'MigrationList' });

export type MigrationList = DocumentOf<typeof migrationListSchema>;

export function makeListItem(row: MigrationRow): MigrationListItem {
  const { source, target } = row.plan.request;
  const { id, state, startedAt, finishedAt } = row;
  return { id, state, source: nameOfSide(source), target: nameOfSide(target), startedAt, finishedAt };
}

export function makeUnreadableItem({ id, startedAt, finishedAt }: UnreadableMigration): MigrationListItem {
  return { id, state: 'unreadable', source: '', target: '', startedAt: startedAt ?? '', finishedAt };
}
