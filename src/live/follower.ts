import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../app/app';
import { requestStop } from '../app/request-stop';
import { LostRowError } from '../ledger/range-rows';
import type { LiveRow, Proof, StandbyRow } from '../migration/live';
import { stationOf } from '../migration/phases';
import { redactFinding } from '../migration/redact-finding';
import { isFinal, type KeyFinding, type MigrationRow } from '../migration/rows';
import { SAME_SERVER, SidesMetError } from '../migration/same-server';
import { connectionOf } from '../migration/side-spec';
import { hasOtherData, since } from '../migration/since';
import { SourceChangedError, StoppedError } from '../migration/stop';
import type { SidesApp } from '../range/range-sides';
import { isRedisError } from '../redis/errors';
import { cursorProcessOf } from '../redis/probe';
import { NameApplier } from './apply-names';
import { isOlder, type AppliedSample } from './applied-sample';
import { changesOf, FLUSHED, othersSince, type ServerMark } from './blind-spots';
import { ChangedNames, keyOf, nameOf, type Changed } from './changed-names';
import { CutOver } from './cut-over';
import { FollowJob, type Holder } from './follow-job';
import { concernOf, placesOf } from './related-keys';
import { Signal } from './signal';
import { SourceMemory } from './source-memory';
import { SourceFeed, type Look, type Session } from './source-feed';
import { marksOfALook } from './standby-beat';
import { WriterWatch } from './writers';

/** What following a source needs of the app. */
export type FollowApp = SidesApp & Pick<App, 'budget' | 'ledger' | 'watch'>;

/** Lanes of one database; with several databases each has fewer. */
const MOST_LANES = 4;
/** Names that one call reads. */
const NAMES_A_CALL = 256;
/** What all names may take that are held, bytes: about two million of them. */
export const MOST_BYTES = 256 * 1_048_576;
/** A lane without names looks again after so long, ms. */
const IDLE_MS = 200;
/** After what does not pass by itself, ms. */
const PAUSE_MS = 1_000;
/** How often the feed is asked whether it has told everything, and both sides what they are, ms. */
const TICK_MS = 500;
const LOOK_MS = 1_000;
/** It is asked so often whether all is told that longer than this says that it is not, ms. */
const UNTOLD_MS = 3 * LOOK_MS;
/** While a cut-over waits for each step, ms. */
const QUICK_TICK_MS = 50;
/** Of a silence, the part for which the row may stay unwritten: others take the following over soon after. */
const HELD = 1 / 2;
/** So many findings are held, each of one key. */
const MOST_FINDINGS = 10_000;
const MOST_BUILDERS = 16;
const MOVING = 'Slots of the source are on their way from one master to another.';
/** What was told before it took the following over is applied once more after so long, ms. */
const AGAIN_MS = 2_000;

/** What one that stood by brings with it: it goes on with the session of whoever followed before. */
export interface Inherited {
  readonly feed: SourceFeed;
  readonly facts: Session;
  /** By the number of the database: all that may not be applied. */
  readonly names: ReadonlyMap<number, readonly Buffer[]>;
}

/** A session, by the id under which others know it. */
interface Told {
  readonly id: string;
  readonly facts: Session;
}

/** A session whose feed has ended here, why, when (by the monotonic clock, ms), and the first mark of one that stands by that was read after that. */
interface Severed {
  readonly session: Told;
  readonly reason: string;
  readonly since: number;
  mark: number | undefined;
}

/** The source is asked whether it has told everything: since when, and what one that stands by had written by then. */
interface Asking {
  readonly since: number;
  readonly mark: number | undefined;
}

interface Database {
  readonly number: number;
  readonly names: ChangedNames;
  /** What was brought to the target, to be held against a source that comes back. */
  readonly sample: AppliedSample;
  applier: NameApplier | undefined;
}

/**
 * Follows the source of one migration from this process: hears which keys change, and brings them to the target, until the migration
 * has ended or another process has taken the following over. What is told by a feed without a gap is a session; a pass over the
 * source that began in a session, and ended, leaves nothing out that is not in the names of it.
 */
