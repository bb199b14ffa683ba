import type { TableClient } from '@azure/data-tables';
import type { Snapshot } from '../migration/report';
import { toChunks } from './chunked-text';
import { chunksOrUndefined, created, found, isConflict, isGone, rowKeyText, type Entity } from './entities';
import { NewerRowError, parseRow, ROW_VERSION, snapshotSchema } from './row-schemas';

const PARTITION = 'snapshot';

/** The tally's last sum of each migration. */
export class Snapshots {
  constructor(private readonly table: TableClient) {}

  /** Writes a sum; false where another visit wrote one since the one was read that it has the ETag of, or since there was none. */
  async put(id: string, { etag, ...snapshot }: Snapshot): Promise<boolean> {
    const json = toChunks('json', { ...snapshot, version: ROW_VERSION });
    const entity = { partitionKey: PARTITION, rowKey: id, ...json };
    if (etag === undefined) {
      if (await created(this.table.createEntity(entity))) return true;
      if ((await this.get(id)) !== undefined) return false;
      // One that cannot be read is nobody's.
      await this.table.upsertEntity(entity, 'Replace');
      return true;
    }
    try {
      await this.table.updateEntity(entity, 'Replace', { etag });
      return true;
    } catch (error) {
      if (isConflict(error) || isGone(error)) return false;
      throw error;
    }
  }

  /** Undefined when there is none, or none that can be read. @throws NewerRowError */
  async get(id: string): Promise<Snapshot | undefined> {
    const entity = await found(this.table.getEntity<Entity>(PARTITION, rowKeyText(id)));
    if (entity === undefined) return undefined;
    const parsed = parseRow(`The last sum of the migration "${id}"`, snapshotSchema, chunksOrUndefined('json', entity));
    if (!parsed.ok && parsed.error instanceof NewerRowError) throw parsed.error;
    if (!parsed.ok) return undefined;
    const { version: _, ...snapshot } = parsed.value;
    return { ...(snapshot as unknown as Snapshot), ...(entity.etag === undefined ? {} : { etag: entity.etag }) };
  }
}
