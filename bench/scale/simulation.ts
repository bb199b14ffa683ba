import { readHostJson } from '../../local/host-json';
import { repositoryRoot } from '../../local/servers/repository-root';
import { RANGES_QUEUE, decodeMessage, RangeQueue, type RangeMessage } from '../../src/ledger/range-queue';
import { Ledger } from '../../src/ledger/ledger';
import { StorageClock } from '../../src/ledger/storage-clock';
import { storageClients } from '../../src/ledger/storage-clients';
import { MigrationWatch } from '../../src/app/migration-watch';
import { readAppSettings } from '../../src/app/app-settings';
import { Visits } from '../../src/app/visits';
import { chooseDatabases } from '../../src/migration/choose-databases';
import { firstCourse } from '../../src/migration/course';
import { decidePlan } from '../../src/migration/decide-plan';
import { phaseAt } from '../../src/migration/phases';
import type { Plan } from '../../src/migration/plan';
import { parseMigrationRequest } from '../../src/migration/request';
import type { MigrationRow } from '../../src/migration/rows';
import { startPlace, endPlace, placeOf } from '../../src/keyspace/cursor';
import type { RangeJob } from '../../src/range/range-job';
import { ensureRows } from '../../src/start/start-migration';
import { startPhase } from '../../src/tally/start-phase';
import { visitMigration, type Visit } from '../../src/tally/tally-visit';
import { cursorProcessOf } from '../../src/redis/probe';
import { noTelemetry } from '../../src/telemetry/telemetry';
import { workOnRange, type WorkerApp } from '../../src/work/range-worker';
import { SOURCE, TARGET, simulateSides, type SimulatedSides } from './simulated-sides';

export interface Scale {
  readonly id: string;
  /** Keys of the source. */
  readonly keys: number;
  /** Masters of the target. */
  readonly shards: number;
  /** Ranges that are at work at once. */
  readonly workers: number;
  /** Keys that all workers together copy in a second of the simulated time. */
  readonly keysPerSecond: number;
  /** Keys of a page. */
  readonly pageKeys: number;
}

/** Beyond the longest run: what is written in the meantime is written by the simulated time. */
const NEVER_S = 3_600;
const BYTES_A_KEY = 150;
const BATCH = 8;

/**
 * A migration of more keys than a machine could hold: the servers are simulated, and so is the time that they take; the plan, the
 * ledger, its storage, the workers' hold on their ranges, the tally and the documents are the real ones.
 */
export class Simulation {
  readonly id: string;
  readonly sides: SimulatedSides;
  /** How far the simulated time is ahead of the real one, ms. */
  private ahead = 0;
  private readonly clients;
  private app;

  constructor(
    private readonly scale: Scale,
    connectionString: string,
  ) {
    this.id = scale.id;
    this.sides = simulateSides(scale.keys, scale.shards);
    this.clients = storageClients({ AzureWebJobsStorage: connectionString });
    this.app = this.newApp();
  }

  /** The app as a process has it that has not seen anything yet. */
  forget(): void {
    this.app = this.newApp();
  }

  get process() {
    return this.app;
  }

  private newApp() {
    const { clock } = this.clients;
    const ahead = Object.assign(new StorageClock(), { now: () => clock.now() + this.ahead });
    const ledger = new Ledger({ ...this.clients, clock: ahead });
    return {
      ledger,
      queue: new RangeQueue(this.clients),
      settings: { ...readAppSettings({}), checkpointSeconds: NEVER_S },
      telemetry: noTelemetry,
      visits: new Visits(),
      watch: new MigrationWatch(ledger.migrations),
      connections: this.sides.connections,
    };
  }

  async ensure(): Promise<void> {
    await Promise.all([this.app.ledger.ensure(), this.app.queue.ensure()]);
  }

  /** Decides the plan of the migration. */
  async plan(): Promise<Plan> {
    const request = parseMigrationRequest({ source: SOURCE, target: TARGET });
    const [source, target] = await Promise.all([SOURCE, TARGET].map((name) => this.sides.facts(name)));
    if (source === undefined || target === undefined) throw new Error('unreachable');
    const { plan, refusals } = decidePlan({
      request,
      source: {
        ...source,
        abilities: {
          ...{ scripts: true, memoryUsage: true, dump: true, payloadVersion: 10 },
          ...{ cursorOrder: true, functions: 0, modules: [] },
        },
      },
      target: {
        ...target,
        abilities: { scripts: false, restore: true, payloadVersions: [[6, 10]], absoluteExpiry: true, modules: [] },
      },
      choices: chooseDatabases(request, source.databases, target.databases),
      refused: { source: [], target: [] },
      keysRefused: { source: [], target: [] },
      missing: { source: [], target: [] },
      scriptsRefused: {},
    });
    if (refusals.length > 0) throw new Error(refusals.map(({ message }) => message).join(' '));
    return plan;
  }

