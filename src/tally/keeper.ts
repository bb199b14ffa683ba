import { setTimeout as sleep } from 'node:timers/promises';
import { Stillness } from '../app/stillness';
import { inParallel } from '../basics/in-parallel';
import { rangeMessage } from '../ledger/range-queue';
import { LostRowError } from '../ledger/range-rows';
import { wantsStandby } from '../migration/live';
import { isFollowed } from '../migration/phases';
import { isFinal, isResting, isWayBackDue, resetIfOlder, type MigrationRow, type RangeRow } from '../migration/rows';
import { chainsOf, parallelRangesOf } from '../range/range-shape';
import { hasRows, resumeStart } from '../start/start-migration';
import { startWayBack } from '../start/start-way-back';
import { abandonedRanges } from './abandoned';
import type { VisitApp } from './tally-visit';
import { tendMigration } from './tend';

/** How often it is looked, as a part of a silence; less often where a look takes long: no more than this part of the time. */
const PART_OF_SILENCE = 1 / 5;
const SHORTEST_PAUSE_MS = 2_000;
const PART_OF_TIME = 1 / 10;
/** A look may also have waited for a storage or a server that was away: that must not cost ten times as much again. */
const LONGEST_PAUSE_MS = 5_000;
/** Where a look comes so much later than it should, nobody watched. */
const LATE_MS = 3_000;
/** The orchestrator looks every five seconds at least: where no sum has come for longer, nobody adds up. */
const OLD_SUM_MS = 6_000;
/** A worker that ends asks for a sum, but not more often than this, ms. */
const SUM_EVERY_MS = 1_000;
/** How many migrations, or ranges, are looked after at the same time. */
const PARALLEL = 8;

/** How long to wait until the next look, ms, after one that took so long. */
export function pauseAfter(tookMs: number, silenceMs: number): number {
  const pauseMs = Math.max(Math.min(SHORTEST_PAUSE_MS, silenceMs * PART_OF_SILENCE), tookMs / PART_OF_TIME);
  return Math.min(LONGEST_PAUSE_MS, pauseMs);
}

/**
 * Looks after the open migrations as long as its process runs, so that nothing waits for another process, nor for a message or a lock
 * of one that has died: adds up where nobody else does, and sends ranges again that nobody works on. Several processes may do so
 * at once; of what they do twice, one does nothing.
 */
export class Keeper {
  private readonly stillness = new Stillness();
  /** How often the messages of ranges were sent again since anybody worked on them. */
  private readonly sentAgain = new Map<string, number>();
  /** When a source was last sent to be followed, by migration. */
  private readonly followSent = new Map<string, number>();
  /** How many workers of this process are at each migration, and when one of them asked for a sum last. */
  private readonly workers = new Map<string, { count: number; summedAt: number }>();
  private looking: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private dueAt = Number.NEGATIVE_INFINITY;
  private isWanted = false;
  private stopped = false;

  constructor(private readonly app: VisitApp) {}

  /** Begins to look, and goes on for as long as there is an open migration. */
  wake(): void {
    this.isWanted = true;
    if (this.timer === undefined && this.looking === undefined && !this.stopped) this.begin();
  }

  /**
   * Does work on a range of a migration. When it was the last one at work here, the migration is visited before its message is
   * done: there may be nobody else to do so. Throws what the work throws.
   */
  async during(id: string, work: () => Promise<void>): Promise<void> {
    const workers = this.workers.get(id) ?? { count: 0, summedAt: Number.NEGATIVE_INFINITY };
    this.workers.set(id, workers);
    workers.count++;
    this.wake();
    try {
      await work();
    } finally {
      workers.count--;
      if (workers.count === 0) await this.sumUp(id, workers);
    }
  }

  private async sumUp(id: string, workers: { count: number; summedAt: number }): Promise<void> {
    const rest = workers.summedAt + SUM_EVERY_MS - performance.now();
    if (rest > 0) await sleep(rest, undefined, { ref: false });
    if (workers.count > 0 || this.stopped) return;
    workers.summedAt = performance.now();
    await tendMigration(id, this.app).catch((error: unknown) => {
      this.warn(error, id);
    });
    if (workers.count === 0) this.workers.delete(id);
  }

  /** Looks no more; resolves when the present look has ended. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.looking;
  }

  private get silenceMs(): number {
    return this.app.settings.silenceSeconds * 1_000;
  }

  private begin(): void {
    const began = performance.now();
    this.isWanted = false;
    this.looking = this.look()
      .catch((error: unknown) => {
        this.warn(error);
        // Storage is away: what could not move has not stood still.
        this.stillness.restart();
        return true;
      })
      .then((isOpen) => {
        this.looking = undefined;
        this.timer = undefined;
        if (this.stopped || !(isOpen || this.isWanted)) return;
        const pauseMs = pauseAfter(performance.now() - began, this.silenceMs);
        this.dueAt = performance.now() + pauseMs;
        this.timer = setTimeout(() => {
          this.timer = undefined;
          this.begin();
        }, pauseMs);
        this.timer.unref();
      });
  }

  /** Looks after all open migrations once; false where there are none. */
  async look(): Promise<boolean> {
    const { ledger } = this.app;
    await ledger.ensure();
    const open = (await ledger.migrations.list('open')).filter((row) => !isFinal(row) || isWayBackDue(row));
    if (performance.now() - this.dueAt > LATE_MS) this.stillness.restart();
    await inParallel(open, PARALLEL, async (migration) => {
      await this.keep(migration).catch((error: unknown) => {
        this.warn(error, migration.id);
      });
    });
    this.stillness.tidy();
    if (open.length === 0) for (const sent of [this.sentAgain, this.followSent]) sent.clear();
    return open.length > 0;
  }

