import type { TableClient } from '@azure/data-tables';
import type { Snapshot } from '../migration/report';
import { toChunks } from './chunked-text';
import { chunksOrUndefined, found, rowKeyText, type Entity } from './entities';
import { NewerRowError, parseRow, ROW_VERSION, snapshotSchema } from './row-schemas';

const PARTITION = 'snapshot';

/** The tally's last sum of each migration. */
export class Snapshots {
  constructor(private readonly table: TableClient) {}

  async put(id: string, snapshot: Snapshot): Promise<void> {
    await this.table.upsertEntity(
      { partitionKey: PARTITION, rowKey: id, ...toChunks('json', { ...snapshot, version: ROW_VERSION }) },
      'Replace',
    );
  }

  /** Undefined when there is none, or none that can be read. @throws NewerRowError */
  async get(id: string): Promise<Snapshot | undefined> {
    const entity = await found(this.table.getEntity<Entity>(PARTITION, rowKeyText(id)));
    if (entity === undefined) return undefined;
    const parsed = parseRow(`The last sum of the migration "${id}"`, snapshotSchema, chunksOrUndefined('json', entity));
    if (!parsed.ok && parsed.error instanceof NewerRowError) throw parsed.error;
    if (!parsed.ok) return undefined;
    const { version: _, ...snapshot } = parsed.value;
    return snapshot as unknown as Snapshot;
  }
}