export class Follower implements Holder {
  private readonly databases: readonly Database[];
  private readonly feed: SourceFeed;
  private readonly changed = new Signal();
  private readonly ticked = new Signal();
  private readonly beats = new Signal();
  private readonly jobs = new Map<number, FollowJob>();
  private readonly troubles: { lane: string | null; tick: string | null } = { lane: null, tick: null };
  private readonly cutOver: CutOver;
  private readonly writers: WriterWatch;
  private readonly findings = new Map<string, { readonly database: number; readonly finding: KeyFinding }>();
  private readonly concerns: (key: Buffer) => boolean;
  private session: Told | undefined;
  /** The session that nothing came before, until its pass has begun. */
  private first: string | undefined;
  private migration: MigrationRow;
  private ended = false;
  private writtenAt = performance.now();
  private writing: Promise<void> = Promise.resolve();
  private lookedAt = Number.NEGATIVE_INFINITY;
  /** The places up to which names must be applied until what was kept is settled, by the number of the database. */
  private settling: ReadonlyMap<number, number> | undefined;
  private building: Promise<void> | undefined;
  private running: Promise<void> | undefined;
  /** There are some of keys that are not held: that ends with a pass over all. */
  private hasMoreFindings = false;
  private news = '';
  private overflowed = false;
  /** All is proved: nothing is applied. */
  private isHeld = false;
  /** No verdict will be given by what was told before it followed. */
  private isAnnounced = false;
  /** The proof whose findings are in their list. Before that it is none to anybody else. */
  private told: Proof | null = null;
  /** One that stands by, as it was seen last. */
  private standby: StandbyRow | undefined;
  private acknowledging:
    { readonly holder: string; readonly mark: number; readonly upTo: ReadonlyMap<number, number> } | undefined;
  /** When it took the following over, until what it brought has been applied once more: what the other had sent may come late. */
  private tookOverAt: number | undefined;
  /** It leaves the following to one that stands by, which has heard what was not told here. */
  private isLeft = false;
  /** The feed of a session has ended, and it is not known yet whether another one may go on with it. */
  private severed: Severed | undefined;
  private asking: Asking | undefined;
  /** All that was changed before is told, by the monotonic clock, ms; undefined before anything was. */
  private heardUpTo: number | undefined;
  /** From then on changes may have been missed, and are looked for by a pass. */
  private missesSince: number | undefined;

  /** @param row as it was taken */
  constructor(
    private row: LiveRow,
    migration: MigrationRow,
    private readonly app: FollowApp,
    /** Told when something has come that the tally may wait for, and is written down. */
    private readonly onNews: (id: string) => Promise<unknown> = () => Promise.resolve(),
    inherited?: Inherited,
    private readonly memory = new SourceMemory(),
  ) {
    memory.take(row.generation);
    this.migration = migration;
    const { plan } = migration;
    this.concerns = concernOf(plan);
    const lanes = Math.max(1, Math.floor(MOST_LANES / plan.databases.length));
    const mostBytes = MOST_BYTES / plan.databases.length;
    this.databases = plan.databases.map((database) => ({
      number: database.database,
      names: new ChangedNames({ lanes, mostBytes, placeOf: placesOf(plan, database) }),
      sample: memory.sampleOf(database.database),
      applier: undefined,
    }));
    for (const { names } of this.databases) names.keep();
    this.feed = inherited?.feed ?? new SourceFeed(plan, plan.feeds ?? [], this.events(), app);
    this.writers = new WriterWatch(connectionOf(plan.request.source), app);
    this.cutOver = new CutOver({
      now: () => this.app.ledger.time(),
      barrier: () => this.feed.barrier(),
      mark: () => this.mark(),
      isAppliedUpTo: (mark) => this.isAppliedUpTo(mark),
      waiting: () => this.waiting,
      isResting: () => this.databases.every(({ names }) => names.areResting),
      noteStreams: () => this.noteStreams(),
      lookForWriters: async () => {
        await this.writers.look(this.app.ledger.time());
      },
    });
    if (inherited !== undefined) this.inherit(inherited);
    else if (row.listeningSince !== null) this.missesSince = performance.now();
  }

  get id(): string {
    return this.migration.id;
  }

  get hasEnded(): boolean {
    return this.ended;
  }

  /** It has left the following to another reader of this migration. */
  get hasLeft(): boolean {
    return this.isLeft;
  }

  private inherit({ feed, facts, names }: Inherited): void {
    // Which groups of streams were changed before it listened it does not know.
    const session = { id: this.row.session, facts: { ...facts, groupCalls: undefined } };
    this.makeAppliers(session);
    this.beginSession(session);
    this.tookOverAt = performance.now();
    feed.listen(this.events());
    for (const { number, names: changed, sample } of this.databases) {
      for (const name of names.get(number) ?? []) {
        sample.told(name);
        if (!changed.note(name) && !this.overflowed) this.overflow();
      }
    }
  }

