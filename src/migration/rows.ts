import type { FindingCode } from './finding-codes';
import { startCursor } from '../keyspace/cursor';
import { noCounts, type Counts } from './counts';
import type { Course } from './course';
import type { Plan } from './plan';
import type { WayBack } from './way-back';

export const migrationStates = [
  'planned',
  'running',
  'verifying',
  'completed',
  'completedWithDifferences',
  'failed',
  'cancelled',
] as const;

/** Where a migration stands. */
export type MigrationState = (typeof migrationStates)[number];

/** The states that a migration does not leave. */
export const finalStates: readonly MigrationState[] = ['completed', 'completedWithDifferences', 'failed', 'cancelled'];

/** The plan row: what was decided, and where the migration stands. Times are ISO 8601. */
export interface MigrationRow {
  readonly id: string;
  readonly state: MigrationState;
  /** The phase of the plan that it is in, by its name, and how often a phase of this name was walked before. */
  readonly phase: string;
  readonly pass: number;
  /** Hash of the request, to tell a repeated POST from another one with the same requestId. */
  readonly requestHash: string;
  readonly plan: Plan;
  /** Counts how often a phase was begun that had been walked before; ranges of an earlier epoch have done nothing yet. */
  readonly epoch: number;
  /** The process of the walked side that the phase's cursors belong to; empty where it tells none. */
  readonly walkedRunId: string;
  readonly cancelRequested: boolean;
  /** When the cut-over of a source that is followed was asked for, ISO 8601; null where it was not. */
  readonly cutoverRequestedAt: string | null;
  /** Where the way back was asked for with it. */
  readonly wayBack?: WayBack | undefined;
  /** Why it must stop, where something is wrong with a side: its ranges are cancelled, and then it has failed. */
  readonly stopCause: string | null;
  /** What both sides have gone through. */
  readonly course: Course;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  /** Why it failed, where it did. */
  readonly cause: string | null;
  /** W3C trace context of its start, carried in the messages of its ranges; null where it was not traced. */
  readonly traceparent: string | null;
  /** The phases whose range rows have all been written: a row of theirs that is not there is lost. */
  readonly phasesWithRows: readonly string[];
  /** The visit of the tally that began last, empty before the first: what an earlier one has found counts no more. */
  readonly visit: string;
  readonly etag: string;
}

/** A plan row that cannot be read, as far as it can. */
export interface UnreadableMigration {
  readonly id: string;
  readonly reason: string;
  /** ISO 8601; null where that cannot be read either. */
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
}

export const rangeStates = ['planned', 'active', 'done', 'failed', 'cancelled'] as const;
export type RangeState = (typeof rangeStates)[number];

/** The states in which nothing more happens to a range. */
export const settledStates: readonly RangeState[] = ['done', 'failed', 'cancelled'];

/** So many runs of blocks stand in a row at most. */
export const MOST_PIECE_RUNS = 10_000;

/** What one range has written of a file: blocks, one behind the other. */
export interface FilePiece {
  /** Blocks by the generation of the worker that wrote them, and their numbers from the first to the last. */
  readonly runs: readonly (readonly [generation: number, first: number, last: number])[];
  readonly bytes: number;
  /** CRC-64 of the bytes, 16 hexadecimal digits. */
  readonly crc: string;
  readonly keys: number;
  /** Of them, those that expire. */
  readonly expiring: number;
  /** Marks of the keys written last, to know them again. */
  readonly border: readonly string[];
}

/**
 * The findings that one worker of a range has told, by the generation in which it had the range: how many of them are kept in full, and
 * of how many keys there are marks.
 */
export type FindingRun = readonly [generation: number, kept: number, marked: number];

/** Of one range, this many findings are kept in full; the rest are only counted. */
export const FINDINGS_PER_RANGE = 10_000;

