import { createHash } from 'node:crypto';
import { RestError, type TableClient, type TransactionAction } from '@azure/data-tables';
import type { Counts } from '../migration/counts';
import type { Plan } from '../migration/plan';
import type { Snapshot } from '../migration/report';
import { fromChunks, toChunks } from './chunked-text';
import type { Finding, MigrationRow, MigrationState, Phase, RangeRow, RangeState } from './rows';
import type { StorageClients } from './storage-clients';

/** Somebody else wrote the row in between: this worker has lost it. */
export class LostRowError extends Error {
  constructor(row: string) {
    super(`The row ${row} was written by another worker.`);
    this.name = 'LostRowError';
  }
}

const MIGRATIONS = 'migration';
const TARGETS = 'target';
const SNAPSHOTS = 'snapshot';
/** Table storage takes 100 entities a transaction. */
const BATCH = 100;

type Entity = Record<string, unknown> & { etag?: string; rowKey?: string };

/** The rows in Table storage that say what each range has done; the only truth about progress. */
export class Ledger {
  private readonly migrations: TableClient;
  private readonly ranges: TableClient;
  private readonly findings: TableClient;
  private ready: Promise<void> | undefined;

  constructor(clients: StorageClients) {
    this.migrations = clients.table('KeyferryMigrations');
    this.ranges = clients.table('KeyferryRanges');
    this.findings = clients.table('KeyferryFindings');
  }

  /** Creates the tables where they are not there. */
  async ensure(): Promise<void> {
    this.ready ??= Promise.all([this.migrations, this.ranges, this.findings].map((table) => table.createTable()))
      .then(() => undefined)
      .catch((error: unknown) => {
        this.ready = undefined;
        throw error;
      });
    await this.ready;
  }

  /** Writes a new plan row; false when there is one with this id. */
  async createMigration(row: Omit<MigrationRow, 'etag'>): Promise<boolean> {
    return await created(this.migrations.createEntity({ partitionKey: MIGRATIONS, rowKey: row.id, ...toPlan(row) }));
  }

  /** Removes a plan row, where it is there. Only for a migration that never began. */
  async deleteMigration(id: string): Promise<void> {
    await found(this.migrations.deleteEntity(MIGRATIONS, rowKeyText(id)).then(() => ({})));
  }

  async getMigration(id: string): Promise<MigrationRow | undefined> {
    const entity = await found(this.migrations.getEntity<Entity>(MIGRATIONS, rowKeyText(id)));
    return entity && fromPlan(entity);
  }

  /** All migrations, or those that have not ended, in no particular order. */
  async listMigrations(which: 'all' | 'open' = 'all'): Promise<MigrationRow[]> {
    const rows: MigrationRow[] = [];
    const partition = `PartitionKey eq '${MIGRATIONS}'`;
    const filter = which === 'open' ? `${partition} and finishedAt eq ''` : partition;
    for await (const entity of this.migrations.listEntities<Entity>({ queryOptions: { filter } })) {
      rows.push(fromPlan(entity));
    }
    return rows;
  }

  /**
   * Changes a plan row. `change` gives the new row, or undefined to leave it, and may be called again on a newer row.
   * Returns the row as it is then; undefined when there is none.
   */
  async updateMigration(
    id: string,
    change: (row: MigrationRow) => MigrationRow | undefined,
  ): Promise<MigrationRow | undefined> {
    for (;;) {
      const row = await this.getMigration(id);
      if (row === undefined) return undefined;
      const changed = change(row);
      if (changed === undefined) return row;
      try {
        const { etag } = await this.migrations.updateEntity(
          { partitionKey: MIGRATIONS, rowKey: id, ...toPlan(changed) },
          'Replace',
          { etag: row.etag },
        );
        return { ...changed, etag: etag ?? '' };
      } catch (error) {
        if (!isConflict(error)) throw error;
      }
    }
  }

  /**
   * Takes a target for one migration. Returns the id of the migration that holds it: this one, or another one that
   * `isOpen` says has not ended.
   */
  async claimTarget(target: string, id: string, isOpen: (id: string) => Promise<boolean>): Promise<string> {
    const rowKey = createHash('sha256').update(target).digest('hex');
    const entity = { partitionKey: TARGETS, rowKey, migration: id };
    for (;;) {
      if (await created(this.migrations.createEntity(entity))) return id;
      const held = await found(this.migrations.getEntity<Entity>(TARGETS, rowKey));
      if (held === undefined) continue;
      const holder = String(held.migration);
      if (holder === id || (await isOpen(holder))) return holder;
      try {
        await this.migrations.updateEntity(entity, 'Replace', { etag: held.etag ?? '' });
        return id;
      } catch (error) {
        if (!isConflict(error)) throw error;
      }
    }
  }

