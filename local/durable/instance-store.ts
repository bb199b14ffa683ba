import { odata, type TableClient, type TransactionAction } from '@azure/data-tables';
import { splitText, joinText } from './chunked-text';
import type { EventRaised, HistoryEvent } from './history';
import { isAhead } from '../lock-time';

export type RuntimeStatus = 'Pending' | 'Running' | 'Suspended' | 'Completed' | 'Failed' | 'Terminated';

/** One orchestration instance; input, output and custom status are JSON, null when there is none. */
export interface InstanceRecord {
  instanceId: string;
  executionId: string;
  name: string;
  status: RuntimeStatus;
  input: string | null;
  output: string | null;
  customStatus: string | null;
  createdAt: string;
  updatedAt: string;
  /** How many rows of history the present execution has. */
  pages: number;
  /** The host that runs it, and until when no other one may; empty where none does. */
  owner: string;
  lockedUntil: string;
  /** Why it is to be terminated, as another host was asked; empty where it is not. */
  terminateFor: string;
  /** Of its row; empty before it is written. */
  etag: string;
}

/** By which name a host holds instances, and for how long without a sign of it others leave them to it. */
export interface InstanceLock {
  readonly host: string;
  readonly ms: number;
}

/** An external event that was accepted and that no episode has seen yet. */
export interface StoredEvent {
  key: string;
  event: EventRaised;
}

type Row = Record<string, unknown> & { partitionKey: string; rowKey: string };

const instanceKey = 'instance';

/**
 * Instances with their histories in one table: a partition an instance, so that an episode is written whole or not at
 * all. Rows: `instance`, `history-<execution>-<page>`, `event-<key>`.
 */
export class InstanceStore {
  constructor(
    private readonly table: TableClient,
    private readonly lock: InstanceLock,
  ) {}

  /** Whether an instance is in the hands of another host, or was when that died. */
  isLocked({ owner, lockedUntil }: InstanceRecord): boolean {
    return owner !== '' && owner !== this.lock.host && isAhead(Date.parse(lockedUntil), this.lock.ms);
  }

  /** Whether this host's lock lasts so long yet. One that was written before the clock was set back is worth nothing to others. */
  isHeldFor({ lockedUntil }: InstanceRecord, ms: number): boolean {
    const until = Date.parse(lockedUntil);
    return isAhead(until, this.lock.ms) && until - Date.now() > ms;
  }

