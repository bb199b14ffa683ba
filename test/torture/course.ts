import { setTimeout as sleep } from 'node:timers/promises';
import type { MigrationReport } from '../../src/migration/report';
import type { App } from './app';
import { faultOf, type PlannedFault, type Stage } from './faults';
import { stallSeconds, type House } from './house';
import type { Journal } from './journal';
import { bodyOf, type Scenario } from './scenario';
import type { ServerSide } from './server-side';

/** A request that matches no key: should it be let in, it does no harm. */
const intruder = { source: 'OLD', target: 'NEW', onConflict: 'skip', select: { match: ['no-key-begins-so:*'] } };

/** On a machine that does much else a migration of a few seconds takes some minutes, and one that goes round in circles has no end. */
const LONGEST_MS = 600_000;

/** A request that was not taken although nothing hindered it. */
export class RefusedError extends Error {}

/** One migration from its start to its end, with the faults that befall it. */
export class Course implements Stage {
  migration = '';
  /** The last report; null where the app knows nothing of the migration. */
  report: MigrationReport | null | undefined;
  /** It did not end within the time that it has. */
  stoodStill = false;
  startedAnew = false;
  intruded = false;
  private startedAt = 0;
  private done = false;
  private acting: Promise<unknown>[] = [];
  /** Faults of one part follow each other; those of different parts meet. */
  private readonly turns = new Map<string, Promise<unknown>>();

  constructor(
    readonly scenario: Scenario,
    private readonly house: House,
    readonly source: ServerSide,
    readonly target: ServerSide,
    readonly journal: Journal,
  ) {}

  get app(): App {
    return this.house.app;
  }

  get storage() {
    return this.house.storage;
  }

  get hasEnded(): boolean {
    return this.done;
  }

  /** @throws RefusedError */
  async start(): Promise<void> {
    this.migration = await startMigration(this.app, bodyOf(this.scenario));
    this.startedAt = Date.now();
    this.acting = this.scenario.faults.map((fault) => this.befall(fault));
  }

  /** Waits for the end, or until nothing has come of it for too long; then until all faults are over. */
  async finish(): Promise<void> {
    for (;;) {
      const { migration } = this;
      const known = await this.app.report(migration);
      if (known !== undefined) this.report = known;
      this.noteProgress();
      if (known === null || (known !== undefined && known.finishedAt !== null)) {
        // Otherwise this was the end of the one that was cancelled.
        if (!this.isStartingAnew && migration === this.migration) break;
      } else if (Date.now() > this.latestEnd) {
        this.stoodStill = true;
        break;
      }
      await sleep(100);
    }
    this.done = true;
    await Promise.all(this.acting);
  }

  async startAnew(): Promise<void> {
    this.isStartingAnew = true;
    try {
      await this.app.request('DELETE', `/api/migrations/${this.migration}`);
      await endOf(this.app, this.migration, 60_000);
      this.migration = await startMigration(this.app, bodyOf(this.scenario));
      this.startedAnew = true;
    } finally {
      this.isStartingAnew = false;
    }
  }

  async intrude(): Promise<void> {
    const { status, body } = await this.app.request<{ id: string }>('POST', '/api/migrations', intruder);
    if (status !== 202) return;
    const first = await this.app.report(this.migration);
    if (first?.finishedAt === null) this.intruded = true;
    await this.app.request('DELETE', `/api/migrations/${body.id}`);
    await endOf(this.app, body.id, 60_000);
  }

  private isStartingAnew = false;

  private movedAt = 0;
  private place = '';

  private noteProgress(): void {
    const { state, counts, progress } = this.report ?? {};
    const place = JSON.stringify([this.migration, state, counts, progress?.ranges]);
    if (place !== this.place) this.movedAt = Date.now();
    this.place = place;
  }

  /** When at the latest it must have come to its end: so long after the last trouble and the last progress, and in any case. */
  private get latestEnd(): number {
    const troubles = this.journal.events.map(({ to }) => to);
    const still =
      Math.max(this.startedAt + this.scenario.expectedMs, this.movedAt, ...troubles) + 3 * stallSeconds * 1_000;
    return Math.min(still, this.startedAt + LONGEST_MS);
  }

  private async befall(fault: PlannedFault): Promise<void> {
    const start = Date.now();
    if (fault.after === 'verifying') {
      while (!this.done && this.report?.state !== 'verifying') await sleep(20);
      await this.until(Date.now() + fault.atMs / 10);
    } else await this.until(start + fault.atMs);
    const { part, also, loses, act } = faultOf(fault.name);
    const key = part === 'server' || part === 'way' ? `${part} ${fault.side}` : part;
    const keys = also === undefined ? [key] : [key, also];
    const turn = Promise.all(keys.map((each) => this.turns.get(each) ?? Promise.resolve())).then(async () => {
      if (this.done) return;
      const what = part === 'server' || part === 'way' ? `${fault.name} (${fault.side})` : fault.name;
      await this.journal.note(what, () => act(this, fault), loses?.(this.scenario, fault));
    });
    for (const each of keys) this.turns.set(each, turn);
    await turn;
  }

  private async until(time: number): Promise<void> {
    while (!this.done && Date.now() < time) await sleep(Math.min(50, Math.max(1, time - Date.now())));
  }
}

/** Starts a migration, again where it is not taken for the moment. @throws RefusedError */
export async function startMigration(app: App, body: unknown): Promise<string> {
  let last = '';
  const end = Date.now() + 30_000;
  while (Date.now() < end) {
    try {
      const answer = await app.request<{ id: string }>('POST', '/api/migrations', body);
      if (answer.status === 202) return answer.body.id;
      last = `${answer.status} ${JSON.stringify(answer.body)}`;
      // Anything else of the 400s is an answer.
      if (answer.status < 500 && answer.status !== 429 && answer.status !== 409) break;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    await sleep(300);
  }
  throw new RefusedError(last);
}

/** Waits for a migration's end. @throws Error where it does not come within `ms` */
export async function endOf(app: App, id: string, ms: number): Promise<MigrationReport> {
  const end = Date.now() + ms;
  while (Date.now() < end) {
    const report = await app.report(id);
    if (report?.finishedAt) return report;
    await sleep(100);
  }
  throw new Error(`The migration ${id} did not end within ${ms} ms.`);
}
