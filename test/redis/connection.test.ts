import { createServer, type AddressInfo, type Socket } from 'node:net';
import { readConnectionSettings } from '../../src/redis/connection-settings';
import { BulkConnection } from '../../src/redis/bulk-connection';
import { RedisConnection } from '../../src/redis/connection';
import { Connections } from '../../src/redis/connections';
import { EncodedCommands } from '../../src/redis/encoded-command';
import { RedisError } from '../../src/redis/errors';
import type { RedisPort } from '../../src/redis/redis-port';
import { entraCredentials, type CredentialSource } from '../../src/redis/credentials';
import { onEveryServer, startTestServer, type TestServer } from '../tools/test-server';

const settle = async (call: Promise<unknown>): Promise<unknown> => await call.catch((error: unknown) => error);

/** A connection to a running server, as a user of it or with what Entra ID gave. */
function connectionTo(
  { server }: TestServer,
  user: { username?: string; password?: string } = {},
  credentials?: CredentialSource,
): RedisConnection {
  const settings = readConnectionSettings('IT', { REDIS_IT: server.url });
  return new RedisConnection({ ...settings, ...user }, 0, 'keyferry-test', credentials);
}

/** What answers as it is told to, and how many connections to it are open. */
async function withAnswers(
  answer: (socket: Socket) => void,
  work: (ports: readonly (RedisConnection | BulkConnection)[], open: () => Promise<number>) => Promise<void>,
): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => {
      answer(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const settings = readConnectionSettings('NEW', { REDIS_NEW: `redis://127.0.0.1:${port}` });
  const open = () =>
    new Promise<number>((resolve) =>
      server.getConnections((_, count) => {
        resolve(count);
      }),
    );
  try {
    await work([new RedisConnection(settings, 0, 'x'), new BulkConnection(settings, 0, 'x')], open);
  } finally {
    server.close();
  }
}

it('one that is closed while it opens is not open afterwards, and says what for', async () => {
  let asked: () => void = () => undefined;
  await withAnswers(
    () => {
      asked();
    },
    async (ports, open) => {
      const why = new RedisError('readOnly', 'NEW');
      for (const port of ports) {
        for (const [reason, told] of [
          [why, why],
          [undefined, expect.objectContaining({ kind: 'connectionLost' }) as unknown],
        ] as const) {
          // Before there is a socket, and while nothing is answered.
          const first = settle(port.ready());
          port.close(reason);
          expect(await first).toEqual(told);
          const isAsked = new Promise<void>((resolve) => (asked = resolve));
          const second = settle(port.ready());
          await isAsked;
          port.close(reason === undefined ? undefined : new RedisError('readOnly', 'NEW'));
          expect(await second).toEqual(told);
          expect(port.runId).toBeUndefined();
        }
      }
      while ((await open()) > 0) await new Promise(setImmediate);
    },
  );
});

it('one that is told what it has not asked for is ended: the next answer could be that to something else', async () => {
  const answers = ['$0\r\n\r\n+OK\r\n', '+OK\r\n$0\r\n\r\n', '+1\r\n+2\r\n'];
  await withAnswers(
    (socket) => socket.write(answers.shift() ?? ''),
    async ([one, bulk]) => {
      await one!.ready();
      await bulk!.ready();
      await (one as RedisConnection).call('PING');
      while (one!.runId !== undefined) await new Promise(setImmediate);
      one!.close();
      bulk!.close();
    },
  );
});

it('one whose answers to a transaction are out of step is ended', async () => {
  const signedIn = '$0\r\n\r\n+OK\r\n';
  const answers = [signedIn, '*1\r\n:1\r\n+OK\r\n+QUEUED\r\n', signedIn, '+OK\r\n+QUEUED\r\n+QUEUED\r\n'];
  await withAnswers(
    (socket) => socket.write(answers.shift() ?? ''),
    async ([one, bulk]) => {
      for (let times = 0; times < 2; times++) {
        await one!.ready();
        const replies = (one as RedisConnection).pipeline([['MULTI'], ['DEL', 'a'], ['EXEC']]);
        await expect(replies).rejects.toMatchObject({ kind: 'connectionLost' });
        expect(one!.runId).toBeUndefined();
      }
      bulk!.close();
    },
  );
});

onEveryServer((at) => {
  it('is spoken to under a name, and tells its run id', async () => {
    const port = await at().connect();
    expect(await port.call('CLIENT', 'GETNAME')).toEqual(Buffer.from('keyferry-test'));
    expect(port.runId).toMatch(/^[0-9a-f]{40}$/);
  });

  it('gives bytes back as they are, and refusals in a pipeline in their places', async () => {
    const port = await at().connect();
    const key = Buffer.from([0x00, 0xff, 0x0a]);
    const replies = await port.pipeline([
      ['SET', key, key],
      ['LPUSH', key, 'x'],
      ['GET', key],
    ]);
    expect(String(replies[0])).toBe('OK');
    expect(replies[1]).toMatchObject({ kind: 'wrongType', connection: 'IT' });
    expect(replies[2]).toEqual(key);
    await expect(port.call('LPUSH', key, 'x')).rejects.toMatchObject({ kind: 'wrongType', connection: 'IT' });
    expect(await port.pipeline([])).toEqual([]);
  });

  it('is open in the database asked for, and not at all where there is none such', async () => {
    const five = await at().connect(5);
    await five.call('SET', 'only here', '1');
    expect(await (await at().connect(0)).call('EXISTS', 'only here')).toBe(0);
    const settings = readConnectionSettings('IT', { REDIS_IT: at().server.url });
    const absent = new RedisConnection(settings, 99, 'keyferry-test');
    await expect(absent.ready()).rejects.toMatchObject({
      kind: 'noSuchDatabase',
      message: expect.stringMatching(/"IT": the server has no such database/) as string,
    });
    expect(absent.runId).toBeUndefined();
  });

  it('shows that it is another process after a restart, and never reconnects by itself', async () => {
    const own = await startTestServer(at().name);
    try {
      const port = await own.connect();
      const before = port.runId;
      const cut = settle(port.call('BLPOP', 'never', '0'));
      const cutPipeline = settle(port.pipeline([['GET', 'a']]));
      await own.server.restart();
      expect(await cut).toMatchObject({ kind: 'connectionLost', asks: 'retry' });
      // Sent behind the blocked command, so that it had no answer.
      expect(await cutPipeline).toMatchObject({ kind: 'connectionLost' });
      expect(port.runId).toBeUndefined();
      await expect(port.call('PING')).rejects.toMatchObject({ kind: 'notOpen' });
      await expect(port.pipeline([['PING']])).rejects.toMatchObject({ kind: 'notOpen' });
      await Promise.all([port.ready(), port.ready()]);
      expect(port.runId).not.toBe(before);
      expect(String(await port.call('PING'))).toBe('PONG');
    } finally {
      await own.close();
    }
  });

  it('opens one socket for many who wait at once, and none after it is closed', async () => {
    const port = connectionTo(at());
    await Promise.all([port.ready(), port.ready(), port.ready()]);
    const named = async () =>
      String(await at().client.client('LIST'))
        .split('\n')
        .filter((line) => line.includes(`name=keyferry-test`));
    const open = await named();
    port.close();
    expect(port.runId).toBeUndefined();
    for (let wait = 0; wait < 100 && (await named()).length >= open.length; wait++) await new Promise(setImmediate);
    expect((await named()).length).toBe(open.length - 1);
  });

  it('refuses a wrong password and a missing one in words without it', async () => {
    const own = await startTestServer(at().name, { password: 'geheim' });
    try {
      const wrong = await settle(connectionTo(own, { password: 'falsch' }).ready());
      expect(wrong).toMatchObject({ kind: 'passwordWrong', asks: 'stop' });
      expect(String(wrong)).toMatch(/"IT": the server refuses the user name or password/);
      const settings = readConnectionSettings('IT', { REDIS_IT: `redis://127.0.0.1:${own.server.port}` });
      const none = await settle(new RedisConnection(settings, 0, 'x').ready());
      expect(none).toMatchObject({ kind: 'passwordMissing', asks: 'stop' });
      expect(String(none)).toMatch(/"IT": the server asks for a password and none is set/);
      const both = `${String(wrong)} ${String(none)}`;
      expect(both).not.toMatch(/falsch|geheim|127\.0\.0\.1/);
      const right = connectionTo(own, { password: 'geheim' });
      await right.ready();
      right.close();
    } finally {
      await own.close();
    }
  });
});

it('a port where nothing listens is said to be one', async () => {
  const settings = readConnectionSettings('IT', { REDIS_IT: 'redis://127.0.0.1:1' });
  const error = await settle(new RedisConnection(settings, 0, 'x').ready());
  expect(error).toMatchObject({ kind: 'connectionRefused', asks: 'retry' });
  expect(String(error)).toMatch(/nothing listens there/);
});

describe('a connection that signs in with Entra ID', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer('redis-7.0', { password: 'of nobody here' });
  });
  afterAll(async () => {
    await server.close();
  });

  /** A user name and token as Entra ID gives them; the server knows the user by its object id. */
  async function identity(oid: string): Promise<string> {
    const token = `head.${Buffer.from(JSON.stringify({ oid })).toString('base64url')}.signature`;
    await server.client.acl('SETUSER', oid, 'reset', 'on', `>${token}`, '~*', '+@all');
    return token;
  }

  it('gives the token as password and the object id as user name, at first and after each loss', async () => {
    let now = 0;
    const tokens = [await identity('first-object-id'), await identity('second-object-id')];
    const credentials = entraCredentials(
      { getToken: () => Promise.resolve({ token: tokens.shift() ?? '', expiresOnTimestamp: now + 1_000 }) },
      () => now,
    );
    const port = connectionTo(server, {}, credentials);
    await port.ready();
    expect(String(await port.call('ACL', 'WHOAMI'))).toBe('first-object-id');
    now = 800;
    await settle(port.call('CLIENT', 'KILL', 'ID', String(await port.call('CLIENT', 'ID')), 'SKIPME', 'no'));
    while (port.runId !== undefined) await new Promise(setImmediate);
    await port.ready();
    expect(String(await port.call('ACL', 'WHOAMI'))).toBe('second-object-id');
    port.close();
  });

  it('signs in again on the open connection before the token ends', async () => {
    const everythingButIntervals = [
      'nextTick',
      'setImmediate',
      'clearImmediate',
      'setTimeout',
      'clearTimeout',
      'queueMicrotask',
      'hrtime',
      'performance',
      'Date',
    ] as const;
    jest.useFakeTimers({ doNotFake: [...everythingButIntervals] });
    try {
      const [first, second] = [await identity('id-one'), await identity('id-two')];
      let given = { username: 'id-one', password: first, renewAt: Date.now() };
      const port = connectionTo(server, {}, () => Promise.resolve(given));
      await port.ready();
      const id = await port.call('CLIENT', 'ID');
      given = { username: 'id-two', password: second, renewAt: Date.now() + 3_600_000 };
      jest.advanceTimersByTime(60_000);
      while (String(await port.call('ACL', 'WHOAMI')) !== 'id-two') await new Promise(setImmediate);
      // The same connection: nothing was interrupted.
      expect(await port.call('CLIENT', 'ID')).toBe(id);
      port.close();
    } finally {
      jest.useRealTimers();
    }
  });
});

