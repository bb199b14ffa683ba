import type { TableClient } from '@azure/data-tables';
import type { Snapshot } from '../migration/report';
import { toChunks } from './chunked-text';
import { chunksOrUndefined, found, rowKeyText, type Entity } from './entities';
import { parseRow, snapshotSchema } from './row-schemas';

const PARTITION = 'snapshot';

/** The tally's last sum of each migration. */
export class Snapshots {
  constructor(private readonly table: TableClient) {}

  async put(id: string, snapshot: Snapshot): Promise<void> {
    await this.table.upsertEntity({ partitionKey: PARTITION, rowKey: id, ...toChunks('json', snapshot) }, 'Replace');
  }

  /** Undefined when there is none, or none that can be read. */
  async get(id: string): Promise<Snapshot | undefined> {
    const entity = await found(this.table.getEntity<Entity>(PARTITION, rowKeyText(id)));
    const parsed = entity && parseRow(snapshotSchema, chunksOrUndefined('json', entity));
    return parsed?.ok === true ? (parsed.value as unknown as Snapshot) : undefined;
  }
}
