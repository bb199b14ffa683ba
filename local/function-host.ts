import { randomUUID } from 'node:crypto';
import type { TableClient } from '@azure/data-tables';
import { storageClients, type StorageClients } from '../src/ledger/storage-clients';
import { resolveSettings } from './app-settings';
import { durableClientInput, type DurableEndpoints } from './durable/client-binding';
import { InstanceStore } from './durable/instance-store';
import { addManagementApi } from './durable/management-api';
import { OrchestrationEngine } from './durable/orchestration-engine';
import { type HostJson, readHostJson } from './host-json';
import { addAdminApi } from './http/admin-api';
import { HttpServer } from './http/http-server';
import { addHttpTrigger } from './http/http-trigger';
import type { Logger } from './logger';
import { LeaseJournal } from './queue/lease-journal';
import { QueueListener } from './queue/queue-listener';
import { handMadeMessage, toQueueInvocation } from './queue/queue-message';
import { sendOutputs } from './queue/queue-output';
import { SendWatch } from './queue/send-watch';
import { startTimer, type RunningTimer, toTimerInvocation } from './timer/timer-listener';
import { TimerLock } from './timer/timer-lock';
import { installCoreModule, type RegisteredFunction } from './worker/core-module';
import { type BindingInfo, bindingText, type InvocationResponse } from './worker/core-types';
import { FunctionWorker, type Invocation, messageOf } from './worker/function-worker';
import { loadApp } from './worker/load-app';
import { parameter, rpcString } from './worker/rpc-data';

export interface FunctionHostOptions {
  appRoot: string;
  port: number;
  /** The storage's, once it answers: asked for when the app is loaded, which must not read it before its first function runs. */
  connectionString: Promise<string>;
  /** Where the leases of queue messages are noted, so that the next host gives them back; undefined where none may. */
  leaseFile: string | undefined;
  /** Whether other hosts may work on the same storage. */
  oneOfSeveral: boolean;
  /** What calls of /admin/functions must carry. */
  masterKey: string;
  log: Logger;
}

/** One line of the list of functions: `copyRange: queueTrigger`, or an HTTP function's methods and URL. */
export interface FunctionListing {
  name: string;
  trigger: string;
  /** For people: the URL with its methods, the queue, the schedule. */
  detail: string;
}

const drainMs = 5000;

/**
 * For how long a queue message is leased, renewed at half time, and for how long Durable Functions keep an instance that they
 * work on from other hosts. As in Azure, whatever host.json says; alone on its storage, a host need not wait for so long.
 */
const LEASE_MS = { azure: 600_000, alone: 30_000 };
const INSTANCE_LOCK_MS = 300_000;

/** The host of one app: loads it, listens for its triggers, and runs its functions. */
export class FunctionHost {
  readonly listing: FunctionListing[] = [];
  url = '';
  private readonly server: HttpServer;
  private readonly storage: StorageClients;
  private readonly sendWatch = new SendWatch();
  private readonly leases: LeaseJournal;
  private readonly listeners: QueueListener[] = [];
  private readonly timers: RunningTimer[] = [];
  private readonly timerLocks: TimerLock[] = [];
  private readonly hostId = randomUUID();
  private readonly startups: (() => Promise<void>)[] = [];
  /** Function name in lower case → runs it at once with an input of the caller. */
  private readonly manualRuns = new Map<string, (input: string) => Promise<unknown>>();
  private engine: OrchestrationEngine | undefined;

  private constructor(
    private readonly options: FunctionHostOptions,
    private readonly hostJson: HostJson,
    private readonly worker: FunctionWorker,
    connectionString: string,
    private readonly uninstall: () => void,
  ) {
    this.server = new HttpServer(options.log);
    this.storage = storageClients({ AzureWebJobsStorage: connectionString });
    this.leases = new LeaseJournal(options.leaseFile);
  }

  /** Loads the app and begins to listen. */
  static async start(options: FunctionHostOptions): Promise<FunctionHost> {
    const hostJson = await readHostJson(options.appRoot, process.env);
    const worker = new FunctionWorker(options.log);
    const uninstall = installCoreModule(worker.state);
    let host: FunctionHost | undefined;
    try {
      await loadApp(options.appRoot, worker.state);
      host = new FunctionHost(options, hostJson, worker, await options.connectionString, uninstall);
      await host.begin();
      return host;
    } catch (error) {
      await host?.close();
      uninstall();
      throw error;
    }
  }

