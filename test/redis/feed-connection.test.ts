import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { readConnectionSettings } from '../../src/redis/connection-settings';
import { NoFeedError, openFeed, openFeeds, tellsAll, type Feed, type FeedKind } from '../../src/redis/feed-connection';
import { RedisError } from '../../src/redis/errors';
import { RespReader, type Told } from '../../src/redis/resp-reader';
import { startProxy } from '../../local/servers/proxy';
import { onEveryServer, startTestServer, type TestServer } from '../tools/test-server';

/** A feed that writes down what it tells. */
interface Heard {
  readonly feed: Feed;
  names: string[];
  databases: Set<number | undefined>;
  flushes: number;
  gaps: string[];
}

async function listen(url: string, kind: FeedKind): Promise<Heard> {
  const heard = { names: [] as string[], databases: new Set<number | undefined>(), flushes: 0, gaps: [] as string[] };
  const settings = readConnectionSettings('IT', { REDIS_IT: url });
  const feed = await openFeed({ settings, clientName: 'keyferry-test' }, [kind], {
    onNames: (names, database) => {
      heard.names.push(...names.map((name) => name.toString('latin1')));
      heard.databases.add(database);
    },
    onFlush: () => heard.flushes++,
    onGap: (error) => heard.gaps.push(error.kind),
  });
  return Object.assign(heard, { feed });
}

/** What a change is, which names must be told, and by which feeds; `flush`: no name, but that all is gone. */
interface Change {
  readonly what: string;
  readonly make: (client: Redis) => Promise<unknown>;
  readonly names?: readonly string[];
  readonly tracking?: 'names' | 'flush' | 'nothing';
  readonly notifications?: 'names' | 'nothing';
  readonly from?: '6.2' | '7.0' | '8.0';
}

const call = (client: Redis, ...[name, ...args]: [string, ...(string | number | Buffer)[]]) =>
  client.call(name, ...args);

