import { promisify } from 'node:util';
import { constants, deflateRaw, inflateRaw } from 'node:zlib';
import type { TableClient } from '@azure/data-tables';
import { FINDINGS_PER_RANGE, readRangeName, type Finding, type RangeRow, type StoredFinding } from '../migration/rows';
import { binaryChunks, created, fromBinaryChunks, rowKeyText, textForPeople, type Entity } from './entities';
import type { RangeRows } from './range-rows';
import {
  FINDINGS_VERSION,
  findingBatchSchema,
  markBatchSchema,
  packedFindings,
  parseRow,
  undefinedIfUnreadable,
  type FindingBatch,
} from './row-schemas';

/** Whether a finding counts: of a walk that began anew, what it found before does not. */
export type Counting = (finding: Pick<Finding, 'phase' | 'epoch'>) => boolean;

/** Whose batches these are: one worker's of a range. */
export type Teller = Pick<RangeRow, 'migration' | 'name' | 'phase' | 'database' | 'epoch' | 'generation'>;

/** The place of a finding: in which batch, and which one there. */
export interface FindingPlace {
  readonly batch: string;
  readonly at: number;
}

/** Bytes of a mark. */
export const MARK_BYTES = 16;

/** Key names beyond this are kept in part. */
export const LONGEST_KEY = 32_768;

const deflated = promisify(deflateRaw);
const inflated = promisify(inflateRaw);

/** No batch is larger unpacked, whatever its row says. */
const LARGEST_BATCH = 8 * 1_048_576;

/** Rows of findings that are asked for at once: at first few, for a short page. */
const FIRST_ROWS = 2;
const MOST_ROWS = 64;

/**
 * The findings of ranges, many in a row of storage: in the order in which a worker told them, by the generation in which it had the
 * range, and never written again. Which of them count the range's row says: what was written and not counted, because its
 * worker died before, or had lost its range, is of nobody.
 */
export class FindingBatches {
  constructor(
    private readonly table: TableClient,
    private readonly ranges: Pick<RangeRows, 'get'>,
  ) {}

  /**
   * Writes a batch down. Done again it must have the same findings.
   * @param first how many the same worker has told before
   * @param findings of less than half a MiB together
   */
  async put(teller: Teller, first: number, findings: readonly Finding[]): Promise<void> {
    const told = findings.map(({ key, code, message }) => [
      key.subarray(0, LONGEST_KEY).toString('base64'),
      code,
      textForPeople(message),
    ]);
    const packed = await deflated(JSON.stringify(told), { level: constants.Z_BEST_SPEED });
    await this.create(FINDINGS, teller, first, { count: findings.length, ...binaryChunks(packed) });
  }

  /** Writes down of which keys a worker has told findings, kept or not: their marks, one behind the other. Otherwise as `put`. */
  async putMarks(teller: Teller, first: number, marks: Buffer): Promise<void> {
    await this.create(MARKS, teller, first, binaryChunks(marks));
  }

  private async create(kind: string, teller: Teller, first: number, content: Record<string, unknown>): Promise<void> {
    const { migration, name, phase, database, epoch, generation } = teller;
    const head = { version: FINDINGS_VERSION, range: name, phase, database, epoch, generation, first };
    // What is there already is the same, of a request whose answer was lost.
    await created(
      this.table.createEntity({
        partitionKey: migration,
        rowKey: `${kind}-${name}-${padded(epoch)}-${padded(generation)}-${padded(first)}`,
        ...head,
        ...content,
      }),
    );
  }

  /** The findings of a migration that count and are kept, from a place on, in the order of their rows. */
  async *list(
    migration: string,
    from: FindingPlace | undefined,
    counts: Counting,
  ): AsyncGenerator<{ readonly finding: StoredFinding; readonly place: FindingPlace }, void, undefined> {
    const known = new Map<string, Promise<RangeRow | undefined>>();
    const rowOf = (name: string) => {
      const row = known.get(name) ?? this.ranges.get(migration, name).catch(undefinedIfUnreadable);
      known.set(name, row);
      return row;
    };
    for await (const page of this.pages(migration, `${FINDINGS}-`, from?.batch)) {
      const batches = page.flatMap((entity) => readBatch(entity) ?? []).filter(counts);
      await Promise.all(batches.map(({ range }) => rowOf(range)));
      for (const batch of batches) {
        const run = (await rowOf(batch.range))?.findingRuns.find(([generation]) => generation === batch.generation);
        const many = Math.min(batch.count, Math.max(0, (run?.[1] ?? 0) - batch.first));
        const start = batch.rowKey === from?.batch ? from.at : 0;
        if (start >= many) continue;
        const findings = await unpacked(migration, batch);
        for (let at = start; at < many; at++) {
          const finding = findings[at];
          if (finding !== undefined) yield { finding, place: { batch: batch.rowKey, at } };
        }
      }
    }
  }