  /** Follows until the end. Never throws: what goes wrong stands in the row. */
  run(): Promise<void> {
    this.running ??= this.follow();
    return this.running;
  }

  /** Follows no more; what is under way is waited for. */
  async stop(): Promise<void> {
    this.end();
    await this.running;
  }

  private end(): void {
    this.ended = true;
    this.feed.end();
    for (const signal of [this.changed, this.ticked, this.beats]) signal.notify();
  }

  private async follow(): Promise<void> {
    const lanes = this.databases.flatMap((database) =>
      Array.from({ length: database.names.lanesCount }, (_, lane) => this.applyLane(database, lane)),
    );
    await Promise.all([...lanes, this.observe(), this.beat()]);
    await this.lastWords();
  }

  /** Looks after the feed, both sides, and what the migration asks for. */
  private async observe(): Promise<void> {
    while (!this.ended) {
      try {
        await this.tick();
        this.troubles.tick = null;
      } catch (error) {
        const met = causeOfMeeting(error);
        if (met !== undefined) await this.stopFor(met);
        else if (!(error instanceof StoppedError)) this.troubles.tick = wordsOf(error);
      }
      await this.ticked.wait(this.isUrgent ? QUICK_TICK_MS : TICK_MS);
    }
  }

  /** Writes the row, whatever keeps the rest: who is silent is taken for gone. */
  private async beat(): Promise<void> {
    const pauseMs = Math.min(TICK_MS, this.app.settings.silenceSeconds * 100);
    while (!this.ended) {
      try {
        const migration = await this.app.watch.get(this.id);
        if (migration === undefined || isFinal(migration) || migration.cancelRequested) this.end();
        else {
          this.migration = migration;
          await this.write();
          this.standby = await this.app.ledger.live.getStandby(this.id);
          this.leaveSilentFeed();
        }
      } catch {
        // Storage may be away for a moment; without it nothing is applied after a while.
      }
      await this.beats.wait(pauseMs);
    }
  }

  /** A source that answers nothing here for long, and goes on to tell one that stands by, is not heard here: that one has what is missed. */
  private leaveSilentFeed(): void {
    const { asking, standby, session } = this;
    const { silenceSeconds } = this.app.settings;
    if (asking?.mark === undefined || session === undefined || !covers(standby, session)) return;
    const isSilent = performance.now() - asking.since >= silenceSeconds * 1_000;
    if (isSilent && standby.mark - asking.mark > marksOfALook(silenceSeconds)) this.feed.end();
  }

  /** A cut-over, or a pass that has ended, waits for names to be applied. */
  private get isUrgent(): boolean {
    return this.cutOver.isUnderWay || this.settling !== undefined;
  }

  // What is told of changes.

  private events() {
    return {
      onNames: (names: readonly Buffer[], database: number | undefined) => {
        for (const each of this.databases) {
          if (database !== undefined && database !== each.number) continue;
          for (const name of names) {
            if (!this.concerns(name)) continue;
            each.sample.told(name);
            if (!each.names.note(name) && !this.overflowed) this.overflow();
          }
        }
        this.changed.notify();
      },
      onFlush: () => {
        this.gap(FLUSHED);
      },
      onGap: (reason: string) => {
        this.cutOff(`Changes were not told for a while: ${reason}`);
      },
    };
  }

  /** The feed has ended: one that stands by may have heard what is missed here. */
  private cutOff(reason: string): void {
    const { standby, session } = this;
    if (this.ended) return;
    if (session === undefined || !covers(standby, session)) {
      this.gap(reason);
      return;
    }
    this.session = undefined;
    this.severed = { session, reason, since: performance.now(), mark: undefined };
    this.settling = undefined;
    this.acknowledging = undefined;
    this.cutOver.reset();
    this.ticked.notify();
  }