/** One range's row, always written whole. */
export interface RangeRow {
  readonly migration: string;
  /** "copy-00012": phase and number in the migration. */
  readonly name: string;
  readonly phase: string;
  readonly number: number;
  readonly database: number;
  /** Which of 2^bits ranges of the database. */
  readonly index: number;
  readonly bits: number;
  readonly state: RangeState;
  /** The migration's epoch, and the phase's pass in it, that cursor and counts belong to. */
  readonly epoch: number;
  readonly pass: number;
  /** Grows with each worker that takes the range; the older one's writes fail from then on. */
  readonly generation: number;
  /** Generations of workers that may have left temporary keys on the target. */
  readonly builders: readonly number[];
  /** Where the next page begins: all keys before it are in the counts. Decimal text, of up to 192 bits (keyspace/slot-walk). */
  readonly cursor: string;
  /**
   * A worker ended, or told its place, inside the page that begins at the cursor: keys that it did of it are in the counts, and
   * stand beside the row.
   */
  readonly inside: boolean;
  /** Keys that are in no count may have been written: a worker died, or stopped with writes under way, or the walk began at its start again. */
  readonly wroteAhead: boolean;
  /** Keys that the target had, equal to the source's, and that count as copied since the migration may have written them before: see wroteAhead; in a later epoch, and where a page was sent twice. */
  readonly presumedOwn: number;
  /** The share of the range that is behind the cursor, 0 to 1. */
  readonly share: number;
  readonly counts: Counts;
  /** Of a cluster: where a walk came from one master's slots to another's, by the slot that begins there, and how many keys were accounted for then. */
  readonly borders: readonly (readonly [slot: number, keys: number])[];
  /** What of a file it has written up to the cursor; null where there is nothing. */
  readonly piece: FilePiece | null;
  /** The findings in its counts, as far as they are in batches. */
  readonly findingRuns: readonly FindingRun[];
  /** Grows with whatever is done, and while a limit keeps the work waiting. Where it stands still for long, nothing comes of the work. */
  readonly progress: number;
  /** How often it was taken since anything was last done that whoever takes it next need not do again. */
  readonly tries: number;
  /** How often its walk began at its start again in this epoch, since what it had brought was in no order any more. */
  readonly begunAnew: number;
  /** Until when nobody need work on it, by the storage's clock, ISO 8601: its message comes then. Null where it need not wait. */
  readonly restsUntil: string | null;
  /** By how much expiries that were carried over, or compared, may be wrong at most, ms. */
  readonly clockDoubtMs: number;
  /** When a worker last wrote, ISO 8601; null before the first. */
  readonly heartbeat: string | null;
  /** What holds it up at the moment, for people. */
  readonly trouble: string | null;
  /** Why it failed; of one that is planned, what its last worker could not go on for, where that does not pass by itself. */
  readonly cause: string | null;
  /** Stands in for a row that is lost or cannot be read; its cause says which. */
  readonly broken?: true;
  readonly etag: string;
}

/** What is wrong with one key. */
export interface KeyFinding {
  readonly key: Buffer;
  readonly code: FindingCode;
  readonly message: string;
}

/** One key that was not copied as asked. */
export interface Finding extends KeyFinding {
  readonly migration: string;
  readonly database: number;
  /** The walk that found it; a finding of an epoch before its phase's says nothing any more. Not there in rows of earlier versions. */
  readonly phase?: string | undefined;
  readonly epoch?: number | undefined;
}

/** A finding as the ledger has it: its code may be one of another version. */
export type StoredFinding = Omit<Finding, 'code'> & { readonly code: string };

export function rangeName(phase: string, number: number): string {
  return `${phase}-${String(number).padStart(5, '0')}`;
}

/** What a phase may be called. */
export const PHASE_NAME = /^[a-z]{1,32}$/;

/** What a row's name says of it; undefined for a name that no range has. */
export function readRangeName(name: string): Pick<RangeRow, 'phase' | 'number'> | undefined {
  const [, phase, digits] = /^([a-z]+)-(\d{5,7})$/.exec(name) ?? [];
  const number = Number(digits);
  if (phase === undefined || !PHASE_NAME.test(phase) || rangeName(phase, number) !== name) return undefined;
  return { phase, number };
}

