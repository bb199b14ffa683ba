import type { App } from '../app/app';
import { readableMigration } from '../app/readable-migration';
import { Stillness } from '../app/stillness';
import { LostRowError } from '../ledger/range-rows';
import type { FollowMessage } from '../ledger/range-queue';
import { isHeld, wantsStandby } from '../migration/live';
import { isFollowed } from '../migration/phases';
import { isFinal, type MigrationRow } from '../migration/rows';
import { begunFollowing } from './begun-following';
import { Follower, type FollowApp } from './follower';
import { SourceMemory } from './source-memory';
import { begunStandby, Standby } from './standby';

/** How often whoever waits looks whether it still has to, ms. */
const LOOK_MS = 500;

/** One that listens to a source: applies what it is told, or stands by until it takes that place. */
class Reader {
  /** A message keeps it at the moment. */
  isAttended = true;
  hasEnded = false;
  private stopped = false;
  private running: Promise<void> | undefined;

  constructor(private current: Follower | Standby) {}

  /** It has left its place to another reader: a new one should stand by. */
  get hasLeft(): boolean {
    return this.current instanceof Follower && this.current.hasLeft;
  }

  run(): Promise<void> {
    this.running ??= this.read();
    return this.running;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.current.stop();
    await this.running;
  }

  private async read(): Promise<void> {
    if (this.current instanceof Standby) {
      const follower = await this.current.run();
      if (follower !== undefined) {
        this.current = follower;
        if (this.stopped) await follower.stop();
      }
    }
    if (this.current instanceof Follower) await this.current.run();
    this.hasEnded = true;
  }
}

/**
 * The sources that this process follows. A message keeps one reader for its time; what is heard stays in the process from one message
 * to the next, so that nothing is missed in between. Of the two readers of a source one applies what it is told, and the other stands by.
 */
export class Followers {
  private readonly readers = new Map<string, Reader[]>();
  private readonly memories = new Map<string, SourceMemory>();
  private readonly stillness = new Stillness();
  private stopped = false;

  /** @param onNews told when something has come that the tally of a migration may wait for */
  constructor(
    private readonly app: FollowApp & Pick<App, 'queue'>,
    private readonly onNews?: (id: string) => Promise<unknown>,
  ) {}

  /**
   * Reads the source of a message's migration for a message's time, and sends the message again then. Returns at once where others
   * do. Safe to be called twice, late, or by two processes at once.
   */
  async during(message: FollowMessage): Promise<void> {
    const until = performance.now() + this.app.settings.rangeSeconds * 1_000;
    const migration = await readableMigration(message.migration, this.app);
    if (migration === undefined || !isFollowed(migration.plan) || isFinal(migration) || migration.cancelRequested)
      return;
    const { id } = migration;
    const reader = this.unattended(id) ?? (await this.begun(migration, until));
    if (reader === undefined) return;
    const end = reader.run();
    try {
      while (!reader.hasEnded && !this.stopped && performance.now() < until) {
        await Promise.race([end, new Promise((resolve) => setTimeout(resolve, LOOK_MS))]);
      }
    } finally {
      reader.isAttended = false;
    }
    if (reader.hasEnded) {
      await end;
      this.readers.set(
        id,
        this.readersOf(id).filter((each) => each !== reader),
      );
      if (this.readersOf(id).length === 0) {
        this.readers.delete(id);
        if (!reader.hasLeft) this.memories.delete(id);
      }
      if (!reader.hasLeft) return;
    }
    if (!this.stopped) await this.app.queue.follow(migration);
  }

  /** Ends all; what is under way is waited for. */
  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all([...this.readers.values()].flat().map((reader) => reader.stop()));
    this.readers.clear();
  }

  private readersOf(id: string): Reader[] {
    return this.readers.get(id) ?? [];
  }

  private unattended(id: string): Reader | undefined {
    const reader = this.readersOf(id).find((each) => !each.isAttended && !each.hasEnded);
    if (reader !== undefined) reader.isAttended = true;
    return reader;
  }

  /** A new reader in a place that nobody has; undefined where both are taken. */
  private async begun({ id, plan }: MigrationRow, until: number): Promise<Reader | undefined> {
    const silenceMs = this.app.settings.silenceSeconds * 1_000;
    const { live, migrations } = this.app.ledger;
    const first = new Map<string, string>();
    const standOf = (name: string, row: { readonly holder: string; readonly etag: string } | undefined) => {
      if (row === undefined || !isHeld(row)) return 'free';
      const seen = first.get(name);
      if (seen === undefined) first.set(name, row.etag);
      else if (seen !== row.etag) return 'taken';
      return this.stillness.stillFor(`${name} ${id}`, row.etag) >= silenceMs ? 'free' : 'unknown';
    };
    while (!this.stopped && performance.now() < until) {
      const [row, standby] = await Promise.all([live.get(id), live.getStandby(id)]).catch((error: unknown) => {
        // While storage is away nobody can give a sign.
        this.stillness.restart();
        throw error;
      });
      const [leads, standsBy] = [standOf('live', row), standOf('standby', standby)];
      const migration = await migrations.get(id);
      if (migration === undefined || isFinal(migration)) return undefined;
      try {
        const now = this.app.ledger.time();
        // Who stands by goes first where a place has become free: it has heard what was told.
        if (leads === 'free' && standsBy === 'free') {
          const held = await live.take(begunFollowing(id, row, now, { lost: null }), row?.etag);
          return this.add(id, new Follower(held, migration, this.app, this.onNews, undefined, this.memoryOf(id)));
        }
        if (leads !== 'free' && standsBy === 'free' && wantsStandby(plan)) {
          const held = await live.takeStandby(begunStandby(id, standby, now), standby?.etag);
          return this.add(id, new Standby(held, migration, this.app, this.onNews, this.memoryOf(id)));
        }
      } catch (error) {
        if (!(error instanceof LostRowError)) throw error;
        continue;
      }
      if (leads === 'taken' && (standsBy === 'taken' || !wantsStandby(plan))) return undefined;
      const free = this.unattended(id);
      if (free !== undefined) return free;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    return undefined;
  }

  private memoryOf(id: string): SourceMemory {
    const memory = this.memories.get(id) ?? new SourceMemory();
    this.memories.set(id, memory);
    return memory;
  }

  private add(id: string, current: Follower | Standby): Reader {
    const reader = new Reader(current);
    this.readers.set(id, [...this.readersOf(id), reader]);
    return reader;
  }
}
