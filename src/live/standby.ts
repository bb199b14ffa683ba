import { randomUUID } from 'node:crypto';
import { Stillness } from '../app/stillness';
import { LostRowError } from '../ledger/range-rows';
import type { LiveRow, StandbyRow } from '../migration/live';
import { isFinal, type MigrationRow } from '../migration/rows';
import { SidesMetError } from '../migration/same-server';
import { RedisError } from '../redis/errors';
import { NoFeedError } from '../redis/feed-connection';
import { FLUSHED, othersSince } from './blind-spots';
import { begunFollowing } from './begun-following';
import { Follower, MOST_BYTES, type FollowApp } from './follower';
import { HeardNames } from './heard-names';
import { concernOf } from './related-keys';
import { Signal } from './signal';
import { SourceMemory } from './source-memory';
import { SourceFeed, type Look, type Session } from './source-feed';
import { beatMs, LOOK_MS } from './standby-beat';

/** Whoever follows stops half a silence after its last sign (`HELD` in follower.ts); so much of one later it is taken for gone. */
const GONE = 0.6;

/** What this reader can vouch for: that it has heard all that is not applied in a session. */
interface Covered {
  readonly session: string;
  /** Whoever follows must have applied what was heard before this mark: from there on nothing is missing here. */
  readonly from: number;
  /** All that changed since the session's pass began is kept, or that pass has ended. */
  isWhole: boolean;
  /** That is so, and what was before `from` is known to be applied. */
  isKnown: boolean;
}

/**
 * Hears what the source of a migration tells beside the reader that applies it, and takes its place without a gap where that one is
 * silent or leaves. Each mark that it writes is answered in the row of whoever follows, once that one has been told everything that
 * was changed before it read the mark, and has applied it: no clock is compared with another one.
 */
export class Standby {
  private readonly databases: ReadonlyMap<number, HeardNames>;
  private readonly feed: SourceFeed;
  private readonly concerns: (key: Buffer) => boolean;
  private readonly stillness = new Stillness();
  private readonly beats = new Signal();
  /** What the source had, as far as it is heard here that it is on the target: whoever follows may end together with the source. */
  private readonly own = new SourceMemory();
  /** The session that it is of. */
  private ownOf: string | undefined;
  /** Each key has its own name on the target, and nothing else decides what is there. */
  private readonly areAsTheyAre: boolean;
  private facts: Session | undefined;
  private covered: Covered | undefined;
  /** Nothing that no feed tells had happened when it was looked last. */
  private isSure = false;
  private lookedAt = Number.NEGATIVE_INFINITY;
  /** Why it could not go on without a gap; null where it has just begun, or could. */
  private lost: string | null = null;
  private ended = false;
  private running: Promise<Follower | undefined> | undefined;

  /** @param row as it was taken */
  constructor(
    private row: StandbyRow,
    private readonly migration: MigrationRow,
    private readonly app: FollowApp,
    private readonly onNews?: (id: string) => Promise<unknown>,
    private readonly memory = new SourceMemory(),
  ) {
    const { plan } = migration;
    this.concerns = concernOf(plan);
    this.areAsTheyAre = plan.request.rename.length === 0 && plan.request.convert.length === 0;
    const mostBytes = MOST_BYTES / plan.databases.length;
    this.databases = new Map(plan.databases.map(({ database }) => [database, new HeardNames(mostBytes)]));
    this.feed = new SourceFeed(plan, plan.feeds ?? [], this.events(), app);
  }

  get hasEnded(): boolean {
    return this.ended;
  }

  /** Listens until the end. Gives whoever follows from then on where it takes that place; never throws. */
  run(): Promise<Follower | undefined> {
    this.running ??= this.listen();
    return this.running;
  }

  async stop(): Promise<void> {
    this.ended = true;
    this.beats.notify();
    await this.running;
  }