  /** Takes nothing new, waits for what runs, runs the terminate hooks. */
  async close(): Promise<void> {
    this.server.refuse();
    for (const timer of this.timers) timer.stop();
    await Promise.all(this.timerLocks.map((lock) => lock.end()));
    await Promise.all(this.listeners.map(async (listener) => listener.stop()));
    if (await this.worker.drain(drainMs)) {
      await Promise.all(this.listeners.map(async (listener) => listener.settled()));
      await this.engine?.stop();
    } else this.options.log.warn('Functions still run; they are ended now and will be run again.');
    await this.worker.terminate();
    this.leases.write();
    this.sendWatch.close();
    await this.server.close();
    this.uninstall();
  }

  private async begin(): Promise<void> {
    const { options, worker } = this;
    // The port first: two hosts must not both work on one app's queues.
    this.url = `http://127.0.0.1:${await this.server.listen(options.port)}`;
    for (const registered of worker.functions.values()) this.addFunction(registered);
    this.addDurable();
    addAdminApi(this.server, options.masterKey, (name, input) => this.runManually(name, input));
    await worker.start(options.appRoot);
    await this.giveBackLeases();
    if (this.startups.length > 0) await this.hubTable().createTable();
    for (const startup of this.startups) await startup();
    for (const listener of this.listeners) listener.start();
  }

  private addFunction(registered: RegisteredFunction): void {
    const { name, bindings } = registered.metadata;
    const [bindingName, binding] = Object.entries(bindings).find(([, item]) => /trigger$/i.test(item.type)) ?? [];
    if (bindingName === undefined || !binding) throw new Error(`The function ${name} has no trigger.`);
    const detail = this.addTrigger(registered, bindingName, binding);
    this.listing.push({ name, trigger: binding.type, detail });
  }

  private addTrigger(registered: RegisteredFunction, bindingName: string, binding: BindingInfo): string {
    const { name } = registered.metadata;
    const run = async (invocation: Invocation) => this.run(registered, invocation);
    switch (binding.type) {
      case 'httpTrigger': {
        const endpoint = addHttpTrigger(this.server, this.hostJson.routePrefix, registered, bindingName, run);
        return `[${endpoint.methods.join(',')}] ${this.url}${endpoint.path}`;
      }
      case 'queueTrigger':
        this.manualRuns.set(name.toLowerCase(), (input) =>
          run(toQueueInvocation(bindingName, handMadeMessage(), input)),
        );
        return this.addQueue(setting(binding, 'queueName'), async (message, text) => {
          await run(toQueueInvocation(bindingName, message, text));
        });
      case 'timerTrigger':
        return this.addTimer(name, bindingName, binding, run);
      case 'orchestrationTrigger':
      case 'activityTrigger':
        return '';
      default:
        throw new Error(`The function ${name} has a ${binding.type}; the local host does not know it.`);
    }
  }

  private addQueue(queueName: string, handle: ConstructorParameters<typeof QueueListener>[0]['handle']): string {
    const { options, hostJson } = this;
    const isPoison = queueName.endsWith('-poison');
    const listener = new QueueListener({
      queue: this.storage.queues.getQueueClient(queueName),
      poisonQueue: isPoison ? undefined : this.storage.queues.getQueueClient(`${queueName}-poison`),
      options: hostJson.queues,
      leaseMs: options.oneOfSeveral ? LEASE_MS.azure : LEASE_MS.alone,
      leases: this.leases,
      handle,
      log: options.log,
    });
    this.sendWatch.on(queueName, (delayMs) => {
      listener.wake(delayMs);
    });
    this.listeners.push(listener);
    return queueName;
  }

