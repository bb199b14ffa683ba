import type { TableClient } from '@azure/data-tables';
import { firstCourse } from '../migration/course';
import type { Plan } from '../migration/plan';
import {
  finalStates,
  isWayBackDue,
  type MigrationRow,
  type MigrationState,
  type UnreadableMigration,
} from '../migration/rows';
import { textOf, toChunks, toText } from './chunked-text';
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
import { migrationSchema, migrationStateSchema, mustParse, UnreadableRowError, versionOfPlan } from './row-schemas';

const PARTITION = 'migration';

/** The little that is read of all migrations at once. */
export interface MigrationHead {
  readonly id: string;
  /** ISO 8601; empty where it cannot be read. */
  readonly startedAt: string;
  readonly etag: string;
}

/** The plan rows: what was decided for each migration, and where it stands. */
export class MigrationRows {
  /** @param time the storage's, ISO 8601 */
  constructor(
    private readonly table: TableClient,
    private readonly time: () => string,
  ) {}

  /** Writes a new plan row; false when there is one with this id. */
  async create(row: Omit<MigrationRow, 'etag'>): Promise<boolean> {
    return await created(this.table.createEntity({ partitionKey: PARTITION, rowKey: row.id, ...toPlan(row) }));
  }

  /** Removes a plan row, where it is there. Only for a migration that never began. */
  async delete(id: string): Promise<void> {
    await found(this.table.deleteEntity(PARTITION, rowKeyText(id)).then(() => ({})));
  }

  /** A plan row; undefined when there is none. @throws UnreadableRowError */
  async get(id: string): Promise<MigrationRow | undefined> {
    const entity = await this.planEntity(id);
    return entity && fromPlan(entity);
  }

  /** All migrations that can be read, or those of them that are to be looked after, in no particular order: not ended, or with a way back that is due. */
  async list(which: 'all' | 'open' = 'all'): Promise<MigrationRow[]> {
    return (await this.read(which)).rows;
  }

  /** What tells of all migrations when they began, and whether their rows are as they were; not what was decided, which may be long. */
  async heads(): Promise<MigrationHead[]> {
    const heads: MigrationHead[] = [];
    const queryOptions = { filter: `PartitionKey eq '${PARTITION}'`, select: ['PartitionKey', 'RowKey', 'startedAt'] };
    for await (const { rowKey, startedAt, etag } of this.table.listEntities<Entity>({ queryOptions })) {
      heads.push({ id: String(rowKey), startedAt: textOrNull(startedAt) ?? '', etag });
    }
    return heads;
  }

  /** A plan row, or what can be told of one that cannot be read; undefined where there is none. */
  async getOrUnreadable(id: string): Promise<MigrationRow | UnreadableMigration | undefined> {
    const entity = await this.planEntity(id);
    return entity && fromPlanOrUnreadable(entity);
  }

  /** The same as `list`, with those that cannot be read. */
  async read(which: 'all' | 'open'): Promise<{ rows: MigrationRow[]; unreadable: UnreadableMigration[] }> {
    const rows: MigrationRow[] = [];
    const unreadable: UnreadableMigration[] = [];
    const partition = `PartitionKey eq '${PARTITION}'`;
    const filter = which === 'open' ? `${partition} and (finishedAt eq '' or wayBackDue eq true)` : partition;
    for await (const entity of this.table.listEntities<Entity>({ queryOptions: { filter } })) {
      const row = fromPlanOrUnreadable(entity);
      if ('reason' in row) unreadable.push(row);
      else rows.push(row);
    }
    return { rows, unreadable };
  }

  /** A migration's state, though the rest of its row cannot be read: a state that cannot be read either is `unknown`. */
  async stateOf(id: string): Promise<MigrationState | 'unknown' | undefined> {
    const entity = await this.planEntity(id);
    if (entity === undefined) return undefined;
    const state = migrationStateSchema.safeParse(entity.state);
    return state.success ? state.data : 'unknown';
  }