const changes: readonly Change[] = [
  { what: 'SET', make: (c) => c.set('a', '1'), names: ['a'] },
  {
    what: 'APPEND, SETRANGE, INCR',
    make: async (c) => [await c.append('s', 'x'), await c.setrange('s', 1, 'y'), await c.incr('n')],
    names: ['s', 'n'],
  },
  { what: 'MSET', make: (c) => c.mset('m1', '1', 'm2', '2'), names: ['m1', 'm2'] },
  {
    what: 'GETSET and GETDEL',
    make: async (c) => [await c.getset('a', '2'), await call(c, 'GETDEL', 'a')],
    names: ['a'],
    from: '6.2',
  },
  {
    what: 'SETBIT and PFADD',
    make: async (c) => [await c.setbit('bits', 3, 1), await c.pfadd('hll', 'x')],
    names: ['bits', 'hll'],
  },
  {
    what: 'hash commands',
    make: async (c) => [await c.hset('h', 'f', '1', 'g', '2'), await c.hincrby('h', 'f', 2), await c.hdel('h', 'g')],
    names: ['h'],
  },
  {
    what: 'list commands',
    make: async (c) => [
      await c.rpush('l', 'a', 'b', 'c'),
      await c.lset('l', 0, 'z'),
      await c.lpop('l'),
      await c.rpoplpush('l', 'l2'),
    ],
    names: ['l', 'l2'],
  },
  {
    what: 'set commands',
    make: async (c) => [await c.sadd('set', 'a', 'b'), await c.srem('set', 'a'), await c.smove('set', 'set2', 'b')],
    names: ['set', 'set2'],
  },
  {
    what: 'sorted set commands',
    make: async (c) => [await c.zadd('z', 1, 'a', 2, 'b'), await c.zincrby('z', 1, 'a'), await c.zpopmin('z')],
    names: ['z'],
  },
  {
    what: 'XADD, XTRIM, XDEL',
    make: async (c) => [
      await c.xadd('x', '1-1', 'f', 'v'),
      await c.xadd('x', '2-1', 'f', 'v'),
      await c.xdel('x', '1-1'),
    ],
    names: ['x'],
  },
  {
    what: 'GEOADD and SORT … STORE',
    make: async (c) => [
      await c.geoadd('geo', 1, 1, 'a'),
      await c.rpush('nums', '2', '1'),
      await c.sort('nums', 'STORE', 'sorted'),
    ],
    names: ['geo', 'sorted'],
  },
  {
    what: 'SUNIONSTORE, ZUNIONSTORE, BITOP',
    make: async (c) => [
      await c.sunionstore('su', 'set2'),
      await c.zunionstore('zu', 1, 'z'),
      await c.bitop('NOT', 'nb', 'bits'),
    ],
    names: ['su', 'zu', 'nb'],
  },
  {
    what: 'BLPOP that is served',
    make: async (c) => {
      const waiting = c.duplicate();
      const served = waiting.blpop('bl', 2);
      await sleep(20);
      await c.rpush('bl', 'x');
      await served;
      waiting.disconnect();
    },
    names: ['bl'],
  },
  {
    what: 'a script',
    make: (c) => c.eval("redis.call('SET', KEYS[1], '1') redis.call('DEL', KEYS[2])", 2, 'script1', 's'),
    names: ['script1', 's'],
  },
  { what: 'a transaction', make: (c) => c.multi().set('t1', '1').hset('t2', 'f', '1').exec(), names: ['t1', 't2'] },
  { what: 'DEL and UNLINK', make: async (c) => [await c.del('m1'), await c.unlink('m2')], names: ['m1', 'm2'] },
  { what: 'RENAME', make: (c) => c.rename('h', 'renamed'), names: ['h', 'renamed'] },
  { what: 'MOVE', make: (c) => c.move('n', 3), names: ['n'] },
  { what: 'COPY', make: (c) => call(c, 'COPY', 'l', 'copied'), names: ['copied'], from: '6.2' },
  { what: 'RESTORE', make: async (c) => c.restore('restored', 0, await c.dumpBuffer('l')), names: ['restored'] },
  { what: 'EXPIRE and PERSIST', make: async (c) => [await c.expire('l', 1_000), await c.persist('l')], names: ['l'] },
  {
    what: 'an expiry that is met by GET',
    make: async (c) => {
      await c.set('lazy', '1', 'PX', 1);
      await sleep(5);
      await c.get('lazy');
    },
    names: ['lazy'],
  },
  {
    what: 'a hash field that expires',
    make: async (c) => {
      await c.hset('hf', 'f', '1');
      await call(c, 'HPEXPIRE', 'hf', 1_000, 'FIELDS', 1, 'f');
    },
    names: ['hf'],
    from: '8.0',
  },
  {
    what: 'a write into another database',
    make: async (c) => {
      await c.select(5);
      await c.set('other', '1');
      await c.select(0);
    },
    names: ['other'],
  },
  {
    what: 'XGROUP CREATE, XSETID',
    make: async (c) => [await c.xgroup('CREATE', 'x', 'g', '0'), await call(c, 'XSETID', 'x', '9-9')],
    names: ['x'],
    tracking: 'nothing',
  },
  {
    what: 'XREADGROUP and XACK',
    make: async (c) => [
      await call(c, 'XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', 1, 'STREAMS', 'x', '>'),
      await c.xack('x', 'g', '2-1'),
    ],
    tracking: 'nothing',
    notifications: 'nothing',
  },
  {
    what: 'reads',
    make: async (c) => [
      await c.get('t1'),
      await c.dump('l'),
      await c.pttl('l'),
      await c.eval("return redis.call('DUMP', KEYS[1])", 1, 'l'),
    ],
    tracking: 'nothing',
    notifications: 'nothing',
  },
  { what: 'SWAPDB', make: (c) => call(c, 'SWAPDB', 0, 3), tracking: 'nothing', notifications: 'nothing' },
  { what: 'FLUSHDB', make: (c) => c.flushdb(), tracking: 'flush', notifications: 'nothing' },
  {
    what: 'FLUSHALL of an empty server',
    make: async (c) => [await c.flushall(), await c.flushall()],
    tracking: 'flush',
    notifications: 'nothing',
  },
];

const hasIt = ({ name }: TestServer, from: Change['from']) =>
  from === undefined || (from === '8.0' ? name === 'redis-8.0' : name !== 'redis-6.0');