  /** Writes a plan down, its range rows and their messages. */
  async start(plan: Plan): Promise<MigrationRow> {
    const { ledger } = this.app;
    const time = ledger.time();
    await ledger.migrations.create({
      ...{ id: this.id, state: 'planned', ...phaseAt(plan, 0), requestHash: 'scale', plan, epoch: 0 },
      ...{ walkedRunId: cursorProcessOf(plan.source), cancelRequested: false, cutoverRequestedAt: null },
      ...{ stopCause: null, course: firstCourse(plan), startedAt: time, finishedAt: null, cause: null },
      ...{ traceparent: null, phasesWithRows: [], visit: '' },
    });
    return await ensureRows(await this.row(), this.app);
  }

  async row(): Promise<MigrationRow> {
    const row = await this.app.ledger.migrations.get(this.id);
    if (row === undefined) throw new Error('The migration is gone.');
    return row;
  }

  /** A visit of the tally; begins the phase that is due. */
  async visit(): Promise<Visit> {
    const visit = await visitMigration(this.id, { ...this.app, files: undefined as never });
    if (visit === undefined) throw new Error('The migration is gone.');
    if (visit.due !== null) await startPhase(this.id, visit.due, { ...this.app, files: undefined as never });
    return visit;
  }

  /** Advances ranges by one page each, as workers do that write their rows. */
  async touch(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const row = await this.app.ledger.ranges.get(this.id, name);
      if (row === undefined) throw new Error(`There is no range ${name}.`);
      await this.app.ledger.ranges.replace({ ...row, progress: row.progress + 1 });
    }
  }

  /**
   * Works on all ranges until none is left: takes messages as hosts do, and works on each as a worker does but for the pages, whose keys
   * are said to be copied.
   * @param delivered how often a message comes, to workers at the same time
   * @param onSecond called for each second of the simulated time
   */
  async work(delivered: (message: RangeMessage) => number, onSecond?: () => Promise<void>): Promise<WorkDone> {
    const client = this.clients.queues.getQueueClient(RANGES_QUEUE);
    const { workers, keysPerSecond } = this.scale;
    const { batchSize, newBatchThreshold } = (await readHostJson(repositoryRoot())).queues;
    const instances = Math.ceil(workers / (batchSize + newBatchThreshold));
    const running = new Set<Promise<void>>();
    const failures: unknown[] = [];
    const refuse = () => {
      if (failures.length > 0) throw new Error('A range has failed.', { cause: failures[0] });
    };
    let messages = 0;
    let seconds = 0;
    let keys = 0;
    let told = 0;
    const secondsTold = async () => {
      while (told < Math.floor(seconds)) {
        told++;
        // What runs on an instance asks once a second whether it is to go on.
        for (let i = 0; i < instances; i++) await this.app.ledger.migrations.get(this.id);
        await onSecond?.();
      }
    };
    const advance = (page: number) => {
      keys += page;
      seconds = keys / keysPerSecond;
      this.ahead += (page / keysPerSecond) * 1_000;
      this.sides.written += page;
    };
    const begin = (message: RangeMessage) => {
      const work = workOnRange(message, this.workerApp(), () => (job) => this.copy(job, advance))
        .catch((error: unknown) => void failures.push(error))
        .then(() => void running.delete(work));
      running.add(work);
    };
    for (;;) {
      refuse();
      const { receivedMessageItems } = await client.receiveMessages({
        numberOfMessages: BATCH,
        visibilityTimeout: 600,
      });
      messages += receivedMessageItems.length;
      for (const { messageText, messageId, popReceipt } of receivedMessageItems) {
        const message = decodeMessage(Buffer.from(messageText, 'base64').toString());
        for (let i = 0; i < delivered(message); i++) begin(message);
        await client.deleteMessage(messageId, popReceipt);
      }
      if (receivedMessageItems.length === 0 && running.size === 0) break;
      while (running.size > (receivedMessageItems.length === 0 ? 0 : workers - BATCH)) {
        await Promise.race(running);
        await secondsTold();
      }
    }
    refuse();
    return { messages, seconds, instances };
  }

  /** What a worker needs, of what it uses where no key is read. */
  private workerApp(): WorkerApp {
    return this.app as unknown as WorkerApp;
  }

  private async copy(job: RangeJob, advance: (keys: number) => void): Promise<void> {
    const { bits, index } = job.row;
    const [start, end] = [startPlace({ bits, index }), endPlace({ bits, index })];
    const expected =
      Math.floor((this.scale.keys * (index + 1)) / 2 ** bits) - Math.floor((this.scale.keys * index) / 2 ** bits);
    let written = this.app.ledger.now();
    for (let keys = 0; keys < expected;) {
      job.check();
      const page = Math.min(this.scale.pageKeys, expected - keys);
      keys += page;
      const place = start + ((end - start) * BigInt(keys)) / BigInt(expected);
      const next = keys === expected ? 0n : placeOf(place);
      advance(page);
      await job.add({ scanned: page, copied: page, bytes: page * BYTES_A_KEY }, [], next);
      // Others have their pages meanwhile.
      await new Promise((resolve) => setImmediate(resolve));
      if (this.app.ledger.now() - written < CHECKPOINT_MS || keys === expected) continue;
      written = this.app.ledger.now();
      await job.checkpoint();
    }
  }
}

const CHECKPOINT_MS = readAppSettings({}).checkpointSeconds * 1_000;

export interface WorkDone {
  readonly messages: number;
  /** Of the simulated time. */
  readonly seconds: number;
  readonly instances: number;
}
