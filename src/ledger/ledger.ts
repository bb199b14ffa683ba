import { createHash } from 'node:crypto';
import { RestError, type TableClient, type TransactionAction } from '@azure/data-tables';
import { safeText } from '../basics/safe-text';
import { firstCourse } from '../migration/course';
import type { Plan } from '../migration/plan';
import type { Snapshot } from '../migration/report';
import { fromChunks, toChunks } from './chunked-text';
import {
  findingSchema,
  migrationSchema,
  migrationStateSchema,
  mustParse,
  parseRow,
  rangeSchema,
  ROW_VERSION,
  snapshotSchema,
  UnreadableRowError,
} from './row-schemas';
import {
  brokenRange,
  finalStates,
  readRangeName,
  type Finding,
  type MigrationRow,
  type MigrationState,
  type RangeRow,
  type UnreadableMigration,
} from '../migration/rows';
import type { StorageClients } from './storage-clients';

/** Who holds a target, and since when, ms since 1970. */
export interface Claim {
  readonly holder: string;
  readonly since: number;
}

/** Whether the holder of a claim may still write to its target. */
export type IsOpen = (claim: Claim) => Promise<boolean>;

/** Somebody else wrote the row in between, or it is gone: this worker has lost it. */
export class LostRowError extends Error {
  constructor(row: string) {
    super(`The row ${row} was written by another worker, or deleted.`);
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

  /** A plan row; undefined when there is none. @throws UnreadableRowError */
  async getMigration(id: string): Promise<MigrationRow | undefined> {
    const entity = await this.planEntity(id);
    return entity && fromPlan(entity);
  }

  /** All migrations that can be read, or those of them that have not ended, in no particular order. */
  async listMigrations(which: 'all' | 'open' = 'all'): Promise<MigrationRow[]> {
    return (await this.readMigrations(which)).rows;
  }

  /** The same, with those that cannot be read. */
  async readMigrations(which: 'all' | 'open'): Promise<{ rows: MigrationRow[]; unreadable: UnreadableMigration[] }> {
    const rows: MigrationRow[] = [];
    const unreadable: UnreadableMigration[] = [];
    const partition = `PartitionKey eq '${MIGRATIONS}'`;
    const filter = which === 'open' ? `${partition} and finishedAt eq ''` : partition;
    for await (const entity of this.migrations.listEntities<Entity>({ queryOptions: { filter } })) {
      try {
        rows.push(fromPlan(entity));
      } catch (error) {
        if (!(error instanceof UnreadableRowError)) throw error;
        const { rowKey, startedAt, finishedAt } = entity;
        const { reason } = error;
        unreadable.push({
          id: String(rowKey),
          reason,
          startedAt: textOrNull(startedAt),
          finishedAt: textOrNull(finishedAt),
        });
      }
    }
    return { rows, unreadable };
  }

  /** A migration's state, though the rest of its row cannot be read: a state that cannot be read either is `unknown`. */
  async stateOf(id: string): Promise<MigrationState | 'unknown' | undefined> {
    const entity = await this.planEntity(id);
    if (entity === undefined) return undefined;
    const state = migrationStateSchema.safeParse(entity.state);
    return state.success ? state.data : 'unknown';
  }

  /** Ends a migration whose row cannot be read, and leaves the rest of the row as it is. */
  async failUnreadable(id: string, cause: string): Promise<void> {
    for (;;) {
      const entity = await this.planEntity(id);
      if (entity === undefined || finalStates.some((state) => state === entity.state)) return;
      const ended = { state: 'failed', cancelRequested: true, finishedAt: new Date().toISOString(), cause };
      try {
        await this.migrations.updateEntity({ partitionKey: MIGRATIONS, rowKey: id, ...ended }, 'Merge', {
          etag: entity.etag ?? '',
        });
        return;
      } catch (error) {
        if (!isConflict(error)) throw error;
      }
    }
  }

  private async planEntity(id: string): Promise<Entity | undefined> {
    return await found(this.migrations.getEntity<Entity>(MIGRATIONS, rowKeyText(id)));
  }

  /**
   * Changes a plan row. `change` gives the new row, or undefined to leave it, and may be called again on a newer row.
   * Returns the row as it is then; undefined when there is none.
   * @throws UnreadableRowError
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
   * Takes a target for one migration, under all names that it is known by, or under none. Returns the id of the migration
   * that holds it: this one, or another one that `isOpen` says may still write. Two that take some of the same names at
   * the same time do so in the same order, so that one of them goes on.
   */
  async claimTarget(names: readonly string[], id: string, isOpen: IsOpen): Promise<string> {
    const taken: string[] = [];
    for (const rowKey of [...new Set(names.map(claimKey))].sort()) {
      const { holder, isNew } = await this.claim(rowKey, id, isOpen);
      if (holder !== id) {
        for (const key of taken) await this.giveBack(key, id);
        return holder;
      }
      if (isNew) taken.push(rowKey);
    }
    return id;
  }

  /** Gives back what a migration that never began has taken. */
  async giveBackTarget(names: readonly string[], id: string): Promise<void> {
    for (const name of new Set(names)) await this.giveBack(claimKey(name), id);
  }

  /** Who holds a target by one of these names, and may still write to it. */
  async holderOf(names: readonly string[], isOpen: IsOpen): Promise<string | undefined> {
    for (const name of names) {
      const held = await this.claimEntity(claimKey(name));
      if (held !== undefined && (await isOpen(readClaim(held)))) return readClaim(held).holder;
    }
    return undefined;
  }

  private async claim(rowKey: string, id: string, isOpen: IsOpen): Promise<{ holder: string; isNew: boolean }> {
    for (;;) {
      const entity = { partitionKey: TARGETS, rowKey, migration: id, claimedAt: new Date().toISOString() };
      if (await created(this.migrations.createEntity(entity))) return { holder: id, isNew: true };
      const held = await this.claimEntity(rowKey);
      if (held === undefined) continue;
      const claim = readClaim(held);
      if (claim.holder === id || (await isOpen(claim))) return { holder: claim.holder, isNew: false };
      try {
        await this.migrations.updateEntity(entity, 'Replace', { etag: held.etag ?? '' });
        return { holder: id, isNew: true };
      } catch (error) {
        if (!isConflict(error) && !isGone(error)) throw error;
      }
    }
  }

  private async giveBack(rowKey: string, id: string): Promise<void> {
    const held = await this.claimEntity(rowKey);
    if (held === undefined || readClaim(held).holder !== id) return;
    try {
      await this.migrations.deleteEntity(TARGETS, rowKey, { etag: held.etag ?? '' });
    } catch (error) {
      // Somebody else has it by now.
      if (!isConflict(error) && !isGone(error)) throw error;
    }
  }

  private async claimEntity(rowKey: string): Promise<Entity | undefined> {
    return await found(this.migrations.getEntity<Entity>(TARGETS, rowKey));
  }

  /** The tally's last sum of a migration. */
  async putSnapshot(id: string, snapshot: Snapshot): Promise<void> {
    await this.migrations.upsertEntity(
      { partitionKey: SNAPSHOTS, rowKey: id, ...toChunks('json', snapshot) },
      'Replace',
    );
  }

  /** Undefined when there is none, or none that can be read. */
  async getSnapshot(id: string): Promise<Snapshot | undefined> {
    const entity = await found(this.migrations.getEntity<Entity>(SNAPSHOTS, rowKeyText(id)));
    const parsed = entity && parseRow(snapshotSchema, chunksOrUndefined('json', entity));
    return parsed?.ok === true ? (parsed.value as unknown as Snapshot) : undefined;
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

  /** A range row, or what stands in for one that cannot be read; undefined when there is none. */
  async getRange(migration: string, name: string): Promise<RangeRow | undefined> {
    const entity = await found(this.ranges.getEntity<Entity>(rowKeyText(migration), rowKeyText(name)));
    return entity && fromRange(entity);
  }

  /**
   * Writes a range row whole, and what was learnt up to its cursor in the same transaction.
   * @param survey a packed survey, less than 1 MiB
   * @throws LostRowError when the row is no longer as `row.etag` knew it, or gone
   */
  async replaceRange(row: RangeRow, survey?: Buffer): Promise<RangeRow> {
    try {
      if (survey !== undefined) return await this.replaceSurveyed(row, survey);
      const { etag } = await this.ranges.updateEntity(toRange(row), 'Replace', { etag: row.etag });
      return { ...row, etag: etag ?? '' };
    } catch (error) {
      if (isConflict(error) || isGone(error)) throw new LostRowError(row.name);
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
    const filter = `PartitionKey eq '${rowKeyText(migration)}' and RowKey ge '${SURVEYS.from}' and RowKey lt '${SURVEYS.to}'`;
    const pages = this.ranges
      .listEntities<Entity>({ queryOptions: { filter } })
      .byPage({ maxPageSize: SURVEYS_A_PAGE });
    for await (const page of pages) {
      for (const entity of page) if (Number(entity.epoch) === epoch) yield fromSurvey(entity);
    }
  }

  /** All range rows of a migration, or those of one phase, by their numbers; for those that cannot be read, stand-ins. */
  async listRanges(migration: string, phase?: string): Promise<RangeRow[]> {
    const rows: RangeRow[] = [];
    const partition = `PartitionKey eq '${rowKeyText(migration)}'`;
    const filter =
      phase === undefined
        ? `${partition} and (RowKey lt '${SURVEYS.from}' or RowKey ge '${SURVEYS.to}')`
        : `${partition} and RowKey ge '${rowKeyText(phase)}-0' and RowKey lt '${rowKeyText(phase)}-:'`;
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
  async addFirstFindings(findings: readonly Finding[], counts: Counting = () => true): Promise<number> {
    let stand = 0;
    const entities = new Map(findings.map((finding) => [rowOf(finding), toFinding(finding)]));
    for (const batch of batchesOf([...entities.values()])) {
      const writing = this.findings.submitTransaction(batch.map((entity) => ['create', entity]));
      if (await created(writing)) stand += batch.length;
      else for (const entity of batch) if (await this.isFirst(entity, counts)) stand++;
    }
    return stand;
  }

  /** Writes one finding unless its key has one that counts; whether the key's finding is of this kind then. */
  private async isFirst(entity: FindingEntity, counts: Counting): Promise<boolean> {
    if (await created(this.findings.createEntity(entity))) return true;
    const known = await found(this.findings.getEntity<Entity>(entity.partitionKey, entity.rowKey));
    if (known === undefined || counts(fromFinding(entity.partitionKey, known))) return known?.code === entity.code;
    await this.findings.upsertEntity(entity, 'Replace');
    return true;
  }

  /** One page of the findings that count, with the token of the next; a page may hold few or none although others follow. */
  async listFindings(
    migration: string,
    limit: number,
    continuation: string | undefined,
    counts: Counting = () => true,
  ): Promise<{ findings: Finding[]; continuation: string | undefined }> {
    const pages = this.findings
      .listEntities<Entity>({ queryOptions: { filter: `PartitionKey eq '${rowKeyText(migration)}'` } })
      .byPage({ maxPageSize: limit, ...(continuation === undefined ? {} : { continuationToken: continuation }) });
    for await (const page of pages) {
      const findings = page.map((entity) => fromFinding(migration, entity)).filter(counts);
      return { findings, continuation: page.continuationToken };
    }
    return { findings: [], continuation: undefined };
  }
}

/** Whether a finding counts: of a walk that began anew, what it found before does not. */
export type Counting = (finding: Pick<Finding, 'phase' | 'epoch'>) => boolean;

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
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** 404: there is no such entity. */
export function isGone(error: unknown): boolean {
  return error instanceof RestError && error.statusCode === 404;
}

/** 409: the entity is there already. 412: its ETag has changed. */
export function isConflict(error: unknown): boolean {
  return error instanceof RestError && (error.statusCode === 409 || error.statusCode === 412);
}

/** Ids come from outside; what a row key or a filter cannot hold finds nothing. */
function rowKeyText(text: string): string {
  return /^[A-Za-z0-9-]{1,100}$/.test(text) ? text : '-';
}

function claimKey(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}

/** A claim that cannot be read is nobody's, and old. */
function readClaim({ migration, claimedAt }: Entity): Claim {
  const since = Date.parse(String(claimedAt));
  return { holder: typeof migration === 'string' ? migration : '', since: Number.isNaN(since) ? 0 : since };
}

function toPlan(row: Omit<MigrationRow, 'etag'>): Record<string, unknown> {
  return {
    version: ROW_VERSION,
    state: row.state,
    phase: row.phase,
    pass: row.pass,
    requestHash: row.requestHash,
    epoch: row.epoch,
    walkedRunId: row.walkedRunId,
    cancelRequested: row.cancelRequested,
    stopCause: safeText(row.stopCause ?? '', LONGEST_TEXT),
    course: JSON.stringify(row.course),
    startedAt: row.startedAt,
    finishedAt: row.finishedAt ?? '',
    cause: row.cause ?? '',
    traceparent: row.traceparent ?? '',
    phasesWithRows: row.phasesWithRows.join(','),
    ...toChunks('plan', row.plan),
  };
}

/** @throws UnreadableRowError */
function fromPlan(entity: Entity): MigrationRow {
  const id = String(entity.rowKey);
  const stored = { ...entity, plan: chunksOrUndefined('plan', entity) };
  const row = mustParse(`The row of the migration "${id}"`, migrationSchema, stored);
  const plan = row.plan as unknown as Plan;
  return {
    id,
    state: row.state,
    phase: row.phase,
    pass: row.pass,
    requestHash: row.requestHash,
    plan,
    epoch: row.epoch,
    walkedRunId: row.walkedRunId,
    cancelRequested: row.cancelRequested,
    stopCause: row.stopCause,
    // Rows of earlier versions have none.
    course: row.course ?? firstCourse(plan),
    startedAt: row.startedAt,
    finishedAt: row.finishedAt,
    cause: row.cause,
    traceparent: row.traceparent,
    phasesWithRows: row.phasesWithRows,
    etag: entity.etag ?? '',
  };
}

function toRange(row: Omit<RangeRow, 'etag'>): { partitionKey: string; rowKey: string } & Record<string, unknown> {
  return {
    partitionKey: row.migration,
    rowKey: row.name,
    version: ROW_VERSION,
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
    share: String(row.share),
    counts: JSON.stringify(row.counts),
    heartbeat: row.heartbeat ?? '',
    trouble: safeText(row.trouble ?? '', LONGEST_TEXT),
    cause: safeText(row.cause ?? '', LONGEST_TEXT),
  };
}

/** The row, or what stands in for it where it cannot be read. */
function fromRange(entity: Entity): RangeRow {
  const migration = String(entity.partitionKey);
  const name = String(entity.rowKey);
  const etag = entity.etag ?? '';
  const parsed = parseRow(rangeSchema, entity);
  const named = readRangeName(name);
  const isNamed = parsed.ok && named?.phase === parsed.value.phase && named.number === parsed.value.number;
  if (!isNamed) {
    const { phase, number } = named ?? { phase: '', number: -1 };
    const reason = parsed.ok ? 'phase and number: its name is that of another range' : parsed.reason;
    const cause = `The ledger's row of the range ${name} cannot be read: ${reason}`;
    return brokenRange({ migration, name, phase, number, etag }, { database: 0, index: 0, bits: 0 }, cause);
  }
  const row = parsed.value;
  return {
    migration,
    name,
    phase: row.phase,
    number: row.number,
    database: row.database,
    index: row.index,
    bits: row.bits,
    state: row.state,
    epoch: row.epoch,
    pass: row.pass,
    generation: row.generation,
    builders: row.builders,
    cursor: row.cursor,
    share: row.share,
    counts: row.counts,
    heartbeat: row.heartbeat,
    trouble: row.trouble,
    cause: row.cause,
    etag,
  };
}

/** What a survey's row key begins with; the name of its range follows, which begins with a letter: that of a range of a phase "survey" goes on with a digit. */
const SURVEY = 'survey';
const SURVEYS = { from: `${SURVEY}-a`, to: `${SURVEY}-{` };
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

/** Texts for people may have in them what servers say and keys are called. UTF-16 units. */
const LONGEST_TEXT = 1_000;

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
    message: safeText(finding.message, LONGEST_TEXT),
    ...(finding.phase === undefined ? {} : { phase: finding.phase }),
    ...(finding.epoch === undefined ? {} : { epoch: finding.epoch }),
  };
}

/** A finding that cannot be read is still one: how many there are was counted. */
function fromFinding(migration: string, entity: Entity): Finding {
  const parsed = parseRow(findingSchema, entity);
  if (!parsed.ok) {
    const database = Number(/^\d{1,5}(?=-)/.exec(String(entity.rowKey))?.[0] ?? 0);
    const message = `The ledger's row of this finding cannot be read: ${parsed.reason}`;
    return { migration, database, key: Buffer.alloc(0), code: 'unreadable', message };
  }
  const { key, ...rest } = parsed.value;
  return { migration, key: Buffer.from(key), ...rest };
}

/** A value in pieces; undefined where they are no JSON. */
function chunksOrUndefined(name: string, entity: Entity): unknown {
  try {
    return fromChunks(name, entity);
  } catch {
    return undefined;
  }
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