  /** The tally's last sum of a migration. */
  async putSnapshot(id: string, snapshot: Snapshot): Promise<void> {
    await this.migrations.upsertEntity(
      { partitionKey: SNAPSHOTS, rowKey: id, ...toChunks('json', snapshot) },
      'Replace',
    );
  }

  async getSnapshot(id: string): Promise<Snapshot | undefined> {
    const entity = await found(this.migrations.getEntity<Entity>(SNAPSHOTS, rowKeyText(id)));
    return entity && (fromChunks('json', entity) as Snapshot);
  }

  /** Writes new range rows; those that are there stay as they are. */
  async createRanges(rows: readonly Omit<RangeRow, 'etag'>[]): Promise<void> {
    for (let at = 0; at < rows.length; at += BATCH) {
      const batch = rows.slice(at, at + BATCH);
      const actions = batch.map((row): TransactionAction => ['create', toRange(row)]);
      try {
        await this.ranges.submitTransaction(actions);
      } catch (error) {
        if (!isConflict(error)) throw error;
        for (const row of batch) await created(this.ranges.createEntity(toRange(row)));
      }
    }
  }

  async getRange(migration: string, name: string): Promise<RangeRow | undefined> {
    const entity = await found(this.ranges.getEntity<Entity>(rowKeyText(migration), rowKeyText(name)));
    return entity && fromRange(entity);
  }

  /**
   * Writes a range row whole, and what was learnt up to its cursor in the same transaction.
   * @param survey a packed survey, less than 1 MiB
   * @throws LostRowError when the row is no longer as `row.etag` knew it
   */
  async replaceRange(row: RangeRow, survey?: Buffer): Promise<RangeRow> {
    try {
      if (survey !== undefined) return await this.replaceSurveyed(row, survey);
      const { etag } = await this.ranges.updateEntity(toRange(row), 'Replace', { etag: row.etag });
      return { ...row, etag: etag ?? '' };
    } catch (error) {
      if (isConflict(error)) throw new LostRowError(row.name);
      throw error;
    }
  }

  private async replaceSurveyed(row: RangeRow, survey: Buffer): Promise<RangeRow> {
    const { subResponses } = await this.ranges.submitTransaction([
      ['update', toRange(row), 'Replace', { etag: row.etag }],
      ['upsert', toSurvey(row.migration, row.name, row.epoch, survey), 'Replace'],
    ]);
    return { ...row, etag: subResponses[0]?.etag ?? '' };
  }

  /** What a range has learnt up to its row's cursor; undefined when there is nothing of its epoch. */
  async getSurvey({ migration, name, epoch }: RangeRow): Promise<Buffer | undefined> {
    const entity = await found(this.ranges.getEntity<Entity>(rowKeyText(migration), surveyKey(name)));
    return entity !== undefined && Number(entity.epoch) === epoch ? fromSurvey(entity) : undefined;
  }

  /** What all ranges of a migration have learnt in an epoch. */
  async *listSurveys(migration: string, epoch: number): AsyncGenerator<Buffer, void, undefined> {
    const filter = `PartitionKey eq '${rowKeyText(migration)}' and RowKey ge '${SURVEY}-' and RowKey lt '${SURVEY}.'`;
    const pages = this.ranges
      .listEntities<Entity>({ queryOptions: { filter } })
      .byPage({ maxPageSize: SURVEYS_A_PAGE });
    for await (const page of pages) {
      for (const entity of page) if (Number(entity.epoch) === epoch) yield fromSurvey(entity);
    }
  }

  /** All range rows of a migration, or those of one phase, by their numbers. */
  async listRanges(migration: string, phase?: Phase): Promise<RangeRow[]> {
    const rows: RangeRow[] = [];
    const partition = `PartitionKey eq '${rowKeyText(migration)}'`;
    const filter =
      phase === undefined
        ? `${partition} and RowKey lt '${SURVEY}-'`
        : `${partition} and RowKey ge '${phase}-' and RowKey lt '${phase}.'`;
    for await (const entity of this.ranges.listEntities<Entity>({ queryOptions: { filter } })) {
      rows.push(fromRange(entity));
    }
    return rows;
  }

