import { randomUUID } from 'node:crypto';
import type { Logger } from '../logger';
import { messageOf, type FunctionWorker } from '../worker/function-worker';
import { ActiveInstance } from './active-instance';
import { eventRaised, type HistoryEvent } from './history';
import type { InstanceRecord, InstanceStore, RuntimeStatus } from './instance-store';

/** What a management call can answer besides success; the number is its HTTP status. */
export class DurableError extends Error {
  constructor(
    readonly status: 400 | 404 | 409 | 410 | 412,
    message: string,
  ) {
    super(message);
  }
}

const ended: RuntimeStatus[] = ['Completed', 'Failed', 'Terminated'];

/** The task hub of one app: starts instances, keeps the active ones in memory, answers what they are doing. */
export class OrchestrationEngine {
  private readonly active = new Map<string, ActiveInstance>();
  private stopped = false;

  constructor(
    private readonly setup: {
      worker: FunctionWorker;
      store: InstanceStore;
      log: Logger;
      orchestrators: ReadonlyMap<string, string>;
      activities: ReadonlyMap<string, string>;
    },
  ) {}

  /** Takes up every instance that had not ended when the host did. */
  async resumeAll(): Promise<number> {
    const records = await this.setup.store.list(['Pending', 'Running', 'Suspended']);
    for (const record of records) {
      const { history, events } = await this.setup.store.load(record);
      this.activate(record).resume(history, events);
    }
    return records.length;
  }

  /**
   * @param input JSON, or null
   * @returns the instance's id
   * @throws DurableError 400 for an unknown orchestrator or a bad id, 409 while an instance of the id runs
   */
  async start(name: string, input: string | null, id?: string): Promise<string> {
    if (!this.setup.orchestrators.has(name)) {
      throw new DurableError(
        400,
        `The function '${name}' doesn't exist, is disabled, or is not an orchestrator function.`,
      );
    }
    const instanceId = id ?? randomUUID().replaceAll('-', '');
    // eslint-disable-next-line no-control-regex
    if (instanceId.length > 100 || instanceId.startsWith('@') || /[/\\#?\u0000-\u001f\u007f-\u009f]/.test(instanceId)) {
      throw new DurableError(400, 'An instance id has at most 100 characters, no / \\ # ? and no @ at its start.');
    }
    const stored = await this.get(instanceId);
    // Asked again without a pause in between: two starts of one id at once must not both pass.
    const existing = this.active.get(instanceId)?.record ?? stored;
    if (existing && !ended.includes(existing.status)) {
      throw new DurableError(409, `An Orchestration instance with the status ${existing.status} already exists.`);
    }
    const now = new Date().toISOString();
    const record: InstanceRecord = {
      instanceId,
      executionId: randomUUID().replaceAll('-', ''),
      name,
      status: 'Pending',
      input,
      output: null,
      customStatus: null,
      createdAt: now,
      updatedAt: now,
      pages: 0,
    };
    const instance = this.activate(record);
    try {
      await this.setup.store.create(record);
    } catch (error) {
      this.active.delete(instanceId);
      throw error;
    }
    instance.begin();
    return instanceId;
  }

  async get(instanceId: string): Promise<InstanceRecord | undefined> {
    return this.active.get(instanceId)?.record ?? (await this.setup.store.get(instanceId));
  }

  async list(statuses?: RuntimeStatus[]): Promise<InstanceRecord[]> {
    const stored = statuses?.every((status) => !ended.includes(status)) ? [] : await this.setup.store.list();
    const records = new Map(stored.map((record) => [record.instanceId, record]));
    for (const { record } of this.active.values()) records.set(record.instanceId, record);
    return [...records.values()].filter((record) => !statuses || statuses.includes(record.status));
  }

  async history(record: InstanceRecord): Promise<HistoryEvent[]> {
    return this.active.get(record.instanceId)?.history ?? (await this.setup.store.load(record)).history;
  }

  /** @throws DurableError 404 unknown, 410 ended */
  async raiseEvent(instanceId: string, name: string, input: string | null): Promise<void> {
    const instance = await this.running(instanceId);
    await instance.raise(eventRaised(name, input, new Date()));
  }

  /** @throws DurableError 404 unknown, 410 ended */
  async terminate(instanceId: string, reason: string): Promise<void> {
    await (await this.running(instanceId)).terminate(reason);
  }

  /** @throws DurableError 404 unknown, 410 ended */
  async setSuspended(instanceId: string, suspended: boolean): Promise<void> {
    await (await this.running(instanceId)).setSuspended(suspended);
  }

  /** @throws DurableError 404 unknown, 412 not ended */
  async purge(instanceId: string): Promise<void> {
    const record = await this.get(instanceId);
    if (!record) throw new DurableError(404, '');
    if (!ended.includes(record.status)) {
      throw new DurableError(
        412,
        `Only orchestrations in a terminal state can be purged, but the orchestration with instance ID ${instanceId} has status ${record.status}`,
      );
    }
    await this.setup.store.purge(instanceId);
  }

  /** Starts no more episodes, timers and activities; resolves when the present episodes are written. */
  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all([...this.active.values()].map((instance) => instance.stop()));
  }

  private async running(instanceId: string): Promise<ActiveInstance> {
    const instance = this.active.get(instanceId);
    if (instance && !ended.includes(instance.record.status)) return instance;
    const record = instance?.record ?? (await this.setup.store.get(instanceId));
    throw new DurableError(record ? 410 : 404, '');
  }

  /** Begins again from what is written, after an episode could not be written. */
  private async reload(instanceId: string): Promise<void> {
    if (this.stopped) return;
    try {
      const record = await this.setup.store.get(instanceId);
      this.active.delete(instanceId);
      if (!record || ended.includes(record.status)) return;
      const { history, events } = await this.setup.store.load(record);
      this.activate(record).resume(history, events);
    } catch (error) {
      this.setup.log.warn(`orchestration ${instanceId}: ${messageOf(error)}`);
      setTimeout(() => void this.reload(instanceId), 1000).unref();
    }
  }

  private activate(record: InstanceRecord): ActiveInstance {
    const { worker, store, log, orchestrators, activities } = this.setup;
    if (this.stopped) throw new Error('The host is closing.');
    const instance = new ActiveInstance(record, {
      store,
      log,
      bindingOf: (name) => orchestrators.get(name),
      activityBindingOf: (name) => activities.get(name),
      invoke: (name, invocation) => worker.invoke(name, invocation),
      onEnd: () => {
        if (this.active.get(record.instanceId) === instance) this.active.delete(record.instanceId);
      },
      onError: (error) => {
        log.error(`orchestration ${record.instanceId}: ${messageOf(error)}`);
        setTimeout(() => void this.reload(record.instanceId), 1000).unref();
      },
    });
    this.active.set(record.instanceId, instance);
    return instance;
  }
}
