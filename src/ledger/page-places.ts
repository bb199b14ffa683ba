import type { TableClient } from '@azure/data-tables';
import type { RangeRow } from '../migration/rows';
import { binaryChunks, found, fromBinaryChunks, rowKeyText, type Entity, type NewEntity } from './entities';
import { SURVEY_KEYS } from './surveys';

/** What was done ahead of the cursors of ranges, beside their rows. */
export class PagePlaces {
  constructor(private readonly table: TableClient) {}

  /** What was done ahead of a row's cursor; undefined when there is nothing that belongs to the row as it is. */
  async get(row: RangeRow): Promise<Buffer | undefined> {
    const entity = await found(this.table.getEntity<Entity>(rowKeyText(row.migration), placeKey(row.name)));
    return entity?.of === stampOf(row) ? fromBinaryChunks(entity) : undefined;
  }
}

/** Among the keys of surveys, which no listing of ranges brings; none of these begins so, and none is of an epoch. */
function placeKey(range: string): string {
  return `${SURVEY_KEYS.from.slice(0, -1)}place-${rowKeyText(range)}`;
}

function stampOf({ epoch, pass, cursor }: Pick<RangeRow, 'epoch' | 'pass' | 'cursor'>): string {
  return `${epoch} ${pass} ${cursor}`;
}

/** As it is written with its row. */
export function toPlace(row: RangeRow, packed: Buffer): NewEntity {
  return {
    partitionKey: row.migration,
    rowKey: placeKey(row.name),
    of: stampOf(row),
    ...binaryChunks(packed),
  };
}
