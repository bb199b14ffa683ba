import { RedisError } from './errors';
import { inTime } from './first-answers';
import { togetherOf } from './merge-facts';
import { ReplySocket, wordOf, type ReplySocketOptions } from './reply-socket';
import type { Told } from './resp-reader';

/**
 * How a server tells which keys change: client-side caching's invalidations in broadcast (`tracking`: by RESP3 on one connection;
 * `redirect`: by RESP2, one that tracks and one that is told), or keyspace notifications where they are on.
 */
export const feedKinds = ['tracking', 'redirect', 'notifications'] as const;
export type FeedKind = (typeof feedKinds)[number];

export interface FeedEvents {
  /** Keys that may have changed; of which database, where the feed tells. Must not wait: the socket is never paused. */
  readonly onNames: (names: readonly Buffer[], database: number | undefined) => void;
  /** A database, or all, was emptied: whatever was in it is not told by name. */
  readonly onFlush: () => void;
  /** Told once: from now on changes are not told any more, and some may have been missed. */
  readonly onGap: (error: RedisError) => void;
}

export interface Feed {
  readonly kind: FeedKind;
  /** Those by which its servers tell, each once. */
  readonly kinds: readonly FeedKind[];
  /** The server process that tells, or those of a cluster together; empty where it does not say which it is. */
  readonly runId: string;
  /** When its sign-in must be renewed, ms since 1970. */
  readonly renewAt: number;
  /**
   * Resolves when everything has been told that was changed before this was called: a server answers in order.
   * @throws RedisError when the feed has ended
   */
  barrier(): Promise<void>;
  close(): void;
}

export type FeedOptions = Omit<ReplySocketOptions, 'onMessage' | 'onEnd' | 'longestString'>;

/**
 * Opens feeds of several servers, each the first that its server has, as one: it ends with the first of them, has told everything when all
 * have, and is called after the last kind among theirs.
 * @throws NoFeedError, RedisError
 */
export async function openFeeds(
  servers: readonly FeedOptions[],
  kinds: readonly FeedKind[],
  events: FeedEvents,
): Promise<Feed> {
  let state: 'opening' | 'open' | 'ended' = 'opening';
  let lost: RedisError | undefined;
  const opened: Feed[] = [];
  const close = () => {
    state = 'ended';
    for (const feed of opened) feed.close();
  };
  const eventsOfOne: FeedEvents = {
    onNames: (names, database) => {
      if (state !== 'ended') events.onNames(names, database);
    },
    onFlush: () => {
      if (state !== 'ended') events.onFlush();
    },
    onGap: (error) => {
      const wasOpen = state === 'open';
      lost ??= error;
      if (state !== 'ended') close();
      if (wasOpen) events.onGap(error);
    },
  };
  const opening = await Promise.allSettled(
    servers.map(async (options) => {
      opened.push(await openFeed(options, kinds, eventsOfOne));
    }),
  );
  const failed = opening.find((each) => each.status === 'rejected');
  if (failed !== undefined || lost !== undefined) {
    close();
    throw failed === undefined ? lost : failed.reason;
  }
  const used = feedKinds.filter((kind) => opened.some((feed) => feed.kind === kind));
  const last = used.at(-1);
  if (last === undefined) throw new RangeError('There is no server to be listened to.');
  state = 'open';
  return {
    kind: last,
    kinds: used,
    runId: togetherOf(opened.map(({ runId }) => runId)),
    renewAt: Math.min(...opened.map(({ renewAt }) => renewAt)),
    barrier: async () => {
      await Promise.all(opened.map((feed) => feed.barrier()));
      if (lost !== undefined) throw lost;
    },
    close,
  };
}

/** Subscribed to first, so that the connection is of the class whose buffer a server bounds: nothing is ever published there. */
const NO_CHANNEL = 'keyferry:none';
const INVALIDATIONS = '__redis__:invalidate';
const EVENTS = '__keyevent@*__:*';
/** Of what is told the names are longest. */
const LONGEST_STRING = 64 * 1_048_576;

/** No feed of the wanted kinds is to be had from a server: the reason for each. */
export class NoFeedError extends Error {
  constructor(readonly reasons: Readonly<Partial<Record<FeedKind, string>>>) {
    super(
      `The server tells nobody which keys change. ${Object.entries(reasons)
        .map(([kind, reason]) => `${kind}: ${reason}`)
        .join(' ')}`,
    );
    this.name = 'NoFeedError';
  }
}

/**
 * Opens the first feed of these kinds that the server has, by trying. When it resolves, every later change is told.
 * @throws NoFeedError, or RedisError when the server cannot be reached at all
 */
export async function openFeed(options: FeedOptions, kinds: readonly FeedKind[], events: FeedEvents): Promise<Feed> {
  const reasons: Partial<Record<FeedKind, string>> = {};
  for (const kind of kinds) {
    try {
      return await open[kind](options, events);
    } catch (error) {
      if (!(error instanceof RedisError) || error.asks === 'retry') throw error;
      reasons[kind] = error.message;
    }
  }
  throw new NoFeedError(reasons);
}

