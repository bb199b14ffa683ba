import { createHash } from 'node:crypto';
import type { TableClient } from '@azure/data-tables';
import { inParallel } from '../basics/in-parallel';
import type { Finding, StoredFinding } from '../migration/rows';
import { BATCH, found, rowKeyText, textForPeople, type Entity } from './entities';
import { FindingBatches, findingPlace, LONGEST_KEY, type Counting, type FindingPlace } from './finding-batches';
import type { RangeRows } from './range-rows';
import { findingSchema, parseRow, ROW_VERSION } from './row-schemas';

/** How many keys are looked up at once. */
const PARALLEL = 16;

/**
 * The findings of all migrations: those of ranges in batches; those of whoever follows a source, and of versions before, with a row
 * for each key.
 */
export class Findings {
  readonly batches: FindingBatches;

  constructor(
    private readonly table: TableClient,
    ranges: Pick<RangeRows, 'get'>,
  ) {
    this.batches = new FindingBatches(table, ranges);
  }

  /** Writes findings, each into a row of its own. A key has one such finding in a migration: a later one replaces the earlier. */
  async add(findings: readonly Finding[]): Promise<void> {
    // Of a key that comes twice only the last: a transaction takes each row once.
    const entities = new Map(findings.map((finding) => [rowOf(finding), toFinding(finding)]));
    for (const batch of batchesOf([...entities.values()])) {
      await this.table.submitTransaction(batch.map((entity) => ['upsert', entity, 'Replace']));
    }
  }

  /** Whether a migration has findings with rows of their own. */
  async hasOwnRows(migration: string): Promise<boolean> {
    // A page may be empty although others follow.
    for await (const page of this.ownRows(migration, 1, undefined)) if (page.length > 0) return true;
    return false;
  }

  /** The finding with a row of its own that each key has; undefined where it has none. */
  async withOwnRows(
    keys: readonly Pick<Finding, 'migration' | 'database' | 'key'>[],
  ): Promise<(StoredFinding | undefined)[]> {
    return await inParallel(keys, PARALLEL, async (key) => {
      const entity = await found(this.table.getEntity<Entity>(rowKeyText(key.migration), rowOf(key)));
      return entity && fromFinding(key.migration, entity);
    });
  }

  /** One page of the findings that count, with the token of the next; a page may hold few or none although others follow. */
  async list(
    migration: string,
    limit: number,
    continuation: string | undefined,
    counts: Counting = () => true,
  ): Promise<{ findings: StoredFinding[]; continuation: string | undefined }> {
    const place = continuation === undefined ? undefined : readToken(continuation)?.place;
    const findings: StoredFinding[] = [];
    if (place === undefined) {
      for await (const page of this.ownRows(migration, limit, continuation)) {
        findings.push(...page.map((entity) => fromFinding(migration, entity)).filter(counts));
        if (page.continuationToken !== undefined) return { findings, continuation: page.continuationToken };
        break;
      }
    }
    for await (const { finding, place: next } of this.batches.list(migration, place, counts)) {
      if (findings.length === limit) return { findings, continuation: tokenOf(next) };
      findings.push(finding);
    }
    return { findings, continuation: undefined };
  }

  /** Row keys of findings with rows of their own begin with a digit, those of batches with a letter. */
  private ownRows(migration: string, limit: number, continuation: string | undefined) {
    const filter = `PartitionKey eq '${rowKeyText(migration)}' and RowKey lt ':'`;
    return this.table
      .listEntities<Entity>({ queryOptions: { filter } })
      .byPage({ maxPageSize: limit, ...(continuation === undefined ? {} : { continuationToken: continuation }) });
  }
}

/** Whether a token may be one that was given with a page. */
export function isContinuation(token: string): boolean {
  return readToken(token) !== undefined;
}

function tokenOf({ batch, at }: FindingPlace): string {
  return Buffer.from(JSON.stringify({ batch, at })).toString('base64');
}

/** A token of storage, base64 of JSON that names the place of the next row, or one that names the place of a finding. */
function readToken(token: string): { readonly place: FindingPlace | undefined } | undefined {
  try {
    const told = JSON.parse(Buffer.from(token, 'base64').toString('utf8')) as Record<string, unknown> | null;
    if (typeof told?.nextPartitionKey === 'string' && typeof told.nextRowKey === 'string') return { place: undefined };
    const place = findingPlace(told?.batch, told?.at);
    return place && { place };
  } catch {
    return undefined;
  }
}

interface FindingEntity {
  readonly [field: string]: unknown;
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly key: Buffer;
  readonly code: string;
}

function rowOf({ database, key }: Pick<Finding, 'database' | 'key'>): string {
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