  /**
   * Leaves to one that stands by where the source is the same process: what it had, to be held against what comes back as another one, is
   * known here better. That it still listens its marks tell; and while the source does not answer here, that it has looked since.
   * @throws RedisError while that is not known
   */
  private async leaveOrStay(): Promise<void> {
    const { severed: cut } = this;
    if (cut === undefined) return;
    let failed: unknown;
    const look = await this.feed.look().catch((error: unknown) => {
      failed = error;
      return undefined;
    });
    if (failed instanceof SidesMetError) throw failed;
    const standby = await this.app.ledger.live.getStandby(this.id);
    if (this.ended || this.severed !== cut) return;
    const { silenceSeconds } = this.app.settings;
    let vouches = covers(standby, cut.session);
    if (vouches && standby !== undefined) {
      const { mark } = standby;
      cut.mark ??= mark;
      if (mark - cut.mark < (look === undefined ? marksOfALook(silenceSeconds) : 1)) {
        if (look === undefined) throw failed;
        // It may be cut off as well, and not know it yet.
        if (performance.now() - cut.since < silenceSeconds * 1_000) return;
        vouches = false;
      }
    }
    const isOther = look !== undefined && othersSince(cut.session.facts.source, look.marks).length > 0;
    if (vouches && !isOther) {
      this.isLeft = true;
      this.end();
      return;
    }
    this.severed = undefined;
    this.session = cut.session;
    this.gap(cut.reason);
  }

  /** Some changes may have been missed: what is told from now on is another session, and must have its own pass. */
  private gap(reason: string): void {
    // What it could not finish, whoever goes on knows as well.
    if (this.ended) return;
    for (const { names } of this.databases) {
      if (this.overflowed) names.clear();
      names.keep();
    }
    this.settling = undefined;
    this.acknowledging = undefined;
    this.tookOverAt = undefined;
    this.cutOver.reset();
    const { session } = this;
    if (session === undefined) return;
    this.session = undefined;
    this.missesSince ??= this.heardUpTo ?? performance.now();
    // A session that nobody was told of leaves the gap as it was that came before it.
    const gaps = session.facts.source.areMoving ? this.row.gaps : this.row.gaps + 1;
    this.row = { ...this.row, gaps, lastGap: reason, acknowledged: null };
    this.app.telemetry.log('warn', 'Changes of the source may have been missed', {
      'keyferry.migration': this.id,
      'keyferry.trouble': reason,
    });
    this.ticked.notify();
  }

  private overflow(): void {
    this.overflowed = true;
    // Not in the middle of what is being told.
    setImmediate(() => {
      this.gap('More keys changed than could be held until they were applied.');
      this.overflowed = false;
    });
  }

  // What is done each moment.

  private async tick(): Promise<void> {
    await this.announce();
    if (!this.ended) await this.leaveOrStay();
    if (!this.ended) await this.renewSession();
    if (this.ended) return;
    const { session } = this;
    if (session !== undefined && performance.now() - this.lookedAt >= LOOK_MS) {
      this.lookedAt = performance.now();
      // Before the barrier, and before both sides are asked: of all that was changed before the mark, something is told then.
      const { standby } = this;
      await this.barrier();
      this.memory.sign();
      const missed = this.feed.missed(session.facts, await this.feed.look());
      if (missed !== undefined && this.session === session) this.gap(missed);
      else if (this.session === session) this.beginToAcknowledge(standby);
      await this.feed.renew();
    }
    this.acknowledge();
    await this.settle();
    await this.cut();
    await this.holdWhileProved();
  }

  private async renewSession(): Promise<void> {
    if (this.session !== undefined || this.severed !== undefined) return;
    const facts = await this.feed.begin();
    if (this.ended) return;
    // What was wrong before is looked at by the pass that this session must have.
    this.findings.clear();
    this.hasMoreFindings = false;
    const session = { id: randomUUID(), facts };
    this.makeAppliers(session);
    const older = await this.whyOlder(facts);
    if (older === undefined) await this.checkSamples(facts);
    if (this.hasEnded) return;
    if (older !== undefined) {
      await this.stopFor(older);
      return;
    }
    this.beginSession(session);
    this.first = this.row.listeningSince === null ? session.id : undefined;
    const listeningSince = this.app.ledger.time();
    this.row = { ...this.row, runId: facts.runId, feed: facts.kind, listeningSince, settled: false };
    this.changed.notify();
  }

  private beginSession(session: Told): void {
    this.memory.begin(session.facts);
    this.session = session;
    // Where nothing waits, no lane would tell that its trouble is over.
    if (this.waiting === 0) this.troubles.lane = null;
  }

  private makeAppliers(session: Told): void {
    const { runId } = session.facts;
    for (const database of this.databases) {
      const process = cursorProcessOf({ cluster: this.migration.plan.source.cluster, runId });
      const job = new FollowJob(this.migration, database.number, process, this.row.builders, this);
      database.applier = new NameApplier(job, this.app, () => this.beforeDeletion(session));
      this.jobs.set(database.number, job);
    }
  }

