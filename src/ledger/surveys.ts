import type { TableClient } from '@azure/data-tables';
import type { RangeRow } from '../migration/rows';
import { binaryChunks, found, fromBinaryChunks, rowKeyText, type Entity, type NewEntity } from './entities';

/** What a survey's row key begins with; the name of its range follows, which begins with a letter: that of a range of a phase "survey" goes on with a digit. */
const SURVEY = 'survey';
export const SURVEY_KEYS = { from: `${SURVEY}-a`, to: `${SURVEY}-{` };
const SURVEYS_A_PAGE = 50;

/** What ranges have learnt, of a dry run or of a file that is read, beside their rows. */
export class Surveys {
  constructor(private readonly table: TableClient) {}

  /** What a range has learnt up to its row's cursor; undefined when there is nothing of its epoch. */
  async get({ migration, name, epoch }: RangeRow): Promise<Buffer | undefined> {
    const entity = await found(this.table.getEntity<Entity>(rowKeyText(migration), surveyKey(name)));
    return entity !== undefined && Number(entity.epoch) === epoch ? fromBinaryChunks(entity) : undefined;
  }

  /** What all ranges of a phase have learnt in an epoch. */
  async *list(migration: string, phase: string, epoch: number): AsyncGenerator<Buffer, void, undefined> {
    const ofPhase = `${SURVEY}-${rowKeyText(phase)}-`;
    const filter = `PartitionKey eq '${rowKeyText(migration)}' and RowKey ge '${ofPhase}0' and RowKey lt '${ofPhase}:'`;
    const pages = this.table.listEntities<Entity>({ queryOptions: { filter } }).byPage({ maxPageSize: SURVEYS_A_PAGE });
    for await (const page of pages) {
      for (const entity of page) if (Number(entity.epoch) === epoch) yield fromBinaryChunks(entity);
    }
  }
}

function surveyKey(range: string): string {
  return `${SURVEY}-${rowKeyText(range)}`;
}

/** What a range has learnt, as it is written with its row. */
export function toSurvey({ migration, name, epoch }: RangeRow, packed: Buffer): NewEntity {
  return { partitionKey: migration, rowKey: surveyKey(name), epoch, ...binaryChunks(packed) };
}
