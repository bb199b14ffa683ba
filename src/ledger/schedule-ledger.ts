import type { TableClient } from '@azure/data-tables';
import { z } from 'zod';
import { created, found, isConflict } from './entities';
import { NewerRowError, parseRow, ROW_VERSION, version } from './row-schemas';
import type { StorageClients } from './storage-clients';

/**
 * starting: claimed, and not yet known to have started. started: there is a migration, which has its own state.
 * refused: it could not be started as configured, and is not tried again.
 */
export type RunState = 'starting' | 'started' | 'refused';

/** The last run of a schedule. Times are ISO 8601. */
export interface ScheduledRun {
  /** When it came due. */
  readonly due: string;
  /** The id that its migration has, or would have. */
  readonly migration: string;
  readonly state: RunState;
  /** When it was first tried. */
  readonly claimedAt: string;
  /** Why it has not started yet, or was refused; null where all is well. */
  readonly message: string | null;
}

/** What is remembered of a schedule. */
export interface ScheduleRow {
  readonly name: string;
  /** Its `when` as JSON: times of another one have not been missed. */
  readonly when: string;
  /** What came due up to here is settled, ISO 8601. */
  readonly settledUntil: string;
  readonly run: ScheduledRun | null;
  readonly etag: string;
}

const PARTITION = 'schedule';

type Entity = Record<string, unknown> & { etag?: string; rowKey?: string };

/** The rows in Table storage that say up to when each schedule is settled, and what its last run was. */
export class ScheduleLedger {
  private readonly table: TableClient;
  private ready: Promise<void> | undefined;

  constructor(clients: StorageClients) {
    this.table = clients.table('KeyferrySchedules');
  }

  /** All rows, and what is wrong with those of a newer version, of which nothing is known but that they are there. */
  async list(): Promise<{ rows: ScheduleRow[]; newer: NewerRowError[] }> {
    await this.ensure();
    const rows: ScheduleRow[] = [];
    const newer: NewerRowError[] = [];
    for await (const entity of this.table.listEntities<Entity>()) {
      try {
        rows.push(fromEntity(entity));
      } catch (error) {
        if (!(error instanceof NewerRowError)) throw error;
        newer.push(error);
      }
    }
    return { rows, newer };
  }

  /** @throws NewerRowError */
  async get(name: string): Promise<ScheduleRow | undefined> {
    await this.ensure();
    const entity = await found(this.table.getEntity<Entity>(PARTITION, keyOf(name)));
    return entity && fromEntity(entity);
  }

  /** Writes a new row; undefined when there is one already. */
  async create(row: Omit<ScheduleRow, 'etag'>): Promise<ScheduleRow | undefined> {
    await this.ensure();
    return (await created(this.table.createEntity(toEntity(row)))) ? await this.get(row.name) : undefined;
  }

  /** Writes a row whole; undefined when it is no longer as `row.etag` knew it. */
  async replace(row: ScheduleRow): Promise<ScheduleRow | undefined> {
    try {
      const { etag } = await this.table.updateEntity(toEntity(row), 'Replace', { etag: row.etag });
      return { ...row, etag: etag ?? '' };
    } catch (error) {
      if (isConflict(error)) return undefined;
      throw error;
    }
  }

  async remove(name: string): Promise<void> {
    await found(this.table.deleteEntity(PARTITION, keyOf(name)).then(() => ({})));
  }

  private async ensure(): Promise<void> {
    this.ready ??= this.table.createTable().catch((error: unknown) => {
      this.ready = undefined;
      throw error;
    });
    await this.ready;
  }
}

/** Names that differ in case only are one schedule. */
function keyOf(name: string): string {
  return name.toLowerCase();
}

function toEntity(row: Omit<ScheduleRow, 'etag'>): { partitionKey: string; rowKey: string } & Record<string, unknown> {
  return {
    partitionKey: PARTITION,
    rowKey: keyOf(row.name),
    version: ROW_VERSION,
    scheduleName: row.name,
    when: row.when,
    settledUntil: row.settledUntil,
    run: JSON.stringify(row.run),
  };
}

const time = z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'must be a time');
const schema = z.object({
  version,
  scheduleName: z.string().min(1),
  when: z.string(),
  settledUntil: time,
  run: z
    .object({
      due: time,
      migration: z.string(),
      state: z.enum(['starting', 'started', 'refused']),
      claimedAt: time,
      message: z.string().nullable(),
    })
    .nullable(),
});

/**
 * A row that cannot be read is as that of a schedule which was never seen: its `when` is no schedule's, so what came due
 * before this process read its settings is not caught up. A run of it that is under way still holds its target.
 * @throws NewerRowError
 */
function fromEntity(entity: Entity): ScheduleRow {
  const etag = entity.etag ?? '';
  const row = `The row of the schedule "${String(entity.rowKey)}"`;
  const parsed = parseRow(row, schema, { ...entity, run: parsedRun(entity.run) });
  if (!parsed.ok) {
    if (parsed.error instanceof NewerRowError) throw parsed.error;
    return { name: String(entity.rowKey), when: '', settledUntil: new Date(0).toISOString(), run: null, etag };
  }
  const { scheduleName: name, when, settledUntil, run } = parsed.value;
  return { name, when, settledUntil, run, etag };
}

function parsedRun(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return undefined;
  }
}