  /**
   * Why a source that came back as another process is not to be followed: it has older data than what was brought to the target, as after
   * a restart from an old snapshot. Undefined where nothing speaks for that, or it is asked to be followed whatever it has.
   * @throws RedisError, StoppedError
   */
  private async whyOlder(facts: Session): Promise<string | undefined> {
    const { last: before } = this.memory;
    if (before === undefined || this.migration.plan.request.force) return undefined;
    // What the target has lost the source has otherwise.
    if (hasOtherData(since(before.facts.target, facts.target))) return undefined;
    // Of a cluster each by itself: what the others have and count says nothing of it.
    for (const server of othersSince(before.facts.source, facts.source)) {
      const older = await this.whyOlderOn(server, before.signedAt, facts);
      if (older !== undefined) return older;
    }
    return undefined;
  }

  /**
   * What was brought to the target before a gap: of a source that is the same still, those keys of it count that it has now as they were. Of all
   * others it is not known what became of them.
   * @throws RedisError, StoppedError
   */
  private async checkSamples(facts: Session): Promise<void> {
    const { last: before } = this.memory;
    const isSame =
      before !== undefined &&
      othersSince(before.facts.source, facts.source).length === 0 &&
      !hasOtherData(since(before.facts.target, facts.target));
    for (const { sample, applier } of this.databases) {
      const sampled = isSame && applier !== undefined ? sample.keysAt(performance.now()) : [];
      const differing = sampled.length > 0 ? await applier?.differing(sampled) : undefined;
      // Those that were told to have changed meanwhile are out of it by themselves.
      sample.keepOnly(sampled.filter((_, i) => differing?.has(i) === false));
    }
  }

  /** As `whyOlder`, of one server that is another process than before. */
  private async whyOlderOn(server: ServerMark, signedAt: number, facts: Session): Promise<string | undefined> {
    const keys: { readonly ageMs: number; readonly differs: boolean }[] = [];
    for (const { sample, applier } of this.databases) {
      const sampled = sample.keysAt(signedAt, server.has);
      if (applier === undefined || sampled.length === 0) continue;
      const differing = await applier.differing(sampled);
      await this.feed.barrier();
      // Those that were told to have changed since it is listened again say nothing.
      sampled.forEach(({ key, ageMs }, i) => sample.has(key) && keys.push({ ageMs, differs: differing.has(i) }));
    }
    if (keys.length === 0) return undefined;
    // All that was changed until it was compared is counted then.
    const look = await this.feed.look();
    const now = look.marks.servers.find(({ runId }) => runId === server.runId);
    if (now === undefined || this.feed.missed(facts, look) !== undefined) throw new StoppedError('lost');
    const unheardMs = performance.now() - signedAt;
    // Of whole seconds, the beginning and now.
    const uncountedMs = Math.max(0, unheardMs - Math.max(0, (now.uptimeSeconds ?? 0) - 1) * 1_000);
    if (!isOlder({ keys, unheardMs, uncountedMs, changes: changesOf(now) })) return undefined;
    const differing = keys.filter(({ differs }) => differs).length;
    return `The source restarted, or failed over, with older data: of ${keys.length} keys that had not changed for a while when it was there last, it has ${differing} in another form or not at all. The migration was stopped so that nothing on the target is replaced or deleted on its account. Once the source is as it should be, start a new migration; if what it has now is right, with "force": true.`;
  }

  private beginToAcknowledge(standby: StandbyRow | undefined): void {
    if (standby === undefined || standby.holder === '' || this.acknowledging !== undefined) return;
    // What the one before had sent may come yet: until that is put right, one that stands by must not forget anything.
    if (this.tookOverAt !== undefined || this.settling !== undefined) return;
    const { holder, mark } = standby;
    this.acknowledging = { holder, mark, upTo: this.mark() };
  }

  /** What was changed before a mark of one that stands by has been told here, and is applied. */
  private acknowledge(): void {
    const { acknowledging } = this;
    if (acknowledging === undefined || !this.isAppliedUpTo(acknowledging.upTo)) return;
    this.acknowledging = undefined;
    const { holder, mark } = acknowledging;
    this.row = { ...this.row, acknowledged: { holder, mark } };
  }