  private addTimer(
    name: string,
    bindingName: string,
    binding: BindingInfo,
    run: (invocation: Invocation) => Promise<unknown>,
  ): string {
    const schedule = setting(binding, 'schedule');
    const fire = async (): Promise<void> => {
      await run(toTimerInvocation(bindingName, new Date())).catch(() => undefined); // Logged by `run`.
    };
    this.manualRuns.set(name.toLowerCase(), fire);
    const lock = this.options.oneOfSeveral ? new TimerLock(this.hubTable(), name, this.hostId) : undefined;
    if (lock !== undefined) this.timerLocks.push(lock);
    this.startups.push(async () => {
      await lock?.begin();
      this.timers.push(
        startTimer(schedule, async () => {
          if (lock?.isHeld !== false) await fire();
        }),
      );
      if (binding.runOnStartup === true) void fire();
    });
    return schedule;
  }

  private addDurable(): void {
    const orchestrators = this.triggersOf('orchestrationTrigger');
    if (orchestrators.size === 0) return;
    const { log, oneOfSeveral } = this.options;
    const store = new InstanceStore(this.hubTable(), { host: this.hostId, ms: INSTANCE_LOCK_MS });
    const activities = this.triggersOf('activityTrigger');
    const { worker } = this;
    const engine = new OrchestrationEngine({ worker, store, log, orchestrators, activities, oneOfSeveral });
    this.engine = engine;
    addManagementApi(this.server, engine, () => this.endpoints());
    this.startups.push(async () => {
      const count = await engine.resumeAll();
      if (count > 0) log.info(`${count} orchestration(s) of an earlier run go on.`);
    });
  }

  /** @returns undefined where there is no such function; else what ends when it has run, its failure being logged */
  private runManually(name: string, input: string): Promise<void> | undefined {
    const known = [...this.worker.functions.keys()].find((item) => item.toLowerCase() === name.toLowerCase());
    if (known === undefined) return undefined;
    const manualRun = this.manualRuns.get(known.toLowerCase());
    if (manualRun === undefined) {
      this.options.log.error(`${known}: only functions with a queue or timer trigger can be run by hand.`);
      return Promise.resolve();
    }
    return manualRun(input).then(
      () => undefined,
      () => undefined, // Logged by `run`.
    );
  }

  /** Function name → name of its trigger binding, for the functions of one kind. */
  private triggersOf(type: string): Map<string, string> {
    const found = new Map<string, string>();
    for (const [name, { metadata }] of this.worker.functions) {
      const trigger = Object.entries(metadata.bindings).find(([, binding]) => binding.type === type);
      if (trigger) found.set(name, trigger[0]);
    }
    return found;
  }

  /** Adds the inputs that are not the trigger, runs the function, and carries out its output bindings. */
  private async run(registered: RegisteredFunction, invocation: Invocation): Promise<InvocationResponse> {
    const { name, bindings } = registered.metadata;
    const started = performance.now();
    for (const [bindingName, binding] of Object.entries(bindings)) {
      if (binding.type === 'durableClient' || binding.type === 'orchestrationClient') {
        const client = rpcString(durableClientInput(this.endpoints()));
        invocation.inputData.push(parameter(bindingName, client));
      }
    }
    try {
      const response = await this.worker.invoke(name, invocation);
      await sendOutputs(this.storage.queues, this.hostJson.queues.messageEncoding, bindings, response);
      if (this.options.log.verbose)
        this.options.log.debug(`${name}: done in ${Math.round(performance.now() - started)} ms`);
      return response;
    } catch (error) {
      this.options.log.error(`${name}: ${messageOf(error)}`);
      throw error;
    }
  }

  /** What hosts over one storage tell each other. */
  private hubTable(): TableClient {
    return this.storage.table(`${this.hostJson.durable.hubName}Local`);
  }

  private endpoints(): DurableEndpoints {
    return { baseUrl: this.url, hubName: this.hostJson.durable.hubName };
  }

  private async giveBackLeases(): Promise<void> {
    const left = await this.leases.leftBehind();
    const given = await Promise.allSettled(
      left.map(async ({ queue, messageId, receipt }) =>
        this.storage.queues.getQueueClient(queue).updateMessage(messageId, receipt, undefined, 0),
      ),
    );
    const count = given.filter(({ status }) => status === 'fulfilled').length;
    if (count > 0) this.options.log.info(`${count} message(s) of an earlier run are given back to their queues.`);
  }
}

function setting(binding: BindingInfo, name: string): string {
  return resolveSettings(bindingText(binding, name), process.env);
}
