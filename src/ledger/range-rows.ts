import { inPieces } from '../basics/in-pieces';
import type { TableClient, TransactionAction } from '@azure/data-tables';
import { brokenRange, readRangeName, type RangeRow } from '../migration/rows';
import {
  BATCH,
  chunksOrUndefined,
  created,
  found,
  isConflict,
  isGone,
  rowKeyText,
  textForPeople,
  type Entity,
  type NewEntity,
} from './entities';
import { FINDINGS_VERSION, NewerRowError, parseRow, rangeSchema, ROW_VERSION, UnreadableRowError } from './row-schemas';
import { toChunks } from './chunked-text';
import { toPlace } from './page-places';
import { SURVEY_KEYS, toSurvey } from './surveys';

/** Somebody else wrote the row in between, or it is gone: this worker has lost it. */
export class LostRowError extends Error {
  constructor(row: string) {
    super(`The row ${row} was written by another worker, or deleted.`);
    this.name = 'LostRowError';
  }
}

/** What is written with a range's row, each less than 1 MiB. */
export interface Beside {
  /** What was learnt up to its cursor. */
  readonly survey?: Buffer | undefined;
  /** What was done ahead of its cursor. */
  readonly place?: Buffer | undefined;
}

/** A range row as it stands in the storage. */
export interface WrittenRange {
  readonly name: string;
  readonly etag: string;
  /** By the storage's clock, ms since 1970. */
  readonly writtenAt: number;
  /** The row, or what stands in for it where it cannot be read. @throws NewerRowError */
  readonly row: () => RangeRow;
}

/** The rows that say what each range has done; the only truth about progress. */
export class RangeRows {
  constructor(private readonly table: TableClient) {}

  /** Writes new range rows; those that are there stay as they are. */
  async create(rows: readonly Omit<RangeRow, 'etag'>[]): Promise<void> {
    for (const batch of inPieces(rows, BATCH)) {
      const actions = batch.map((row): TransactionAction => ['create', toRange(row)]);
      try {
        await this.table.submitTransaction(actions);
      } catch (error) {
        if (!isConflict(error)) throw error;
        for (const row of batch) await created(this.table.createEntity(toRange(row)));
      }
    }
  }

  /** A range row, or what stands in for one that cannot be read; undefined when there is none. */
  async get(migration: string, name: string): Promise<RangeRow | undefined> {
    const entity = await found(this.table.getEntity<Entity>(rowKeyText(migration), rowKeyText(name)));
    return entity && fromRange(entity);
  }

  /**
   * Writes a range row whole, and what stands beside it in the same transaction.
   * @throws LostRowError when the row is no longer as `row.etag` knew it, or gone
   */
  async replace(row: RangeRow, beside: Beside = {}): Promise<RangeRow> {
    try {
      return await this.replaceWith(row, beside);
    } catch (error) {
      if (isConflict(error) || isGone(error)) throw new LostRowError(row.name);
      throw error;
    }
  }

  private async replaceWith(row: RangeRow, { survey, place }: Beside): Promise<RangeRow> {
    const others = [survey && toSurvey(row, survey), place && toPlace(row, place)].filter((one) => one !== undefined);
    if (others.length === 0) {
      const { etag } = await this.table.updateEntity(toRange(row), 'Replace', { etag: row.etag });
      return { ...row, etag: etag ?? '' };
    }
    const { subResponses } = await this.table.submitTransaction([
      ['update', toRange(row), 'Replace', { etag: row.etag }],
      ...others.map((one): TransactionAction => ['upsert', one, 'Replace']),
    ]);
    return { ...row, etag: subResponses[0]?.etag ?? '' };
  }

  /** All range rows of a migration, or those of one phase, by their numbers; for those that cannot be read, stand-ins. */
  async list(migration: string, phase?: string): Promise<RangeRow[]> {
    const rows: RangeRow[] = [];
    const partition = `PartitionKey eq '${rowKeyText(migration)}'`;
    const filter =
      phase === undefined
        ? `${partition} and (RowKey lt '${SURVEY_KEYS.from}' or RowKey ge '${SURVEY_KEYS.to}')`
        : `${partition} and RowKey ge '${rowKeyText(phase)}-0' and RowKey lt '${rowKeyText(phase)}-:'`;
    for await (const entity of this.table.listEntities<Entity>({ queryOptions: { filter } })) {
      rows.push(fromRange(entity));
    }
    return rows;
  }