onEveryServer(
  (at) => {
    const feeds: Partial<Record<FeedKind, Heard>> = {};

    beforeAll(async () => {
      await at().client.flushall();
      for (const kind of ['tracking', 'redirect', 'notifications'] as const)
        feeds[kind] = await listen(at().server.url, kind);
    });

    afterAll(() => {
      for (const { feed } of Object.values(feeds)) feed.close();
    });

    it.each(changes)('tells of $what what the table says', async ({ make, names = [], from, ...told }) => {
      if (!hasIt(at(), from)) return;
      for (const heard of Object.values(feeds)) Object.assign(heard, { names: [], flushes: 0 });
      await make(at().client);
      for (const [kind, heard] of Object.entries(feeds)) {
        await heard.feed.barrier();
        const expected = (kind === 'notifications' ? told.notifications : told.tracking) ?? 'names';
        if (expected === 'names') expect(heard.names).toEqual(expect.arrayContaining([...names]));
        // Newer servers tell of a consumer that is new, and of streams' groups.
        else if (kind !== 'notifications') expect({ kind, names: heard.names }).toEqual({ kind, names: [] });
        expect({ kind, flush: heard.flushes > 0 }).toEqual({ kind, flush: expected === 'flush' });
        expect(heard.gaps).toEqual([]);
      }
    });

    it('has told of every write that was answered before its barrier', async () => {
      const { client } = at();
      for (let i = 0; i < 100; i++) {
        for (const heard of Object.values(feeds)) heard.names = [];
        await Promise.all(Array.from({ length: 20 }, (_, j) => client.set(`barrier:${i}:${j}`, 'x')));
        await Promise.all(Object.values(feeds).map(({ feed }) => feed.barrier()));
        for (const { names } of Object.values(feeds)) expect(new Set(names).size).toBe(20);
      }
      expect([...(feeds.notifications?.databases ?? [])]).toEqual(expect.arrayContaining([0]));
      expect([...(feeds.tracking?.databases ?? [])]).toEqual([undefined]);
    });

    it('tells many names at once, and names of any bytes', async () => {
      const odd = Buffer.from([0, 13, 10, 255, 128, 62, 42]);
      await at().client.set(odd, 'x');
      await at().client.eval("for i = 1, 20000 do redis.call('SET', 'many:' .. i, i) end", 0);
      for (const { feed, names } of Object.values(feeds)) {
        await feed.barrier();
        expect(names).toContain(odd.toString('latin1'));
        expect(names.filter((name) => name.startsWith('many:')).length).toBe(20_000);
      }
    });

    it('is of the class of clients whose buffer the server bounds', async () => {
      const clients = String(await at().client.client('LIST', 'TYPE', 'PUBSUB'));
      expect(clients.split('\n').filter((line) => line.includes('keyferry-test')).length).toBe(3);
    });

    it('tells once that it has ended, whichever of its connections is cut', async () => {
      for (const type of ['pubsub', 'normal']) {
        const cut = await listen(at().server.url, 'redirect');
        await at().client.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
        await expect(cut.feed.barrier()).rejects.toMatchObject({ name: 'RedisError' });
        expect(cut.gaps.length).toBe(1);
      }
      // The others went with it.
      const { tracking, notifications } = feeds;
      expect([tracking?.gaps, notifications?.gaps]).toEqual([['connectionLost'], ['connectionLost']]);
    });
  },
  () => ({ args: ['--notify-keyspace-events', 'EA'] }),
);

describe('a feed', () => {
  it('is refused where notifications are off, with the reason, and never turns them on', async () => {
    const it = await startTestServer('redis-7.0');
    try {
      await expect(listen(it.server.url, 'notifications')).rejects.toThrow(NoFeedError);
      await expect(listen(it.server.url, 'notifications')).rejects.toThrow(/notify-keyspace-events is ""/);
      expect(await it.client.config('GET', 'notify-keyspace-events')).toEqual(['notify-keyspace-events', '']);
      await it.client.call('ACL', 'SETUSER', 'default', '-client|tracking');
      await expect(listen(it.server.url, 'tracking')).rejects.toThrow(/tracking: .*CLIENT/);
    } finally {
      await it.close();
    }
  });

  it('ends where notifications are turned off: nothing would show that any more', async () => {
    const it = await startTestServer('redis-6.0', { args: ['--notify-keyspace-events', 'KEA'] });
    try {
      const { feed, gaps } = await listen(it.server.url, 'notifications');
      await feed.barrier();
      await it.client.config('SET', 'notify-keyspace-events', 'K$');
      await expect(feed.barrier()).rejects.toThrow(/has not both E and A/);
      expect(gaps).toEqual(['refused']);
    } finally {
      await it.close();
    }
  });

  it('of several servers is one: chosen on each, told by all, and ended by one', async () => {
    const [one, other] = await Promise.all([startTestServer('redis-7.0'), startTestServer('redis-6.0')]);
    try {
      await other.client.call('ACL', 'SETUSER', 'default', '-hello');
      const heard = { names: [] as string[], gaps: [] as string[] };
      const optionsOf = ({ server: { url } }: TestServer) => ({
        settings: readConnectionSettings('IT', { REDIS_IT: url }),
        clientName: 'keyferry-test',
      });
      const feed = await openFeeds([one, other].map(optionsOf), ['tracking', 'redirect'], {
        onNames: (names) => heard.names.push(...names.map(String)),
        onFlush: () => undefined,
        onGap: ({ kind }) => heard.gaps.push(kind),
      });
      expect(feed).toMatchObject({ kind: 'redirect', kinds: ['tracking', 'redirect'] });
      await Promise.all([one.client.set('of one', 'x'), other.client.set('of the other', 'x')]);
      await feed.barrier();
      expect(heard.names.sort()).toEqual(['of one', 'of the other']);
      await other.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await expect(feed.barrier()).rejects.toMatchObject({ name: 'RedisError' });
      expect(heard.gaps).toEqual(['connectionLost']);
      // Nothing is told any more by the one that goes on.
      await one.client.set('later', 'x');
      await sleep(50);
      expect(heard.names).not.toContain('later');
    } finally {
      await Promise.all([one.close(), other.close()]);
    }
  });

  it('ends where the way to the server is cut', async () => {
    const it = await startTestServer('redis-7.0', { password: 'secret' });
    const proxy = await startProxy(it.server.port, (client, server) => {
      client.pipe(server).pipe(client);
    });
    try {
      const heard = await listen(`redis://:secret@127.0.0.1:${proxy.port}`, 'tracking');
      proxy.cut();
      await sleep(50);
      expect(heard.gaps).toEqual(['connectionLost']);
      await expect(heard.feed.barrier()).rejects.toMatchObject({ kind: 'notOpen' });
    } finally {
      await proxy.close();
      await it.close();
    }
  });
});