  /** The marks of all keys of which the workers of a range have told findings that its row counts. */
  async *marksOf({ migration, name, epoch, findingRuns }: RangeRow): AsyncGenerator<Buffer, void, undefined> {
    if (findingRuns.length === 0) return;
    const runs = new Map(findingRuns.map(([generation, , marked]) => [generation, marked]));
    for await (const page of this.pages(migration, `${MARKS}-${rowKeyText(name)}-`, undefined)) {
      for (const entity of page) {
        const parsed = parseRow("The ledger's row of marks", markBatchSchema, entity);
        if (!parsed.ok || parsed.value.epoch !== epoch) continue;
        const { generation, first } = parsed.value;
        const many = (runs.get(generation) ?? 0) - first;
        if (many > 0) yield fromBinaryChunks(entity).subarray(0, many * MARK_BYTES);
      }
    }
  }

  /** Rows whose keys begin with a prefix that ends with a hyphen, a page at a time. */
  private async *pages(migration: string, prefix: string, from = prefix): AsyncGenerator<Entity[], void, undefined> {
    const filter = `PartitionKey eq '${rowKeyText(migration)}' and RowKey ge '${from}' and RowKey lt '${prefix.slice(0, -1)}.'`;
    const listed = this.table.listEntities<Entity>({ queryOptions: { filter } });
    let continuation: string | undefined;
    for (let rows = FIRST_ROWS; ; rows = Math.min(MOST_ROWS, rows * 2)) {
      const pages = listed.byPage({
        maxPageSize: rows,
        ...(continuation === undefined ? {} : { continuationToken: continuation }),
      });
      const next = await pages.next();
      if (next.done === true) return;
      const page = next.value;
      yield page;
      continuation = page.continuationToken;
      if (continuation === undefined) return;
    }
  }
}

/** What the row keys begin with: behind those of findings that have a row each, which begin with a digit. */
const MARKS = 'm';
const FINDINGS = 'r';

const BATCH_KEY = /^r-([a-z]+-\d+)(?:-\d{10}){2,3}$/;

/** A place that may be one; undefined for anything else. */
export function findingPlace(batch: unknown, at: unknown): FindingPlace | undefined {
  if (typeof batch !== 'string' || typeof at !== 'number' || !Number.isSafeInteger(at) || at < 0) return undefined;
  return isBatchKey(batch) ? { batch, at } : undefined;
}

function isBatchKey(rowKey: string): boolean {
  return readRangeName(BATCH_KEY.exec(rowKey)?.[1] ?? '') !== undefined;
}

function padded(number: number): string {
  return String(number).padStart(10, '0');
}

type ReadBatch = FindingBatch & { readonly rowKey: string; readonly entity: Entity };

/** Undefined where it is not known whose it is, so that nobody can have counted it. */
function readBatch(entity: Entity): ReadBatch | undefined {
  const parsed = parseRow("The ledger's row of these findings", findingBatchSchema, entity);
  const rowKey = String(entity.rowKey);
  return parsed.ok && isBatchKey(rowKey) ? { ...parsed.value, rowKey, entity } : undefined;
}

/** Findings that cannot be read are still some: how many there are was counted. */
async function unpacked(migration: string, batch: ReadBatch): Promise<StoredFinding[]> {
  const { phase, epoch, database, count, entity } = batch;
  const head = { migration, database, phase, epoch };
  try {
    const text = await inflated(fromBinaryChunks(entity), { maxOutputLength: LARGEST_BATCH });
    const told = packedFindings.length(count).parse(JSON.parse(text.toString()));
    return told.map(([key, code, message]) => ({ ...head, key: Buffer.from(key, 'base64'), code, message }));
  } catch {
    const message = "The ledger's row of this finding cannot be read.";
    const unreadable = { ...head, key: Buffer.alloc(0), code: 'unreadable', message };
    return Array.from({ length: Math.min(count, FINDINGS_PER_RANGE) }, () => unreadable);
  }
}