  /** Writes findings. A key has one finding in a migration: a later one replaces the earlier. */
  async addFindings(findings: readonly Finding[]): Promise<void> {
    // Of a key that comes twice only the last: a transaction takes each row once.
    const entities = new Map(findings.map((finding) => [rowOf(finding), toFinding(finding)]));
    for (const batch of batchesOf([...entities.values()])) {
      await this.findings.submitTransaction(batch.map((entity) => ['upsert', entity, 'Replace']));
    }
  }

  /**
   * Writes findings of keys that have none of another kind. Returns how many stand now, so that writing them again gives
   * the same number.
   */
  async addFirstFindings(findings: readonly Finding[]): Promise<number> {
    let stand = 0;
    const entities = new Map(findings.map((finding) => [rowOf(finding), toFinding(finding)]));
    for (const batch of batchesOf([...entities.values()])) {
      const writing = this.findings.submitTransaction(batch.map((entity) => ['create', entity]));
      if (await created(writing)) stand += batch.length;
      else for (const entity of batch) if (await this.isFirst(entity)) stand++;
    }
    return stand;
  }

  /** Writes one finding unless its key has one; whether the key's finding is of this kind then. */
  private async isFirst(entity: FindingEntity): Promise<boolean> {
    if (await created(this.findings.createEntity(entity))) return true;
    const known = await found(this.findings.getEntity<Entity>(entity.partitionKey, entity.rowKey));
    return known?.code === entity.code;
  }

  /** One page of findings, with the token of the next. */
  async listFindings(
    migration: string,
    limit: number,
    continuation: string | undefined,
  ): Promise<{ findings: Finding[]; continuation: string | undefined }> {
    const pages = this.findings
      .listEntities<Entity>({ queryOptions: { filter: `PartitionKey eq '${rowKeyText(migration)}'` } })
      .byPage({ maxPageSize: limit, ...(continuation === undefined ? {} : { continuationToken: continuation }) });
    for await (const page of pages) {
      return { findings: page.map((entity) => fromFinding(migration, entity)), continuation: page.continuationToken };
    }
    return { findings: [], continuation: undefined };
  }
}

/** Whether an entity was created; false when it is there already. */
export async function created(writing: Promise<unknown>): Promise<boolean> {
  try {
    await writing;
    return true;
  } catch (error) {
    if (isConflict(error)) return false;
    throw error;
  }
}

/** The entity, or undefined when there is none. */
export async function found(reading: Promise<Entity>): Promise<Entity | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof RestError && error.statusCode === 404) return undefined;
    throw error;
  }
}

/** 409: the entity is there already. 412: its ETag has changed. */
export function isConflict(error: unknown): boolean {
  return error instanceof RestError && (error.statusCode === 409 || error.statusCode === 412);
}

/** Ids come from outside; what a row key or a filter cannot hold finds nothing. */
function rowKeyText(text: string): string {
  return /^[A-Za-z0-9-]{1,100}$/.test(text) ? text : '-';
}

function toPlan(row: Omit<MigrationRow, 'etag'>): Record<string, unknown> {
  return {
    state: row.state,
    phase: row.phase,
    requestHash: row.requestHash,
    epoch: row.epoch,
    sourceRunId: row.sourceRunId,
    cancelRequested: row.cancelRequested,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt ?? '',
    cause: row.cause ?? '',
    traceparent: row.traceparent ?? '',
    ...toChunks('plan', row.plan),
  };
}

function fromPlan(entity: Entity): MigrationRow {
  return {
    id: String(entity.rowKey),
    state: entity.state as MigrationState,
    phase: entity.phase as Phase,
    requestHash: String(entity.requestHash),
    plan: fromChunks('plan', entity) as Plan,
    epoch: Number(entity.epoch),
    sourceRunId: String(entity.sourceRunId),
    cancelRequested: entity.cancelRequested === true,
    startedAt: String(entity.startedAt),
    finishedAt: textOrNull(entity.finishedAt),
    cause: textOrNull(entity.cause),
    traceparent: textOrNull(entity.traceparent),
    etag: entity.etag ?? '',
  };
}