  /** The feed has told everything, and there was no gap. @throws StoppedError where there was one */
  private async barrier(): Promise<void> {
    const { session, standby } = this;
    const since = performance.now();
    this.asking ??= { since, mark: standby?.mark };
    try {
      await this.feed.barrier();
    } catch (error) {
      if (this.session === session) this.cutOff(`Changes were not told for a while: ${wordsOf(error)}`);
      throw error;
    } finally {
      this.asking = undefined;
    }
    if (this.session !== session) throw new StoppedError('lost');
    this.heardUpTo = Math.max(since, this.heardUpTo ?? since);
  }

  /**
   * What was seen to be gone from the source, in a session, was deleted there, and not lost with all else.
   * @throws StoppedError where that is not known, RedisError
   */
  private async beforeDeletion(session: Told): Promise<void> {
    if (this.session !== session) throw new StoppedError('lost');
    await this.barrier();
    await this.lookIn(session);
  }

  /**
   * The source is believed: the pass of this session has begun, which the tally lets begin only where the source has not lost its data.
   * Of what it told before a gap nothing is applied until then.
   */
  private isBelieved(session: string): boolean {
    if (this.migration.course.session !== session) return this.first === session;
    this.first = undefined;
    return true;
  }

  /** The last pass began in this session and has ended: all that changed meanwhile is applied once more. */
  private async settle(): Promise<void> {
    const { session, migration, tookOverAt } = this;
    if (session === undefined) return;
    if (this.settling === undefined) {
      if (tookOverAt !== undefined && performance.now() - tookOverAt < AGAIN_MS) return;
      const isDue = this.row.settled
        ? tookOverAt !== undefined
        : stationOf(migration) === 'settled' && migration.course.session === session.id;
      if (!isDue) return;
      // Whoever wrote before may have been frozen in the middle of it: what is applied once more must be the last that comes.
      await this.app.connections.endOthers(connectionOf(migration.plan.request.target));
      if (this.session !== session) return;
      this.tookOverAt = undefined;
      await this.barrier();
      this.settling = new Map(this.databases.map(({ number, names }) => [number, names.release()]));
      this.changed.notify();
    }
    if (!this.isAppliedUpTo(this.settling)) return;
    this.settling = undefined;
    this.missesSince = undefined;
    this.row = { ...this.row, settled: true };
  }

  private async cut(): Promise<void> {
    const { session, migration } = this;
    const isDue =
      session !== undefined &&
      this.row.settled &&
      this.tookOverAt === undefined &&
      this.settling === undefined &&
      migration.course.session === session.id &&
      migration.cutoverRequestedAt !== null;
    if (!isDue) {
      this.cutOver.reset();
      return;
    }
    await this.cutOver.step(session.facts, () => this.lookIn(session));
    const { proof } = this.cutOver.stand;
    if (proof !== null && proof !== this.told) await this.tellFindings();
    this.told = proof;
    this.beats.notify();
  }

  /** What both sides tell, as long as that is of the same session. @throws StoppedError where it is not */
  private async lookIn(session: Told): Promise<Look> {
    const look = await this.feed.look();
    const missed = this.feed.missed(session.facts, look);
    if (this.session !== session) throw new StoppedError('lost');
    if (missed === undefined) return look;
    this.gap(missed);
    throw new StoppedError('lost');
  }

  /**
   * What is proved is judged, and the migration ends: nothing is written from then on. Where a write makes the proof void, that is told
   * first, and no verdict is given by it any more: or the end has come already.
   */
  private async holdWhileProved(): Promise<void> {
    const isProved = this.cutOver.stand.proof !== null;
    if (isProved === this.isHeld) return;
    if (isProved) {
      this.isHeld = true;
      return;
    }
    await this.write();
    if (await this.voidVerdicts()) this.isHeld = false;
    else this.end();
    this.changed.notify();
  }

  /** Whoever followed before may have told a proof: nothing is applied before it is known that nobody says the end by it. */
  private async announce(): Promise<void> {
    if (this.isAnnounced) return;
    if (await this.voidVerdicts()) this.isAnnounced = true;
    else this.end();
    this.changed.notify();
  }

  private get mayApply(): boolean {
    return this.isAnnounced && !this.isHeld && !this.cutOver.holds;
  }

