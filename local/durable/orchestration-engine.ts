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

/** How often a host looks for instances that nobody runs, where it is one of several. */
const LOOK_MS = 2_000;

/**
 * The task hub of one app: starts instances, keeps the active ones in memory, answers what they are doing.
 *
 * Where the host is one of several it takes over what another one lets go of, and what a host that died had as the storage
 * provider of Durable Functions does: not before its lock has run out, and messages that come too early are tried again
 * after 2, 4, 8 … 256 seconds. Source: Azure/durabletask, DurableTask.AzureStorage (ControlQueueVisibilityTimeout,
 * AbandonMessageAsync).
 */
export class OrchestrationEngine {
  private readonly active = new Map<string, ActiveInstance>();
  private readonly tries = new Map<string, BackOff>();
  private looking: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly setup: {
      worker: FunctionWorker;
      store: InstanceStore;
      log: Logger;
      orchestrators: ReadonlyMap<string, string>;
      activities: ReadonlyMap<string, string>;
      /** Whether other hosts may run instances of the same hub. */
      oneOfSeveral: boolean;
    },
  ) {}

  /** Takes up the instances that have not ended and that no other host has; those that become free later, too. */
  async resumeAll(): Promise<number> {
    const count = await this.takeUpFree();
    if (this.setup.oneOfSeveral) {
      this.looking = setInterval(() => {
        this.takeUpFree().catch((error: unknown) => {
          this.setup.log.warn(`orchestrations: ${messageOf(error)}`);
        });
      }, LOOK_MS);
    }
    return count;
  }

  private async takeUpFree(): Promise<number> {
    let count = 0;
    for (const record of await this.setup.store.list(['Pending', 'Running', 'Suspended'])) {
      const mine = this.active.get(record.instanceId);
      if (mine !== undefined) await mine.keep();
      else if (await this.takeUp(record)) count++;
    }
    return count;
  }

  /** Goes on with an instance where nobody else has it. */
  private async takeUp(record: InstanceRecord): Promise<boolean> {
    const { store } = this.setup;
    const { instanceId } = record;
    if (this.setup.oneOfSeveral && store.isLocked(record)) {
      const tries = this.tries.get(instanceId) ?? new BackOff();
      this.tries.set(instanceId, tries);
      tries.failed();
      return false;
    }
    if (this.tries.get(instanceId)?.waits === true && record.owner !== '') return false;
    try {
      await store.take(record);
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode === 412) return false;
      throw error;
    }
    this.tries.delete(instanceId);
    if (this.stopped || this.active.has(instanceId)) return false;
    const { history, events } = await store.load(record);
    this.activate(record).resume(history, events);
    return true;
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
      owner: '',
      lockedUntil: '',
      terminateFor: '',
      etag: '',
    };
    const instance = this.activate(record);
    try {
      await this.setup.store.create(record, stored);
    } catch (error) {
      this.active.delete(instanceId);
      const { statusCode } = error as { statusCode?: number };
      if (statusCode !== 409 && statusCode !== 412) throw error;
      throw new DurableError(409, 'An Orchestration instance with this id was started by another host.');
    }
    instance.start();
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
    const elsewhere = this.active.has(instanceId) ? undefined : await this.setup.store.get(instanceId);
    if (this.setup.oneOfSeveral && elsewhere !== undefined && !ended.includes(elsewhere.status)) {
      await this.setup.store.askToTerminate(elsewhere, reason);
    } else await (await this.running(instanceId)).terminate(reason);
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
    clearInterval(this.looking);
    const instances = [...this.active.values()];
    await Promise.all(instances.map((instance) => instance.stop()));
    // What cannot be let go of is locked for a while.
    if (this.setup.oneOfSeveral) {
      await Promise.allSettled(instances.map(({ record }) => this.setup.store.release(record)));
    }
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
      if (record && !ended.includes(record.status)) await this.takeUp(record);
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

/** When something is tried again that came too early: 2, 4, 8 … 256 seconds after the time before. */
class BackOff {
  private seconds = 1;
  private until = 0;

  get waits(): boolean {
    return Date.now() < this.until;
  }

  failed(): void {
    if (this.waits) return;
    this.seconds = Math.min(256, this.seconds * 2);
    this.until = Date.now() + this.seconds * 1_000;
  }
}