  private async listen(): Promise<Follower | undefined> {
    let follower: Follower | undefined;
    while (!this.ended && follower === undefined) {
      try {
        follower = await this.beat();
      } catch (error) {
        if (error instanceof LostRowError) this.ended = true;
        // A side or storage may be away for a moment. While storage is, nobody can give a sign.
        if (!isOfASide(error)) this.stillness.restart();
        this.row = { ...this.row, trouble: wordsOf(error) };
      }
      if (follower === undefined && !this.ended) {
        await this.beats.wait(beatMs(this.app.settings.silenceSeconds));
      }
    }
    this.ended = true;
    if (follower === undefined) this.feed.end();
    await this.app.ledger.live.replaceStandby({ ...this.row, holder: '', covers: '' }).catch(() => undefined);
    return follower;
  }

  private async beat(): Promise<Follower | undefined> {
    const { id } = this.migration;
    const migration = await this.app.watch.get(id);
    if (migration === undefined || isFinal(migration) || migration.cancelRequested) {
      this.ended = true;
      return undefined;
    }
    await this.hear().catch((error: unknown) => {
      // Whoever follows may be gone meanwhile: it is looked after that all the same.
      this.forget(wordsOf(error));
      this.row = { ...this.row, trouble: wordsOf(error) };
    });
    await this.write();
    const leader = await this.app.ledger.live.get(id);
    if (leader === undefined) return undefined;
    await this.hold(leader);
    const silentMs = this.stillness.stillFor('leader', leader.etag);
    const isGone = leader.holder === '' || silentMs >= this.app.settings.silenceSeconds * 1_000 * GONE;
    return isGone ? await this.takeOver(leader) : undefined;
  }

  /** Sees to it that the feed tells, and that nothing has happened that it does not tell. */
  private async hear(): Promise<void> {
    if (this.facts === undefined) {
      const facts = await this.feed.begin();
      this.facts = facts;
      this.isSure = true;
      this.lookedAt = performance.now();
      // What comes back as another process is held against what the one before had, until whoever follows has believed it.
      const { last } = this.own;
      if (last === undefined || othersSince(last.facts.source, facts.source).length === 0) this.own.beginAnew(facts);
      return;
    }
    if (performance.now() - this.lookedAt < LOOK_MS) return;
    this.lookedAt = performance.now();
    await this.feed.barrier();
    this.isSure = false;
    let look: Look;
    try {
      look = await this.feed.look();
    } catch (error) {
      if (error instanceof SidesMetError) throw error;
      // The feed lives. What the counters tell shows as well when both sides answer again.
      this.row = { ...this.row, trouble: wordsOf(error) };
      return;
    }
    this.isSure = true;
    const missed = this.feed.missed(this.facts, look);
    if (missed !== undefined) this.forget(missed);
    else if (this.own.last?.facts === this.facts) this.own.sign();
    await this.feed.renew();
  }

  private async write(): Promise<void> {
    const mark = this.row.mark + 1;
    for (const names of this.databases.values()) names.cut(mark);
    const covers = this.isSure && this.covered?.isKnown === true ? this.covered.session : '';
    this.row = { ...this.row, mark, covers, heartbeat: this.app.ledger.time() };
    const { live } = this.app.ledger;
    try {
      this.row = await live.replaceStandby(this.row);
    } catch (error) {
      if (!(error instanceof LostRowError)) throw error;
      const known = await live.getStandby(this.row.migration);
      if (known?.holder !== this.row.holder) throw error;
      // Its own write had come through, and the answer had not.
      this.row = { ...this.row, etag: known.etag };
      return;
    }
    this.row = { ...this.row, trouble: null };
  }

