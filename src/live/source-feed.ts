import type { App } from '../app/app';
import { loadedFacts, loadedServers, type SideFacts } from '../app/side-facts';
import { wallClock } from '../basics/wall-clock';
import { hashSlot } from '../keyspace/hash-slot';
import type { Plan } from '../migration/plan';
import { connectionOf } from '../migration/side-spec';
import { SidesMetError, whySidesMet } from '../migration/same-server';
import { hasOtherData, markOf, since, type Mark } from '../migration/since';
import { idOf } from '../redis/cluster-views';
import { RedisError } from '../redis/errors';
import type { Feed, FeedEvents, FeedKind } from '../redis/feed-connection';
import { groupCallsOf, missedOnAny, type SourceMarks } from './blind-spots';

/** A time in which every change of the source is told, by one process of it, or by all masters of a cluster. */
export interface Session {
  /** Of a cluster that of its masters together. */
  readonly runId: string;
  readonly kind: FeedKind;
  /** What both sides told when it began. */
  readonly source: SourceMarks;
  readonly target: Mark;
  /** How often the groups of streams had been changed by then; undefined where that is not told. */
  readonly groupCalls: number | undefined;
}

/** What both sides are at one moment. */
export interface Look {
  readonly source: SideFacts;
  readonly marks: SourceMarks;
  readonly target: SideFacts;
}

/** The feed of a plan's source, opened again where it ends; what it tells, and what neither it nor any feed tells. */
export class SourceFeed {
  private feed: Feed | undefined;
  private readonly names: { readonly source: string; readonly target: string };

  constructor(
    private readonly plan: Pick<Plan, 'request' | 'inPlace' | 'phases'>,
    private readonly kinds: readonly FeedKind[],
    private events: Omit<FeedEvents, 'onGap'> & { readonly onGap: (reason: string) => void },
    private readonly app: Pick<App, 'connections'>,
  ) {
    const { source, target } = plan.request;
    this.names = { source: connectionOf(source), target: connectionOf(target) };
  }

  /** What it tells from now on is told to others. */
  listen(events: SourceFeed['events']): void {
    this.events = events;
  }

  /** Opens the feed where it is not open, and begins a session in it. @throws SidesMetError, RedisError, NoFeedError */
  async begin(): Promise<Session> {
    // Before it is listened: whatever happens from then on is told, or shows in what is told next.
    const { source, marks, target } = await this.look();
    this.feed ??= await this.open();
    const { runId, kind } = this.feed;
    await this.barrier();
    if (runId !== source.runId) {
      // The endpoint leads to another process since, or to several; or the cluster has other masters.
      this.end();
      throw new RedisError('connectionLost', this.names.source);
    }
    return { runId, kind, source: marks, target: markOf(target), groupCalls: groupCallsOf(source) };
  }

  /** What both sides tell now. @throws SidesMetError where they are not apart any more, RedisError, also where it is not certain which masters a cluster has */
  async look(): Promise<Look> {
    const { source, target } = this.names;
    const [{ facts, servers, ids, owners }, ofTarget] = await Promise.all([
      loadedServers(source, this.app),
      loadedFacts(target, this.app),
    ]);
    const met = whySidesMet(this.plan, facts, ofTarget);
    if (met !== undefined) throw new SidesMetError(met);
    const hasOf = (id: string | undefined) => {
      if (owners === undefined || id === undefined) return undefined;
      return (key: Buffer) => {
        const owner = owners.topology.ownerOf(hashSlot(key));
        return owner !== undefined && idOf(owner) === id;
      };
    };
    const marks: SourceMarks = {
      servers: servers.map((server, i) => ({
        ...markOf(server),
        uptimeSeconds: server.uptimeSeconds,
        has: hasOf(ids[i]),
      })),
      slots: owners?.slots ?? '',
      areMoving: owners?.doubt === 'moving',
    };
    return { source: facts, marks, target: ofTarget };
  }

  /** Why changes may have been missed, or lost on the target, since a session began; undefined where nothing speaks for it. */
  missed(session: Session, { marks, target }: Look): string | undefined {
    const missed = missedOnAny(session.source, marks);
    if (missed !== undefined) return missed;
    const lost = hasOtherData(since(session.target, markOf(target)));
    return lost ? 'The target restarted, failed over or was emptied: what was written to it may be lost.' : undefined;
  }

  /** Everything that was changed before this was called has been told when it resolves. @throws RedisError */
  async barrier(): Promise<void> {
    const { feed } = this;
    if (feed === undefined) throw new RedisError('notOpen', this.names.source);
    try {
      await feed.barrier();
    } catch (error) {
      feed.close();
      if (this.feed === feed) this.feed = undefined;
      throw error;
    }
  }

  /** Signs in anew where that is due, without a gap: by a second feed, while the first still tells. @throws RedisError */
  async renew(): Promise<void> {
    const old = this.feed;
    if (old === undefined || wallClock() < old.renewAt) return;
    const fresh = await this.open();
    if (fresh.runId !== old.runId || this.feed !== old) {
      fresh.close();
      throw new RedisError('connectionLost', this.names.source);
    }
    await Promise.all([old.barrier(), fresh.barrier()]);
    this.feed = fresh;
    old.close();
  }

  end(): void {
    this.feed?.close();
    this.feed = undefined;
  }

  private async open(): Promise<Feed> {
    const opened: Feed = await this.app.connections.feed(this.names.source, this.kinds, {
      onNames: (names, database) => {
        this.events.onNames(names, database);
      },
      onFlush: () => {
        this.events.onFlush();
      },
      onGap: (error) => {
        // One that was replaced, or is not used yet, is nobody's.
        if (this.feed !== opened) return;
        this.feed = undefined;
        this.events.onGap(error.message);
      },
    });
    return opened;
  }
}
