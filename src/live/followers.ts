import { randomUUID } from 'node:crypto';
import type { App } from '../app/app';
import { readableMigration } from '../app/readable-migration';
import { Stillness } from '../app/stillness';
import { LostRowError } from '../ledger/range-rows';
import type { FollowMessage } from '../ledger/range-queue';
import type { LiveRow } from '../migration/live';
import { isFollowed } from '../migration/phases';
import { isFinal } from '../migration/rows';
import { Follower, type FollowApp } from './follower';

/** How often whoever waits looks whether it still has to, ms. */
const LOOK_MS = 500;

/**
 * The sources that this process follows. A message keeps one followed for its time; what is heard stays in the process from one message
 * to the next, so that nothing is missed in between.
 */
export class Followers {
  private readonly followers = new Map<string, Follower>();
  private readonly stillness = new Stillness();
  private stopped = false;

  /** @param onNews told when something has come that the tally of a migration may wait for */
  constructor(
    private readonly app: FollowApp & Pick<App, 'queue'>,
    private readonly onNews?: (id: string) => Promise<unknown>,
  ) {}

  /**
   * Follows the source of a message's migration for a message's time, and sends the message again then. Returns at once where another
   * process follows it. Safe to be called twice, late, or by two processes at once.
   */
  async during(message: FollowMessage): Promise<void> {
    const until = performance.now() + this.app.settings.rangeSeconds * 1_000;
    const migration = await readableMigration(message.migration, this.app);
    if (migration === undefined || isFinal(migration) || migration.cancelRequested || !isFollowed(migration.plan))
      return;
    const follower = await this.follower(migration.id, until);
    if (follower === undefined) return;
    const end = follower.run();
    while (!follower.hasEnded && !this.stopped && performance.now() < until) {
      await Promise.race([end, new Promise((resolve) => setTimeout(resolve, LOOK_MS))]);
    }
    if (follower.hasEnded) {
      await end;
      if (this.followers.get(migration.id) === follower) this.followers.delete(migration.id);
    } else if (!this.stopped) await this.app.queue.follow(migration);
  }

  /** Ends all; what is under way is waited for. */
  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all([...this.followers.values()].map((follower) => follower.stop()));
    this.followers.clear();
  }

  /** The one of this process, or a new one where nobody else follows; undefined where somebody does. */
  private async follower(id: string, until: number): Promise<Follower | undefined> {
    const known = this.followers.get(id);
    if (known !== undefined && !known.hasEnded) return known;
    const row = await this.app.ledger.live.get(id);
    if (row !== undefined && !(await this.isAbandoned(row, until))) return undefined;
    const migration = await this.app.ledger.migrations.get(id);
    if (migration === undefined || isFinal(migration)) return undefined;
    const taken = this.followers.get(id);
    if (taken !== undefined && !taken.hasEnded) return taken;
    try {
      const held = await this.app.ledger.live.take(this.begun(id, row), row?.etag);
      const follower = new Follower(held, migration, this.app, this.onNews);
      this.followers.set(id, follower);
      return follower;
    } catch (error) {
      if (error instanceof LostRowError) return undefined;
      throw error;
    }
  }

  /** Whether whoever followed has been silent for long, as far as this process sees; one that left says so. */
  private async isAbandoned(seen: LiveRow, until: number): Promise<boolean> {
    if (seen.holder === '') return true;
    const { silenceSeconds } = this.app.settings;
    for (let row: LiveRow | undefined = seen; row !== undefined; row = await this.app.ledger.live.get(seen.migration)) {
      if (row.etag !== seen.etag) return false;
      if (this.stillness.stillFor(seen.migration, row.etag) >= silenceSeconds * 1_000) return true;
      if (this.stopped || performance.now() >= until) return false;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    return true;
  }

  private begun(id: string, before: LiveRow | undefined): Omit<LiveRow, 'etag'> {
    return {
      ...(before ?? NEVER),
      migration: id,
      holder: randomUUID(),
      generation: (before?.generation ?? 0) + 1,
      session: '',
      feed: null,
      listeningSince: before?.listeningSince ?? null,
      settled: false,
      heartbeat: this.app.ledger.time(),
      waiting: 0,
      kept: 0,
      lagMs: 0,
      findings: 0,
      trouble: null,
      step: null,
      quietSince: null,
      proof: null,
      writers: null,
      // Whoever followed before heard what this one cannot know of.
      ...(before === undefined || before.listeningSince === null
        ? {}
        : { gaps: before.gaps + 1, lastGap: before.session === '' ? LEFT : DIED }),
    };
  }
}

const LEFT = 'Nobody followed the source for a while.';
const DIED = 'Whoever followed the source has died, or was cut off.';

const NEVER = {
  runId: '',
  written: 0,
  deleted: 0,
  gaps: 0,
  lastGap: null,
  builders: [],
  clockDoubtMs: 0,
} as const;