  /**
   * Makes void what visits of the tally are about to say of a proof that was told before. False where the migration has ended.
   * @throws StorageError
   */
  private async voidVerdicts(): Promise<boolean> {
    const isOver = (row: MigrationRow) => isFinal(row) || row.cancelRequested;
    // A visit says nothing over a row that was written since it began.
    const now = await this.app.ledger.migrations.update(this.id, (row) => (isOver(row) ? undefined : row));
    return now !== undefined && !isOver(now);
  }

  private mark(): ReadonlyMap<number, number> {
    return new Map(this.databases.map(({ number, names }) => [number, names.told]));
  }

  private isAppliedUpTo(mark: ReadonlyMap<number, number>): boolean {
    return this.databases.every(({ number, names }) => names.isAppliedUpTo(mark.get(number) ?? 0));
  }

  private get waiting(): number {
    return this.databases.reduce((sum, { names }) => sum + names.size, 0);
  }

  /** Has all streams that have groups copied again. Returns how many those are. */
  private async noteStreams(): Promise<number> {
    let streams = 0;
    for (const { applier, names } of this.databases) {
      for (const key of (await applier?.streamsWithGroups()) ?? []) {
        names.note(key);
        streams++;
      }
    }
    this.changed.notify();
    return streams;
  }

  // Applying.

  private async applyLane(database: Database, lane: number): Promise<void> {
    const { names } = database;
    while (!this.ended) {
      const { session } = this;
      const taken =
        session === undefined || !this.isBelieved(session.id) || !this.mayApply || !this.mayWork()
          ? []
          : names.take(lane, NAMES_A_CALL, this.isUrgent);
      if (taken.length === 0) {
        await this.changed.wait(IDLE_MS);
        continue;
      }
      try {
        await this.apply(database, lane, taken);
      } catch (error) {
        for (const changed of taken) names.giveBack(lane, changed);
        const met = causeOfMeeting(error);
        if (met !== undefined) await this.stopFor(met);
        else if (error instanceof SourceChangedError) {
          this.feed.end();
          this.gap('The source restarted or failed over to another process.');
        } else if (!(error instanceof StoppedError)) {
          this.trouble(wordsOf(error));
          await sleep(PAUSE_MS);
        }
        await sleep(QUICK_TICK_MS);
      }
    }
  }

  private async apply(
    { number, names, sample, applier }: Database,
    lane: number,
    taken: readonly Changed[],
  ): Promise<void> {
    if (applier === undefined) throw new StoppedError('lost');
    const applied = await applier.apply(taken.map(({ name }) => keyOf(name)));
    taken.forEach((changed, i) => {
      names.done(lane, changed, applied.readMs[i] ?? 0);
    });
    const idOf = (key: Buffer) => `${number} ${nameOf(key)}`;
    const wrong = new Set(applied.findings.map(({ key }) => nameOf(key)));
    for (const { name } of taken) {
      const isThere = applied.asTheyAre.get(name);
      if (isThere !== undefined && !names.isOpen(name) && !wrong.has(name)) sample.add(name, isThere);
    }
    for (const key of applied.keys) this.findings.delete(idOf(key));
    for (const finding of applied.findings) {
      if (this.findings.size >= MOST_FINDINGS) this.hasMoreFindings = true;
      else this.findings.set(idOf(finding.key), { database: number, finding });
    }
    const { written, deleted } = this.row;
    this.row = { ...this.row, written: written + applied.written, deleted: deleted + applied.deleted };
    this.troubles.lane = null;
    if (this.isUrgent) this.ticked.notify();
  }

  /** Nothing is applied any more, by anybody. */
  private async stopFor(cause: string): Promise<void> {
    this.troubles.tick = cause;
    try {
      // Who has not the row any more may have found what others have done since.
      await this.write();
      if (this.hasEnded) return;
      await requestStop(this.id, cause, this.app);
      this.end();
      await this.onNews(this.id);
    } catch {
      // Storage may be away for a moment: it is met again.
    }
  }

  // The hold on the row.

  get generation(): number {
    return this.row.generation;
  }

  mayWork(): boolean {
    return !this.ended && performance.now() - this.writtenAt < this.app.settings.silenceSeconds * 1_000 * HELD;
  }

  trouble(text: string | null): void {
    this.troubles.lane = text;
  }

  doubtClocks(ms: number): void {
    this.row = { ...this.row, clockDoubtMs: Math.max(this.row.clockDoubtMs, Math.ceil(ms)) };
  }