  /** Lets go of what whoever follows has applied, and tells what can be vouched for in its session. */
  private async hold(leader: LiveRow): Promise<void> {
    const { session, acknowledged } = leader;
    if (this.facts === undefined || session === '') return;
    if (this.covered?.session !== session) {
      // Before anything is dropped: what was heard since it was looked last is all here, and its pass began since.
      const sawItBegin = this.covered !== undefined;
      for (const names of this.databases.values()) names.keep();
      if (sawItBegin) this.facts = await this.feed.begin();
      // The session of one before may still stand there when the source is another one already.
      if (this.ownOf !== session) this.own.beginAnew(this.facts);
      this.ownOf = session;
      const now = await this.app.ledger.migrations.get(this.migration.id);
      const isWhole = sawItBegin || (now !== undefined && now.course.session !== session);
      this.covered = { session, from: this.row.mark + 1, isWhole, isKnown: false };
    }
    if (acknowledged?.holder !== this.row.holder) return;
    for (const [database, names] of this.databases) {
      const applied = names.drop(acknowledged.mark);
      if (!this.areAsTheyAre || leader.findings > 0 || this.own.last?.facts !== this.facts) continue;
      for (const name of applied) this.own.sampleOf(database).add(name, true);
    }
    if (acknowledged.mark < this.covered.from) return;
    if (leader.settled) {
      this.covered.isWhole = true;
      for (const names of this.databases.values()) names.release();
    }
    this.covered.isKnown = this.covered.isWhole;
    if (this.covered.isKnown) this.lost = null;
  }

  /** Takes the place of whoever followed: without a gap where all that is not applied was heard here. */
  private async takeOver(leader: LiveRow): Promise<Follower | undefined> {
    const session = this.facts;
    // Who knows which keys are not as they should be is gone with them: a pass finds those again.
    const mayInherit = leader.session !== '' && leader.findings === 0;
    let inherits = mayInherit && this.covered?.isKnown === true && this.covered.session === leader.session;
    if (inherits && session !== undefined) {
      await this.feed.barrier();
      const missed = this.feed.missed(session, await this.feed.look());
      if (missed !== undefined) this.forget(missed);
      inherits = missed === undefined && this.facts === session;
    }
    if (this.ended) return undefined;
    const { id } = this.migration;
    const row = begunFollowing(id, leader, this.app.ledger.time(), inherits ? { inherits } : { lost: this.lost });
    let taken;
    try {
      taken = await this.app.ledger.live.take(row, leader.etag);
    } catch (error) {
      // It lives, or somebody else was first.
      if (error instanceof LostRowError) return undefined;
      throw error;
    }
    const migration = (await this.app.watch.get(id)) ?? this.migration;
    this.memory.take(taken.generation);
    this.memory.adopt(this.own);
    // What happened since is told: with the same feed from now on.
    if (!inherits || session === undefined || this.facts !== session) {
      this.feed.end();
      const anew = inherits ? { ...taken, session: '', gaps: taken.gaps + 1, lastGap: this.lost } : taken;
      return new Follower(anew, migration, this.app, this.onNews, undefined, this.memory);
    }
    const names = new Map(Array.from(this.databases, ([database, heard]) => [database, heard.all()]));
    return new Follower(
      taken,
      migration,
      this.app,
      this.onNews,
      { feed: this.feed, facts: session, names },
      this.memory,
    );
  }

  private events() {
    return {
      onNames: (names: readonly Buffer[], database: number | undefined) => {
        for (const [number, heard] of this.databases) {
          if (database !== undefined && database !== number) continue;
          for (const name of names) {
            if (!this.concerns(name)) continue;
            this.own.sampleOf(number).told(name);
            if (!heard.note(name)) {
              this.forget('More keys changed than could be held until they were applied.');
              return;
            }
          }
        }
      },
      onFlush: () => {
        this.forget(FLUSHED);
      },
      onGap: (reason: string) => {
        this.forget(`Changes were not told for a while: ${reason}`);
      },
    };
  }

  /** Something may have been missed: what was heard before is worth nothing any more. */
  private forget(reason: string): void {
    this.lost = reason;
    this.facts = undefined;
    this.covered = undefined;
    for (const names of this.databases.values()) names.clear();
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : 'An unknown error.';
}

function isOfASide(error: unknown): boolean {
  return error instanceof RedisError || error instanceof SidesMetError || error instanceof NoFeedError;
}

/** What a reader that stands by begins with. */
export function begunStandby(migration: string, before: StandbyRow | undefined, now: string): Omit<StandbyRow, 'etag'> {
  return {
    migration,
    holder: randomUUID(),
    heartbeat: now,
    mark: before?.mark ?? 0,
    covers: '',
    trouble: null,
  };
}