/** What stands in for a row that is lost or cannot be read: a range that has failed, whatever the epoch. */
export function brokenRange(
  row: Pick<RangeRow, 'migration' | 'name' | 'phase' | 'number' | 'etag'>,
  shape: Pick<RangeRow, 'database' | 'index' | 'bits'>,
  cause: string,
): RangeRow {
  return {
    ...shape,
    migration: row.migration,
    name: row.name,
    phase: row.phase,
    number: row.number,
    state: 'failed',
    epoch: Number.MAX_SAFE_INTEGER,
    pass: 0,
    generation: 0,
    // Whether it had any is not known.
    builders: [0],
    cursor: '0',
    inside: false,
    wroteAhead: true,
    presumedOwn: 0,
    share: 0,
    counts: noCounts,
    borders: [],
    piece: null,
    findingRuns: [],
    progress: 0,
    tries: 0,
    begunAnew: 0,
    restsUntil: null,
    clockDoubtMs: 0,
    heartbeat: null,
    trouble: null,
    cause,
    broken: true,
    etag: row.etag,
  };
}

/** So much later than now a sign may seem to have been given, ms: the storage's clock is known to about a second. */
const MOST_AHEAD_MS = 5_000;

/**
 * Whether a sign of life is not older than it may be. One that is yet to come is none: the clock that it was written by was set back
 * since, and who gave it may be gone for as long as that.
 * @param at ISO 8601; null where there was none
 */
export function isSign(at: string | null, now: number, silenceMs: number): boolean {
  if (at === null) return false;
  const age = now - Date.parse(at);
  return age <= silenceMs && age >= -MOST_AHEAD_MS;
}

/** A range rests no longer, ms. */
export const LONGEST_REST_MS = 60_000;

/**
 * Whether a range waits for a message that is on its way, or may have come just now.
 * @param now ms since 1970, by the storage's clock
 */
export function isResting({ restsUntil }: Pick<RangeRow, 'restsUntil'>, now: number, silenceMs: number): boolean {
  if (restsUntil === null) return false;
  const left = Date.parse(restsUntil) - now;
  // One that would last longer was written by a clock that was set back since.
  return left > -silenceMs && left <= LONGEST_REST_MS + MOST_AHEAD_MS;
}

export function isSettled(row: Pick<RangeRow, 'state'>): boolean {
  return settledStates.includes(row.state);
}

export function isFinal(row: Pick<MigrationRow, 'state'>): boolean {
  return finalStates.includes(row.state);
}

/** Whether a migration is still in the walk that it was in: what a worker of that walk has found says something of it. */
export function isSameWalk(now: Walk, then: Walk): boolean {
  return now.epoch === then.epoch && now.phase === then.phase && now.pass === then.pass;
}
type Walk = Pick<MigrationRow, 'epoch' | 'phase' | 'pass'>;

/** Whether a migration has ended and its way back, which was asked for, is neither started nor refused. */
export function isWayBackDue({ state, wayBack }: Pick<MigrationRow, 'state' | 'wayBack'>): boolean {
  return wayBack?.migration === null && wayBack.refused === null && isFinal({ state });
}

/** A row as it counts in a walk: one of an earlier epoch is back at its start and has counted nothing. */
export function resetIfOlder(row: RangeRow, { epoch, pass }: Pick<MigrationRow, 'epoch' | 'pass'>): RangeRow {
  return row.epoch >= epoch ? row : { ...backAtStart(row), begunAnew: 0, epoch, pass };
}

/** A row that has done nothing yet. */
export function backAtStart(row: RangeRow): RangeRow {
  const cursor = String(startCursor(row));
  const nothing = {
    cursor,
    inside: false,
    // What was counted is not any more.
    wroteAhead: row.wroteAhead || row.generation > 0,
    presumedOwn: 0,
    counts: noCounts,
    borders: [],
    piece: null,
    findingRuns: [],
    share: 0,
    tries: 0,
    restsUntil: null,
    trouble: null,
    cause: null,
  };
  return { ...row, ...nothing, state: 'planned' };
}