function toRange(row: Omit<RangeRow, 'etag'>): { partitionKey: string; rowKey: string } & Record<string, unknown> {
  return {
    partitionKey: row.migration,
    rowKey: row.name,
    phase: row.phase,
    number: row.number,
    database: row.database,
    index: row.index,
    bits: row.bits,
    state: row.state,
    epoch: row.epoch,
    generation: row.generation,
    builders: row.builders.join(' '),
    cursor: row.cursor,
    share: String(row.share),
    counts: JSON.stringify(row.counts),
    heartbeat: row.heartbeat ?? '',
    trouble: clip(row.trouble ?? ''),
    cause: clip(row.cause ?? ''),
  };
}

function fromRange(entity: Entity): RangeRow {
  return {
    migration: String(entity.partitionKey),
    name: String(entity.rowKey),
    phase: entity.phase as Phase,
    number: Number(entity.number),
    database: Number(entity.database),
    index: Number(entity.index),
    bits: Number(entity.bits),
    state: entity.state as RangeState,
    epoch: Number(entity.epoch),
    generation: Number(entity.generation),
    builders: toBuilders(entity.builders),
    cursor: String(entity.cursor),
    share: Number(entity.share),
    counts: JSON.parse(String(entity.counts)) as Counts,
    heartbeat: textOrNull(entity.heartbeat),
    trouble: textOrNull(entity.trouble),
    cause: textOrNull(entity.cause),
    etag: entity.etag ?? '',
  };
}

/** Whatever stands there says that there were some; a row of an earlier version has none. */
function toBuilders(value: unknown): number[] {
  const words = typeof value === 'string' ? value.split(' ').filter((word) => word !== '') : [];
  return words.map(Number).map((generation) => (Number.isSafeInteger(generation) ? generation : 0));
}

/** Row keys of surveys: behind those of all phases. */
const SURVEY = 'survey';
const SURVEYS_A_PAGE = 50;
/** A binary property of an entity holds 64 KiB. */
const SURVEY_CHUNK = 65_536;

function surveyKey(range: string): string {
  return `${SURVEY}-${rowKeyText(range)}`;
}

function toSurvey(partitionKey: string, range: string, epoch: number, packed: Buffer) {
  const entity: { partitionKey: string; rowKey: string } & Record<string, unknown> = {
    partitionKey,
    rowKey: surveyKey(range),
    epoch,
  };
  for (let i = 0; i * SURVEY_CHUNK < packed.length; i++) {
    entity[`packed${i}`] = packed.subarray(i * SURVEY_CHUNK, (i + 1) * SURVEY_CHUNK);
  }
  return entity;
}

function fromSurvey(entity: Entity): Buffer {
  const chunks: Uint8Array[] = [];
  for (let i = 0; ; i++) {
    const chunk = entity[`packed${i}`];
    if (!(chunk instanceof Uint8Array)) return Buffer.concat(chunks);
    chunks.push(chunk);
  }
}

/** Texts for people may come from servers, of any length. Never cut inside a character. */
function clip(text: string): string {
  return text.slice(0, 1_000).replace(/[\ud800-\udbff]$/, '');
}

/** Key names beyond this are kept in part: an entity holds 1 MiB, a property 64 KiB. */
const LONGEST_KEY = 32_768;

interface FindingEntity {
  readonly [field: string]: unknown;
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly key: Buffer;
  readonly code: string;
}

function rowOf({ database, key }: Finding): string {
  return `${database}-${createHash('sha256').update(key).digest('hex').slice(0, 40)}`;
}

/** A transaction holds 4 MiB, and keys travel as base64. */
const BATCH_BYTES = 2 * 1_048_576;

function batchesOf(entities: readonly FindingEntity[]): FindingEntity[][] {
  const batches: FindingEntity[][] = [];
  let bytes = Infinity;
  for (const entity of entities) {
    const last = batches.at(-1);
    bytes += entity.key.length;
    if (last !== undefined && last.length < BATCH && bytes <= BATCH_BYTES) {
      last.push(entity);
    } else {
      batches.push([entity]);
      bytes = entity.key.length;
    }
  }
  return batches;
}

function toFinding(finding: Finding): FindingEntity {
  return {
    partitionKey: finding.migration,
    rowKey: rowOf(finding),
    database: finding.database,
    key: finding.key.subarray(0, LONGEST_KEY),
    code: finding.code,
    message: clip(finding.message),
  };
}

function fromFinding(migration: string, entity: Entity): Finding {
  const key = entity.key;
  return {
    migration,
    database: Number(entity.database),
    key: key instanceof Uint8Array ? Buffer.from(key) : Buffer.alloc(0),
    code: String(entity.code),
    message: String(entity.message),
  };
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