  async get(instanceId: string): Promise<InstanceRecord | undefined> {
    try {
      return toRecord(await this.table.getEntity(instanceId, instanceKey));
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode === 404) return undefined;
      throw error;
    }
  }

  /** All instances, or those of the given states. */
  async list(statuses?: RuntimeStatus[]): Promise<InstanceRecord[]> {
    const byStatus = (statuses ?? []).map((status) => odata`status eq ${status}`).join(' or ');
    const filter = odata`RowKey eq ${instanceKey}` + (byStatus ? ` and (${byStatus})` : '');
    const records: InstanceRecord[] = [];
    for await (const row of this.table.listEntities({ queryOptions: { filter } })) records.push(toRecord(row as Row));
    return records;
  }

  /** The history of the instance's present execution, and the events that wait for it. */
  async load(record: InstanceRecord): Promise<{ history: HistoryEvent[]; events: StoredEvent[] }> {
    const pages: Row[] = [];
    const events: StoredEvent[] = [];
    const prefix = historyPrefix(record.executionId);
    for await (const entity of this.rows(record.instanceId)) {
      if (entity.rowKey.startsWith(prefix)) pages.push(entity);
      else if (entity.rowKey.startsWith('event-')) {
        events.push({ key: entity.rowKey, event: JSON.parse(joinText(entity, 'body') ?? '') as EventRaised });
      }
    }
    pages.sort((a, b) => (a.rowKey < b.rowKey ? -1 : 1));
    events.sort((a, b) => (a.key < b.key ? -1 : 1));
    return { history: pages.flatMap((page) => JSON.parse(joinText(page, 'body') ?? '[]') as HistoryEvent[]), events };
  }

  /** Writes a new instance over whatever an ended one of the same id has left. @throws RestError 409 or 412 where another host did */
  async create(record: InstanceRecord, ended: InstanceRecord | undefined): Promise<void> {
    await this.deleteRows(record.instanceId, (rowKey) => rowKey !== instanceKey);
    this.hold(record);
    const { etag } = await (ended === undefined
      ? this.table.createEntity(toRow(record))
      : this.table.updateEntity(toRow(record), 'Replace', { etag: ended.etag }));
    record.etag = etag ?? '';
  }

  /** Takes an instance into this host's hands, or keeps it there. @throws RestError 412 where another host wrote it meanwhile */
  async take(record: InstanceRecord): Promise<void> {
    this.hold(record);
    await this.update(record);
  }

  /** Lets other hosts have an instance. @throws as `take` */
  async release(record: InstanceRecord): Promise<void> {
    record.owner = '';
    record.lockedUntil = '';
    await this.update(record);
  }

  /** Has whoever runs an instance terminate it. @throws as `take` */
  async askToTerminate(record: InstanceRecord, reason: string): Promise<void> {
    record.terminateFor = reason;
    await this.update(record);
  }

  private async update(record: InstanceRecord): Promise<void> {
    const { etag } = await this.table.updateEntity(toRow(record), 'Replace', { etag: record.etag });
    record.etag = etag ?? '';
  }

  private hold(record: InstanceRecord): void {
    record.owner = this.lock.host;
    record.lockedUntil = new Date(Date.now() + this.lock.ms).toISOString();
  }

  /**
   * Writes the outcome of one episode at once: the instance, its new events, and that the events it took are done.
   * @throws RestError 412 where another host wrote the instance meanwhile
   * @param newEvents the events since the last save; they become one page
   */
  async save(record: InstanceRecord, newEvents: HistoryEvent[], taken: StoredEvent[] = []): Promise<void> {
    if (newEvents.length === 0 && taken.length === 0) {
      await this.take(record);
      return;
    }
    const actions: TransactionAction[] = [];
    if (newEvents.length > 0) {
      const page = `${historyPrefix(record.executionId)}${String(record.pages).padStart(6, '0')}`;
      record.pages += 1;
      actions.push([
        'upsert',
        { ...key(record.instanceId, page), ...splitText('body', JSON.stringify(newEvents)) },
        'Replace',
      ]);
    }
    this.hold(record);
    const place = actions.push(['update', toRow(record), 'Replace', { etag: record.etag }]) - 1;
    for (const { key: rowKey } of taken.slice(0, 90)) actions.push(['delete', key(record.instanceId, rowKey)]);
    const { subResponses } = await this.table.submitTransaction(actions);
    record.etag = subResponses[place]?.etag ?? '';
    for (const { key: rowKey } of taken.slice(90)) await this.table.deleteEntity(record.instanceId, rowKey);
  }

  async addEvent(instanceId: string, stored: StoredEvent): Promise<void> {
    const body = splitText('body', JSON.stringify(stored.event));
    await this.table.createEntity({ ...key(instanceId, stored.key), ...body });
  }

  /** Takes away the history of executions before the present one. */
  async forgetEarlierExecutions(record: InstanceRecord): Promise<void> {
    const prefix = historyPrefix(record.executionId);
    await this.deleteRows(record.instanceId, (rowKey) => rowKey.startsWith('history-') && !rowKey.startsWith(prefix));
  }

  async purge(instanceId: string): Promise<void> {
    await this.deleteRows(instanceId, () => true);
  }

  private async *rows(instanceId: string): AsyncGenerator<Row> {
    const filter = odata`PartitionKey eq ${instanceId}`;
    for await (const entity of this.table.listEntities({ queryOptions: { filter } })) yield entity as Row;
  }

  private async deleteRows(instanceId: string, wanted: (rowKey: string) => boolean): Promise<void> {
    const keys: string[] = [];
    for await (const { rowKey } of this.rows(instanceId)) if (wanted(rowKey)) keys.push(rowKey);
    for (let i = 0; i < keys.length; i += 100) {
      await this.table.submitTransaction(
        keys.slice(i, i + 100).map((rowKey): TransactionAction => ['delete', key(instanceId, rowKey)]),
      );
    }
  }
}

const historyPrefix = (executionId: string): string => `history-${executionId}-`;

const key = (partitionKey: string, rowKey: string) => ({ partitionKey, rowKey });

function toRow(record: InstanceRecord): Row {
  return {
    ...key(record.instanceId, instanceKey),
    executionId: record.executionId,
    name: record.name,
    status: record.status,
    createdAt: record.createdAt,
    updatedAt: record.updatedAt,
    pages: record.pages,
    owner: record.owner,
    lockedUntil: record.lockedUntil,
    terminateFor: record.terminateFor,
    ...splitText('input', record.input),
    ...splitText('output', record.output),
    ...splitText('customStatus', record.customStatus),
  };
}

function toRecord(row: Row): InstanceRecord {
  return {
    instanceId: row.partitionKey,
    executionId: String(row.executionId),
    name: String(row.name),
    status: row.status as RuntimeStatus,
    input: joinText(row, 'input'),
    output: joinText(row, 'output'),
    customStatus: joinText(row, 'customStatus'),
    createdAt: String(row.createdAt),
    updatedAt: String(row.updatedAt),
    pages: Number(row.pages),
    owner: textOf(row.owner),
    lockedUntil: textOf(row.lockedUntil),
    terminateFor: textOf(row.terminateFor),
    etag: textOf(row.etag),
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
