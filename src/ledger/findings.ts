import { createHash } from 'node:crypto';
import type { TableClient } from '@azure/data-tables';
import type { Finding, StoredFinding } from '../migration/rows';
import { BATCH, created, found, rowKeyText, textForPeople, type Entity } from './entities';
import { findingSchema, parseRow, ROW_VERSION } from './row-schemas';

/** Whether a finding counts: of a walk that began anew, what it found before does not. */
export type Counting = (finding: Pick<Finding, 'phase' | 'epoch'>) => boolean;

/** The findings of all migrations, one row for each key. */
export class Findings {
  constructor(private readonly table: TableClient) {}

  /** Writes findings. A key has one finding in a migration: a later one replaces the earlier. */
  async add(findings: readonly Finding[]): Promise<void> {
    // Of a key that comes twice only the last: a transaction takes each row once.
    const entities = new Map(findings.map((finding) => [rowOf(finding), toFinding(finding)]));
    for (const batch of batchesOf([...entities.values()])) {
      await this.table.submitTransaction(batch.map((entity) => ['upsert', entity, 'Replace']));
    }
  }

  /**
   * Writes findings of keys that have none of another kind. Returns how many stand now, so that writing them again gives
   * the same number.
   */
  async addFirst(findings: readonly Finding[], counts: Counting = () => true): Promise<number> {
    let stand = 0;
    const entities = new Map(findings.map((finding) => [rowOf(finding), toFinding(finding)]));
    for (const batch of batchesOf([...entities.values()])) {
      const writing = this.table.submitTransaction(batch.map((entity) => ['create', entity]));
      if (await created(writing)) stand += batch.length;
      else for (const entity of batch) if (await this.isFirst(entity, counts)) stand++;
    }
    return stand;
  }

  /** Writes one finding unless its key has one that counts; whether the key's finding is of this kind then. */
  private async isFirst(entity: FindingEntity, counts: Counting): Promise<boolean> {
    if (await created(this.table.createEntity(entity))) return true;
    const known = await found(this.table.getEntity<Entity>(entity.partitionKey, entity.rowKey));
    if (known === undefined || counts(fromFinding(entity.partitionKey, known))) return known?.code === entity.code;
    await this.table.upsertEntity(entity, 'Replace');
    return true;
  }

  /** One page of the findings that count, with the token of the next; a page may hold few or none although others follow. */
  async list(
    migration: string,
    limit: number,
    continuation: string | undefined,
    counts: Counting = () => true,
  ): Promise<{ findings: StoredFinding[]; continuation: string | undefined }> {
    const pages = this.table
      .listEntities<Entity>({ queryOptions: { filter: `PartitionKey eq '${rowKeyText(migration)}'` } })
      .byPage({ maxPageSize: limit, ...(continuation === undefined ? {} : { continuationToken: continuation }) });
    for await (const page of pages) {
      const findings = page.map((entity) => fromFinding(migration, entity)).filter(counts);
      return { findings, continuation: page.continuationToken };
    }
    return { findings: [], continuation: undefined };
  }
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
    version: ROW_VERSION,
    database: finding.database,
    key: finding.key.subarray(0, LONGEST_KEY),
    code: finding.code,
    message: textForPeople(finding.message),
    ...(finding.phase === undefined ? {} : { phase: finding.phase }),
    ...(finding.epoch === undefined ? {} : { epoch: finding.epoch }),
  };
}

/** A finding that cannot be read is still one: how many there are was counted. */
function fromFinding(migration: string, entity: Entity): StoredFinding {
  const parsed = parseRow("The ledger's row of this finding", findingSchema, entity);
  if (!parsed.ok) {
    const database = Number(/^\d{1,5}(?=-)/.exec(String(entity.rowKey))?.[0] ?? 0);
    return { migration, database, key: Buffer.alloc(0), code: 'unreadable', message: parsed.error.message };
  }
  const { key, version: _, ...rest } = parsed.value;
  return { migration, key: Buffer.from(key), ...rest };
}