describe('the connections of a process', () => {
  let server: TestServer;
  let connections: Connections;
  beforeAll(async () => {
    server = await startTestServer('valkey-8.1');
  });
  beforeEach(() => {
    connections = new Connections({ REDIS_OLD: server.server.url, REDIS_old: 'redis://127.0.0.1:1' }, 'keyferry-all');
  });
  afterEach(async () => {
    connections.close();
    while ((await open()).length > 0) await new Promise(setImmediate);
  });
  afterAll(async () => {
    await server.close();
  });

  const open = async () =>
    String(await server.client.client('LIST'))
      .split('\n')
      .filter((line) => line.includes('name=keyferry-all'));

  it('are few for one database, however many ask', async () => {
    const asked = Array.from({ length: 50 }, () => connections.get('OLD', 3));
    await Promise.all(asked.map((connection) => connection.ready()));
    expect((await open()).length).toBe(2);
    expect((await open()).every((line) => line.includes('db=3'))).toBe(true);
  });

  it('are shared by many databases, none of which gets what is for another one', async () => {
    await server.client.config('SET', 'databases', '16').catch(() => undefined);
    const databases = Array.from({ length: 16 }, (_, i) => i);
    const rounds = Array.from({ length: 25 }, (_, round) => round);
    const work = databases.flatMap((database) =>
      rounds.map(async (round) => {
        const [one, bulk] = [connections.get('OLD', database), connections.bulk('OLD', database)];
        await Promise.all([one.ready(), bulk.ready()]);
        await one.call('HINCRBY', 'counts', String(database), '1');
        await one.pipeline([['HINCRBY', 'counts', String(database), '1']]);
        const key = Buffer.from(`bulk:${database}:${round}`);
        await bulk.sendKeyed([key], () => EncodedCommands.of([['SET', key, 'x']]));
      }),
    );
    await Promise.all(work);
    for (const database of databases) {
      await server.client.select(database);
      expect(await server.client.hgetall('counts')).toEqual({ [database]: '50' });
      expect(await server.client.dbsize()).toBe(26);
    }
    await server.client.flushall();
    await server.client.select(0);
    expect((await open()).length).toBe(18);
    await expect(connections.get('OLD', 16).ready()).rejects.toMatchObject({ kind: 'noSuchDatabase' });
  });

  it('sends nothing into another database where a choice is refused, or the connection is another one', async () => {
    const all = Array.from({ length: 16 }, (_, i) => connections.get('OLD', i));
    await Promise.all(all.map((one) => one.ready()));
    await server.client.acl('SETUSER', 'default', '-select');
    try {
      const outcomes = await Promise.allSettled(all.map((one, i) => one.call('SET', `of:${i}`, 'x')));
      expect(outcomes.some(({ status }) => status === 'rejected')).toBe(true);
    } finally {
      await server.client.acl('SETUSER', 'default', '+select');
    }
    const waiting = all.flatMap((one, i) => [one.call('SET', `of:${i}`, 'x'), one.call('INCR', `n:${i}`)]);
    connections.reopen('OLD');
    await Promise.all(all.map((one) => one.ready()));
    await Promise.allSettled(waiting);
    await Promise.all(all.map((one, i) => one.call('SET', `of:${i}`, 'x')));
    for (const database of all.keys()) {
      await server.client.select(database);
      const keys = await server.client.keys('*');
      expect(keys.filter((key) => !key.endsWith(`:${database}`))).toEqual([]);
    }
    await server.client.select(0);
    await server.client.flushall();
  });

  it.each(['redis-6.0', 'redis-7.0'] as const)('leave clients of %s to others', async (name) => {
    const small = await startTestServer(name, { args: ['--maxclients', '20'] });
    const few = new Connections({ REDIS_IT: small.server.url }, 'keyferry-few');
    try {
      let most = 0;
      const clients = async () => Number(/connected_clients:(\d+)/.exec(await small.client.info('clients'))?.[1]);
      const all = Array.from({ length: 16 }, (_, database) => [few.get('IT', database), few.bulk('IT', database)]);
      for (const one of all.flat()) {
        await one.ready();
        most = Math.max(most, await clients());
      }
      await few.metBy('IT', 6);
      expect(most).toBe(15);
      for (const [one] of all) expect(await (one as RedisPort).call('SET', 'a', '1')).toEqual(Buffer.from('OK'));
      // Others have taken the rest: what is lost meanwhile is shared.
      const others = await Promise.all(Array.from({ length: 5 }, () => small.connect()));
      few.reopen('IT');
      while ((await clients()) > others.length + 1) await new Promise(setImmediate);
      await Promise.all(Array.from({ length: 12 }, () => small.connect()));
      await Promise.all(all.flat().map((one) => one.ready()));
      for (const [one] of all) await (one as RedisPort).call('SET', 'b', '1');
    } finally {
      few.close();
      await small.close();
    }
  });

  it('end for a reason what others have under way on them, and only once for each', async () => {
    const [one, bulk] = [connections.get('OLD', 0), connections.bulk('OLD', 0)];
    const why = new RedisError('readOnly', 'OLD');
    const underWay = async () => {
      const calls = [
        one.call('BLPOP', 'never', '0'),
        one.pipeline([['BLPOP', 'never', '0']]),
        bulk.sendKeyed([], () => EncodedCommands.of([['BLPOP', 'never', '0']])),
      ];
      return (await Promise.allSettled(calls)).map((call) => (call as PromiseRejectedResult).reason as unknown);
    };
    for (const port of [one, bulk]) await port.ready();
    const told = underWay();
    for (const port of [one, bulk]) port.close(why);
    expect(await told).toEqual([why, why, why]);

    for (const port of [one, bulk]) await port.ready();
    for (const port of [one, bulk]) port.close(why);
    expect(await one.call('PING')).toEqual(Buffer.from('PONG'));
    const lost = underWay();
    await server.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    expect(await lost).toMatchObject(Array.from({ length: 3 }, () => ({ kind: 'connectionLost' })));
  });

  it('are opened on first use, and all ended at once', async () => {
    const connection = connections.get('OLD', 0);
    expect(await open()).toEqual([]);
    await connection.ready();
    connections.close();
    while ((await open()).length > 0) await new Promise(setImmediate);
  });

  it('are not mixed up by names that differ in capitals only', async () => {
    await connections.get('OLD', 0).ready();
    await expect(connections.get('old', 0).ready()).rejects.toMatchObject({
      kind: 'connectionRefused',
      connection: 'old',
    });
  });

  it('refuse names that no setting has', () => {
    expect(() => connections.get('NONE', 0)).toThrow(/There is no connection "NONE"/);
  });
});