  async beginTemporaryKeys(): Promise<void> {
    const { builders, generation } = this.row;
    if (builders.includes(generation)) return;
    this.building ??= (async () => {
      this.row = { ...this.row, builders: [...builders, generation].slice(-MOST_BUILDERS) };
      await this.write();
    })().finally(() => (this.building = undefined));
    await this.building;
  }

  /** Writes down how it stands. Whoever finds that another one has taken the following ends at once. */
  private async write(): Promise<void> {
    this.writing = this.writing.catch(() => undefined).then(() => this.writeNow());
    await this.writing;
  }

  private async writeNow(): Promise<void> {
    const began = performance.now();
    const row = { ...this.row, ...this.stand() };
    try {
      const { etag } = await this.app.ledger.live.replace(row);
      this.row = { ...this.row, etag };
    } catch (error) {
      if (!(error instanceof LostRowError)) throw error;
      const known = await this.app.ledger.live.get(this.id);
      // Its own write had come through, and the answer had not.
      if (known?.holder === row.holder) this.row = { ...this.row, etag: known.etag };
      else this.end();
      return;
    }
    this.writtenAt = began;
    const news = [row.session, row.settled, row.proof !== null].join(' ');
    if (news === this.news) return;
    this.news = news;
    this.onNews(this.id).catch((error: unknown) => {
      // The tally looks every few seconds by itself.
      this.app.telemetry.log('warn', 'The tally was not told', { 'keyferry.trouble': wordsOf(error) });
    });
  }

  /** For how long the oldest change has waited that is not on the target, as far as that can be said, ms. What is not told yet may wait since it was told everything last. */
  private get lagMs(): number {
    const now = performance.now();
    const untoldMs = this.heardUpTo === undefined ? 0 : now - this.heardUpTo;
    const missedMs = this.missesSince === undefined ? 0 : now - this.missesSince;
    const waits = this.databases.map(({ names }) => names.oldestMs);
    return Math.max(0, missedMs, untoldMs > UNTOLD_MS ? untoldMs : 0, ...waits);
  }

  private stand() {
    const { quietSince, ...found } = this.cutOver.stand;
    // One that was cut off here is still that which another one may go on with.
    const session = this.session ?? this.severed?.session;
    const proof = found.proof === this.told ? found.proof : null;
    const step = proof === found.proof ? found.step : 'drain';
    return {
      // While slots are on their way it is known that another session will begin: none may be relied on.
      session: session?.facts.source.areMoving === false ? session.id : '',
      heartbeat: this.app.ledger.time(),
      // Once all is proved only expiries are told, which the target knows by itself.
      waiting: proof === null ? this.waiting : 0,
      kept: this.databases.reduce((sum, { names }) => sum + names.keptSize, 0),
      lagMs: proof === null ? Math.round(this.lagMs) : 0,
      findings: this.findings.size + (this.hasMoreFindings ? 1 : 0),
      trouble: this.troubles.lane ?? this.troubles.tick ?? (session?.facts.source.areMoving === true ? MOVING : null),
      step,
      quietSince,
      proof,
      writers: this.writers.seen,
    };
  }

  /** What is still wrong with keys is told at the end; and that no temporary keys are left, where that is known. */
  private async lastWords(): Promise<void> {
    const areGone = [...this.jobs.values()].every(({ temporaryNames }) => temporaryNames.areGone);
    const builders = areGone ? this.row.builders.filter((each) => each !== this.row.generation) : this.row.builders;
    this.row = { ...this.row, builders, holder: '' };
    await this.write().catch(() => undefined);
  }

  /** Writes the findings of keys that are not as they should be. */
  private async tellFindings(): Promise<void> {
    const { id, phase, epoch } = this.migration;
    const rows = [...this.findings.values()].map(({ database, finding }) =>
      redactFinding(finding, { migration: id, database, phase, epoch }, this.app.settings.findingKeys),
    );
    if (rows.length > 0) await this.app.ledger.findings.add(rows);
  }
}

/** Whether one that stands by has said that it could go on with a session. */
function covers(standby: StandbyRow | undefined, session: Told): standby is StandbyRow {
  return standby !== undefined && standby.holder !== '' && standby.covers === session.id;
}

/** Why the migration must stop, where something was found to lead to a server of the other side. */
function causeOfMeeting(error: unknown): string | undefined {
  if (error instanceof SidesMetError) return error.message;
  return isRedisError(error, 'sameServer') ? SAME_SERVER : undefined;
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : 'An unknown error.';
}