  private async keep(migration: MigrationRow): Promise<void> {
    const { id, state } = migration;
    if (isFinal(migration)) {
      await startWayBack(id, this.app);
      return;
    }
    const isComplete = await this.completeBeginning(migration);
    if (state === 'planned' && !isComplete) return;
    if (state !== 'planned') await this.keepFollowed(migration);
    const settled = state === 'planned' || !isComplete ? 0 : await this.sendAbandoned(migration);
    if ((await this.isSumOld(migration)) || settled > 0) await tendMigration(id, this.app);
  }

  /** Finishes the start, or the start of a phase, of whoever died over it; one that is under way is not disturbed, and gives false. */
  private async completeBeginning(migration: MigrationRow): Promise<boolean> {
    if (hasRows(migration)) return true;
    const { id, phase, pass, epoch } = migration;
    const rows = (await this.app.ledger.seenRanges.list(id)).rows.filter((row) => row.phase === phase);
    const taken = rows.filter((row) => row.epoch >= epoch && row.state !== 'planned').length;
    const mark = [phase, pass, epoch, rows.length, taken].join(' ');
    if (this.stillness.stillFor(`begins ${id}`, mark) < this.silenceMs) return false;
    await resumeStart(migration, this.app);
    return true;
  }

  /** Has a source followed again that nobody follows any more. */
  private async keepFollowed(migration: MigrationRow): Promise<void> {
    const { id, plan, cancelRequested } = migration;
    if (!isFollowed(plan) || cancelRequested) return;
    await this.keepReader(`live ${id}`, migration, await this.app.ledger.live.get(id));
    if (wantsStandby(plan)) {
      await this.keepReader(`standby ${id}`, migration, await this.app.ledger.live.getStandby(id));
    }
  }

  private async keepReader(name: string, migration: MigrationRow, row: { readonly etag: string } | undefined) {
    if (this.stillness.stillFor(name, row?.etag ?? '') < this.silenceMs) return;
    const last = this.followSent.get(name) ?? Number.NEGATIVE_INFINITY;
    if (performance.now() - last < this.silenceMs) return;
    this.followSent.set(name, performance.now());
    await this.app.queue.follow(migration);
  }

  private async isSumOld({ id, startedAt }: MigrationRow): Promise<boolean> {
    const sum = await this.app.ledger.snapshots.get(id);
    const name = `sum ${id}`;
    const isKnown = this.stillness.knows(name);
    const stillMs = this.stillness.stillFor(name, sum?.etag ?? '');
    // Who has just begun to watch goes by the time that the sum was made at.
    return isKnown
      ? stillMs >= OLD_SUM_MS
      : Math.abs(this.app.ledger.now() - Date.parse(sum?.at ?? startedAt)) >= OLD_SUM_MS;
  }

  /** Sends the ranges again that nobody works on; of a cancelled migration it settles them, and tells how many. */
  private async sendAbandoned(migration: MigrationRow): Promise<number> {
    const { id, phase, plan, cancelRequested } = migration;
    const seen = await this.app.ledger.seenRanges.list(id);
    const rows = seen.rows.filter((row) => row.phase === phase && row.broken !== true);
    const nameOf = ({ name }: RangeRow) => `${id} ${name}`;
    for (const row of rows) {
      if (row.state === 'active') this.sentAgain.delete(nameOf(row));
    }
    const abandoned = abandonedRanges(
      rows.map((row) => resetIfOlder(row, migration)),
      {
        chains: chainsOf(plan),
        isLimited: parallelRangesOf(plan) > 0,
        stillFor: (row) => this.stillness.stillFor(nameOf(row), row.etag),
        sentAgain: (row) => this.sentAgain.get(nameOf(row)) ?? 0,
        rests: (row) => !cancelRequested && isResting(row, this.app.ledger.now(), this.silenceMs),
        silenceMs: this.silenceMs,
      },
    );
    await inParallel(abandoned, PARALLEL, async (row) => {
      if (!(await this.takeFromDead(row, migration))) return;
      this.sentAgain.set(nameOf(row), (this.sentAgain.get(nameOf(row)) ?? 0) + 1);
      if (!cancelRequested) await this.app.queue.send([rangeMessage(migration, row.name)]);
    });
    return cancelRequested ? abandoned.length : 0;
  }

  /** Takes a range from a worker that is gone: should it live, it is stopped at its next write. False where it wrote just now. */
  private async takeFromDead(row: RangeRow, { cancelRequested }: MigrationRow): Promise<boolean> {
    try {
      const state = cancelRequested ? 'cancelled' : 'planned';
      const wroteAhead = row.wroteAhead || row.state === 'active';
      await this.app.ledger.ranges.replace({ ...row, state, wroteAhead, generation: row.generation + 1 });
      return true;
    } catch (error) {
      if (error instanceof LostRowError) return false;
      throw error;
    }
  }

  private warn(error: unknown, migration = ''): void {
    const trouble = error instanceof Error ? error.message : String(error);
    this.app.telemetry.log('warn', 'A migration could not be looked after', {
      'keyferry.migration': migration,
      'keyferry.trouble': trouble,
    });
  }
}