  /**
   * The range rows of a migration that were written since, with the time of the storage's writing, in no particular order. Each is
   * read only when asked for: who knows its ETag need not.
   * @param since ms since 1970; undefined for all rows
   */
  async *changedSince(migration: string, since: number | undefined): AsyncGenerator<WrittenRange, void, undefined> {
    const written = since === undefined ? '' : ` and Timestamp ge datetime'${new Date(since).toISOString()}'`;
    for (const keys of [`RowKey lt '${SURVEY_KEYS.from}'`, `RowKey ge '${SURVEY_KEYS.to}'`]) {
      const filter = `PartitionKey eq '${rowKeyText(migration)}' and ${keys}${written}`;
      for await (const entity of this.table.listEntities<Entity>({ queryOptions: { filter } })) {
        yield {
          name: String(entity.rowKey),
          etag: entity.etag,
          writtenAt: Date.parse(String(entity.timestamp)) || 0,
          row: () => fromRange(entity),
        };
      }
    }
  }
}

/** Digits of a cursor that all versions read. */
const PLAIN_CURSOR = 20;

function toRange(row: Omit<RangeRow, 'etag'>): NewEntity {
  return {
    partitionKey: row.migration,
    rowKey: row.name,
    version: row.findingRuns.length === 0 && row.cursor.length <= PLAIN_CURSOR ? ROW_VERSION : FINDINGS_VERSION,
    phase: row.phase,
    number: row.number,
    database: row.database,
    index: row.index,
    bits: row.bits,
    state: row.state,
    epoch: row.epoch,
    pass: row.pass,
    generation: row.generation,
    builders: row.builders.join(' '),
    cursor: row.cursor,
    inside: row.inside,
    wroteAhead: row.wroteAhead,
    presumedOwn: row.presumedOwn,
    share: String(row.share),
    counts: JSON.stringify(row.counts),
    borders: row.borders.map(([slot, keys]) => `${slot}:${keys}`).join(' '),
    ...(row.piece === null ? {} : toChunks('piece', row.piece)),
    ...(row.findingRuns.length === 0 ? {} : toChunks('findingRuns', row.findingRuns)),
    progress: row.progress,
    tries: row.tries,
    begunAnew: row.begunAnew,
    ...(row.restsUntil === null ? {} : { restsUntil: row.restsUntil }),
    clockDoubtMs: row.clockDoubtMs,
    heartbeat: row.heartbeat ?? '',
    trouble: textForPeople(row.trouble),
    cause: textForPeople(row.cause),
  };
}

/** The row, or what stands in for it where it cannot be read. @throws NewerRowError */
function fromRange(entity: Entity): RangeRow {
  const migration = String(entity.partitionKey);
  const name = String(entity.rowKey);
  const etag = entity.etag ?? '';
  const told = `The ledger's row of the range ${name}`;
  const piece = entity.piece0 === undefined ? null : chunksOrUndefined('piece', entity);
  const findingRuns = entity.findingRuns0 === undefined ? [] : (chunksOrUndefined('findingRuns', entity) ?? null);
  const parsed = parseRow(told, rangeSchema, { ...entity, piece, findingRuns });
  if (!parsed.ok && parsed.error instanceof NewerRowError) throw parsed.error;
  const named = readRangeName(name);
  const isNamed = parsed.ok && named?.phase === parsed.value.phase && named.number === parsed.value.number;
  if (!isNamed) {
    const { phase, number } = named ?? { phase: '', number: -1 };
    const { message } = parsed.ok
      ? new UnreadableRowError(told, 'phase and number: its name is that of another range')
      : parsed.error;
    return brokenRange({ migration, name, phase, number, etag }, { database: 0, index: 0, bits: 0 }, message);
  }
  const { version: _, wroteAhead = parsed.value.generation > 0, ...row } = parsed.value;
  return { migration, name, ...row, wroteAhead, etag };
}
