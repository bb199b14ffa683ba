import type { TableClient } from '@azure/data-tables';
import type { LiveRow, StandbyRow } from '../migration/live';
import { toChunks } from './chunked-text';
import {
  chunksOrUndefined,
  created,
  found,
  isConflict,
  isGone,
  rowKeyText,
  textForPeople,
  type Entity,
} from './entities';
import { LostRowError } from './range-rows';
import { liveSchema, NewerRowError, parseRow, ROW_VERSION, standbySchema } from './row-schemas';

const PARTITION = 'live';
/** Of those that stand by. */
const STANDBY_PARTITION = 'live-standby';

/** Who follows each source, and how far. */
export class LiveRows {
  constructor(private readonly table: TableClient) {}

  /** Undefined where nobody ever followed, or what is there cannot be read. @throws NewerRowError */
  async get(migration: string): Promise<LiveRow | undefined> {
    const entity = await found(this.table.getEntity<Entity>(PARTITION, rowKeyText(migration)));
    if (entity === undefined) return undefined;
    const name = `The row of who follows the source of "${migration}"`;
    const parsed = parseRow(name, liveSchema, chunksOrUndefined('json', entity));
    if (!parsed.ok && parsed.error instanceof NewerRowError) throw parsed.error;
    // Whoever takes it begins anew, with a gap.
    if (!parsed.ok) return undefined;
    const { version: _, ...row } = parsed.value;
    return { ...row, migration, etag: entity.etag ?? '' };
  }

  /**
   * Takes the following of a source: whoever had it before stops at its next write.
   * @param etag of the row that was seen; undefined where there was none that could be read
   * @throws LostRowError when somebody wrote it since
   */
  async take(row: Omit<LiveRow, 'etag'>, etag: string | undefined): Promise<LiveRow> {
    if (etag !== undefined) return await this.replace({ ...row, etag });
    const entity = toEntity(row);
    if (!(await created(this.table.createEntity(entity)))) {
      if ((await this.get(row.migration)) !== undefined) throw new LostRowError(row.migration);
      await this.table.upsertEntity(entity, 'Replace');
    }
    const taken = await this.get(row.migration);
    if (taken?.holder !== row.holder) throw new LostRowError(row.migration);
    return taken;
  }

  /** @throws LostRowError when somebody else has it */
  async replace({ etag, ...row }: LiveRow): Promise<LiveRow> {
    try {
      const written = await this.table.updateEntity(toEntity(row), 'Replace', { etag });
      return { ...row, etag: written.etag ?? '' };
    } catch (error) {
      if (isConflict(error) || isGone(error)) throw new LostRowError(row.migration);
      throw error;
    }
  }

  /** Undefined where nobody ever stood by, or what is there cannot be read. @throws NewerRowError */
  async getStandby(migration: string): Promise<StandbyRow | undefined> {
    const entity = await found(this.table.getEntity<Entity>(STANDBY_PARTITION, rowKeyText(migration)));
    if (entity === undefined) return undefined;
    const name = `The row of who stands by at the source of "${migration}"`;
    const parsed = parseRow(name, standbySchema, chunksOrUndefined('json', entity));
    if (!parsed.ok && parsed.error instanceof NewerRowError) throw parsed.error;
    if (!parsed.ok) return undefined;
    const { version: _, ...row } = parsed.value;
    return { ...row, migration, etag: entity.etag ?? '' };
  }

  /** Takes the place of who stands by. @throws LostRowError when somebody wrote it since */
  async takeStandby(row: Omit<StandbyRow, 'etag'>, etag: string | undefined): Promise<StandbyRow> {
    if (etag !== undefined) return await this.replaceStandby({ ...row, etag });
    const entity = toStandbyEntity(row);
    if (!(await created(this.table.createEntity(entity)))) {
      if ((await this.getStandby(row.migration)) !== undefined) throw new LostRowError(row.migration);
      await this.table.upsertEntity(entity, 'Replace');
    }
    const taken = await this.getStandby(row.migration);
    if (taken?.holder !== row.holder) throw new LostRowError(row.migration);
    return taken;
  }

  /** @throws LostRowError when somebody else has it */
  async replaceStandby({ etag, ...row }: StandbyRow): Promise<StandbyRow> {
    try {
      const written = await this.table.updateEntity(toStandbyEntity(row), 'Replace', { etag });
      return { ...row, etag: written.etag ?? '' };
    } catch (error) {
      if (isConflict(error) || isGone(error)) throw new LostRowError(row.migration);
      throw error;
    }
  }
}

function toStandbyEntity(row: Omit<StandbyRow, 'etag'>) {
  const trouble = row.trouble === null ? null : textForPeople(row.trouble);
  const json = toChunks('json', { ...row, trouble, version: ROW_VERSION });
  return { partitionKey: STANDBY_PARTITION, rowKey: row.migration, ...json };
}

function toEntity(row: Omit<LiveRow, 'etag'>) {
  const lastGap = row.lastGap === null ? null : textForPeople(row.lastGap);
  const trouble = row.trouble === null ? null : textForPeople(row.trouble);
  const json = toChunks('json', { ...row, lastGap, trouble, version: ROW_VERSION });
  return { partitionKey: PARTITION, rowKey: row.migration, ...json };
}