const open: Readonly<Record<FeedKind, (options: FeedOptions, events: FeedEvents) => Promise<Feed>>> = {
  tracking: async (options, events) =>
    await feedOf('tracking', options, events, async (opened) => {
      const socket = await opened((items) => {
        if (wordOf(items[0]) === 'invalidate') tellInvalidated(items[1], events);
      });
      await socket.call(['HELLO', '3']);
      await socket.call(['SUBSCRIBE', NO_CHANNEL]);
      await socket.call(['CLIENT', 'TRACKING', 'ON', 'BCAST']);
      return undefined;
    }),

  redirect: async (options, events) =>
    await feedOf('redirect', options, events, async (opened) => {
      const subscriber = await opened((items) => {
        if (wordOf(items[1]) === INVALIDATIONS) tellInvalidated(items[2], events);
      });
      const id = await subscriber.call(['CLIENT', 'ID']);
      await subscriber.call(['SUBSCRIBE', INVALIDATIONS]);
      const tracker = await opened(() => undefined);
      await tracker.call(['CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(Number(id)), 'BCAST']);
      return undefined;
    }),

  notifications: async (options, events) =>
    await feedOf('notifications', options, events, async (opened) => {
      const socket = await opened((items) => {
        const [, database] = /^__keyevent@(\d+)__:/.exec(wordOf(items[2])) ?? [];
        if (database !== undefined && Buffer.isBuffer(items[3])) events.onNames([items[3]], Number(database));
      });
      await checkNotifies(socket, options.settings.name);
      await socket.call(['PSUBSCRIBE', EVENTS]);
      // A subscriber may ask for nothing but a PING.
      const asker = await opened(() => undefined);
      const check = () => checkNotifies(asker, options.settings.name);
      await check();
      return check;
    }),
};

/** @throws RedisError where a server does not tell of all events by keyspace notifications */
async function checkNotifies(socket: ReplySocket, name: string): Promise<void> {
  const reply = await socket.call(['CONFIG', 'GET', 'notify-keyspace-events']);
  const flags = Array.isArray(reply) ? wordOf((reply as readonly Told[])[1]) : '';
  if (tellsAll(flags)) return;
  throw new RedisError('refused', name, {
    words: `notify-keyspace-events is "${flags}", and has not both E and A`,
  });
}

/** Whether the setting has every class of events published by the events' names. */
export function tellsAll(flags: string): boolean {
  return flags.includes('E') && (flags.includes('A') || Array.from('g$lshzxet').every((one) => flags.includes(one)));
}

function tellInvalidated(told: Told | undefined, events: FeedEvents): void {
  // Of all keys at once no names are told.
  if (told === null || told === undefined) events.onFlush();
  else if (Array.isArray(told))
    events.onNames(
      (told as readonly Told[]).filter((name) => Buffer.isBuffer(name)),
      undefined,
    );
  else if (Buffer.isBuffer(told)) events.onNames([told], undefined);
}

type Opener = (onMessage: NonNullable<ReplySocketOptions['onMessage']>) => Promise<ReplySocket>;

/** Makes a feed's sockets, the one that tells first. Gives what shows besides that the server still tells of everything, where a PING does not. */
type Maker = (opened: Opener) => Promise<(() => Promise<void>) | undefined>;

/** A feed over one or more sockets: it ends with the first of them. */
async function feedOf(kind: FeedKind, options: FeedOptions, events: FeedEvents, make: Maker): Promise<Feed> {
  const { name } = options.settings;
  const sockets: ReplySocket[] = [];
  let state: 'opening' | 'open' | 'ended' = 'opening';
  const close = () => {
    state = 'ended';
    for (const socket of sockets) socket.close();
  };
  const end = (error: RedisError) => {
    const wasOpen = state === 'open';
    if (state !== 'ended') close();
    if (wasOpen) events.onGap(error);
  };
  const has = (wanted: typeof state) => state === wanted;
  // Some servers leave HELLO unanswered, or answer it in another form than asked for.
  const late = () => new RedisError('refused', name, { words: 'no answer to the commands that this feed takes' });
  try {
    const made = make(async (onMessage) => {
      const socket = await ReplySocket.open({
        ...options,
        longestString: LONGEST_STRING,
        onMessage: (items) => {
          if (wordOf(items[0]) === 'tracking-redir-broken') end(new RedisError('connectionLost', name));
          else if (!has('ended')) onMessage(items);
        },
        onEnd: end,
      });
      sockets.push(socket);
      return socket;
    });
    const check = await inTime(made, late);
    const [first, ...others] = sockets;
    // Behind one address there may be several servers: one would track, and the other tell nothing.
    if (has('ended') || first === undefined) throw new RedisError('connectionLost', name);
    if (others.some(({ runId }) => runId !== first.runId)) throw new RedisError('connectionLost', name);
    state = 'open';
    return {
      kind,
      kinds: [kind],
      runId: first.runId,
      renewAt: Math.min(...sockets.map(({ renewAt }) => renewAt)),
      barrier: async () => {
        if (!has('open')) throw new RedisError('notOpen', name);
        // The one that tells is asked last: by then the other is known to live.
        for (const socket of [...others, first]) await socket.call(['PING']);
        try {
          await check?.();
        } catch (error) {
          if (error instanceof RedisError) end(error);
          throw error;
        }
        if (!has('open')) throw new RedisError('connectionLost', name);
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}