describe('what notifications must be on', () => {
  it.each([
    ['EA', true],
    ['AKE', true],
    ['g$lshzxetE', true],
    ['KA', false],
    ['Ex', false],
    ['', false],
  ])('%s: %s', (flags, all) => {
    expect(tellsAll(flags)).toBe(all);
  });
});

function readerOf(onValue: (value: Told, isPush: boolean) => unknown): RespReader {
  return new RespReader({
    onValue,
    errorOf: (_, isInList) => new RedisError('refused', 'NEW', { command: String(isInList) }),
    longestString: 64 * 1_048_576,
  });
}

describe('what a server sends', () => {
  const stream =
    '+OK\r\n:12\r\n$3\r\na\r\n\r\n$-1\r\n_\r\n*2\r\n$1\r\nx\r\n*1\r\n:1\r\n>2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\na\r\n$2\r\nbc\r\n%1\r\n+k\r\n#t\r\n-ERR no\r\n*1\r\n-ERR no\r\n*0\r\n';

  it.each([1, 2, 3, 7, 1_000])('is read in pieces of %i bytes', (size) => {
    const values: [string, boolean][] = [];
    const text = (value: Told): unknown =>
      Array.isArray(value)
        ? (value as Told[]).map(text)
        : Buffer.isBuffer(value)
          ? value.toString('latin1')
          : value instanceof RedisError
            ? `${value.kind} ${value.command}`
            : value;
    const reader = readerOf((value, isPush) => values.push([JSON.stringify(text(value)), isPush]));
    for (let at = 0; at < stream.length; at += size) reader.feed(Buffer.from(stream.slice(at, at + size), 'latin1'));
    expect(values).toEqual([
      ['"OK"', false],
      ['12', false],
      ['"a\\r\\n"', false],
      ['null', false],
      ['null', false],
      ['["x",[1]]', false],
      ['["invalidate",["a","bc"]]', true],
      ['["k","t"]', false],
      ['"refused false"', false],
      ['["refused true"]', false],
      ['[]', false],
    ]);
  });

  it.each([1, 1_000, 50_000, 1_000_000])('has long strings in it, which come in pieces of %i bytes', (size) => {
    const long = [Buffer.alloc(20_000, 'a'), Buffer.alloc(100_000, 'b'), Buffer.alloc(16_384, '\r\n')];
    const frames = long.flatMap((text) => [Buffer.from(`$${text.length}\r\n`), text, Buffer.from('\r\n')]);
    const stream = Buffer.concat([Buffer.from('*4\r\n:1\r\n'), ...frames, Buffer.from('+OK\r\n')]);
    const values: Told[] = [];
    const reader = readerOf((value) => values.push(value));
    // As a socket does: what was read is overwritten.
    const piece = Buffer.alloc(size);
    for (let at = 0; at < stream.length; at += size) {
      const length = stream.copy(piece, 0, at, at + size);
      reader.feed(piece.subarray(0, length));
      piece.fill('x');
    }
    expect(values).toEqual([[1, ...long], Buffer.from('OK')]);
  });

  it.each([
    'hello\r\n',
    'h',
    '$x\r\n',
    '$99999999999\r\n',
    '*99999999999\r\n',
    '*-5\r\n',
    '*1\r\n'.repeat(40),
    'x'.repeat(70_000),
  ])('is not read on where it cannot be read: %#', (bytes) => {
    const reader = readerOf(() => undefined);
    expect(() => {
      reader.feed(Buffer.from(bytes));
    }).toThrow('unexpected form');
  });
});