  /** Ends a migration whose row cannot be read, and leaves the rest of the row as it is. */
  async failUnreadable(id: string, cause: string): Promise<void> {
    for (;;) {
      const entity = await this.planEntity(id);
      if (entity === undefined || finalStates.some((state) => state === entity.state)) return;
      const ended = { state: 'failed', cancelRequested: true, finishedAt: this.time(), cause };
      try {
        await this.table.updateEntity({ partitionKey: PARTITION, rowKey: id, ...ended }, 'Merge', {
          etag: entity.etag ?? '',
        });
        return;
      } catch (error) {
        if (!isConflict(error)) throw error;
      }
    }
  }

  private async planEntity(id: string): Promise<Entity | undefined> {
    return await found(this.table.getEntity<Entity>(PARTITION, rowKeyText(id)));
  }

  /**
   * Writes down that a visit of the tally begins. From then on an earlier one cannot change the row by the ETag it knows.
   * Undefined where the row has changed, or is gone, since it was read.
   */
  async beginVisit(row: MigrationRow, visit: string): Promise<MigrationRow | undefined> {
    const entity = { partitionKey: PARTITION, rowKey: row.id, visit };
    try {
      const { etag } = await this.table.updateEntity(entity, 'Merge', { etag: row.etag });
      return { ...row, visit, etag: etag ?? '' };
    } catch (error) {
      if (isConflict(error) || isGone(error)) return undefined;
      throw error;
    }
  }

  /**
   * Changes a plan row. `change` gives the new row, or undefined to leave it, and may be called again on a newer row.
   * Returns the row as it is then; undefined when there is none.
   * @throws UnreadableRowError
   */
  async update(id: string, change: (row: MigrationRow) => MigrationRow | undefined): Promise<MigrationRow | undefined> {
    for (;;) {
      const row = await this.get(id);
      if (row === undefined) return undefined;
      const changed = change(row);
      if (changed === undefined) return row;
      try {
        const { etag } = await this.table.updateEntity(
          { partitionKey: PARTITION, rowKey: id, ...toPlan(changed) },
          'Replace',
          { etag: row.etag },
        );
        return { ...changed, etag: etag ?? '' };
      } catch (error) {
        if (!isConflict(error)) throw error;
      }
    }
  }
}

function toPlan(row: Omit<MigrationRow, 'etag'>): Record<string, unknown> {
  return {
    version: versionOfPlan(row.plan),
    state: row.state,
    phase: row.phase,
    pass: row.pass,
    requestHash: row.requestHash,
    epoch: row.epoch,
    walkedRunId: row.walkedRunId,
    cancelRequested: row.cancelRequested,
    cutoverRequestedAt: row.cutoverRequestedAt ?? '',
    ...(row.wayBack === undefined ? {} : { ...toText('wayBack', row.wayBack), wayBackDue: isWayBackDue(row) }),
    stopCause: textForPeople(row.stopCause),
    ...toText('course', row.course),
    startedAt: row.startedAt,
    finishedAt: row.finishedAt ?? '',
    cause: row.cause ?? '',
    traceparent: row.traceparent ?? '',
    phasesWithRows: row.phasesWithRows.join(','),
    visit: row.visit,
    ...toChunks('plan', row.plan),
  };
}

function fromPlanOrUnreadable(entity: Entity): MigrationRow | UnreadableMigration {
  try {
    return fromPlan(entity);
  } catch (error) {
    if (!(error instanceof UnreadableRowError)) throw error;
    const { rowKey, startedAt, finishedAt } = entity;
    return {
      id: String(rowKey),
      reason: error.reason,
      startedAt: textOrNull(startedAt),
      finishedAt: textOrNull(finishedAt),
    };
  }
}

/** @throws UnreadableRowError */
function fromPlan(entity: Entity): MigrationRow {
  const id = String(entity.rowKey);
  const stored = {
    ...entity,
    plan: chunksOrUndefined('plan', entity),
    ...textOf('course', entity),
    ...textOf('wayBack', entity),
  };
  const { version: _, ...row } = mustParse(`The row of the migration "${id}"`, migrationSchema, stored);
  const plan = row.plan as unknown as Plan;
  // Rows of earlier versions have no course.
  return { ...row, id, plan, course: row.course ?? firstCourse(plan), etag: entity.etag ?? '' };
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
