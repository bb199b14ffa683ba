import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import path from 'node:path';
import { ensureServer } from '../../local/servers/find-server';
import { CLOSED_PORT, freePort } from '../../local/servers/free-port';
import type { ServerName } from '../../local/servers/server-names';
import type { StartOptions } from '../../local/servers/start-server';
import { BulkConnection } from '../../src/redis/bulk-connection';
import { RedisConnection } from '../../src/redis/connection';
import { readConnectionSettings } from '../../src/redis/connection-settings';
import { EncodedCommands } from '../../src/redis/encoded-command';
import type { ErrorKind } from '../../src/redis/error-kinds';
import { RedisError } from '../../src/redis/errors';
import type { Command } from '../../src/redis/redis-port';
import { startTestServer, type TestServer } from '../tools/test-server';

jest.setTimeout(60_000);

const SET: Command = ['SET', 'key', 'value'];

/** What a command meets, on its own, in a pipeline and in bulk: the same error each way, which is given back. */
async function met(url: string, command: Command = SET): Promise<RedisError> {
  const settings = readConnectionSettings('NEW', { REDIS_NEW: url });
  const connection = new RedisConnection(settings, 0, 'real-causes');
  const bulk = new BulkConnection(settings, 0, 'real-causes');
  try {
    const alone: unknown = await (async () => {
      await connection.ready();
      return await connection.call(...command);
    })().catch((error: unknown) => error);
    if (!(alone instanceof RedisError)) throw new Error(`No RedisError, but ${String(alone)}`);
    const piped: unknown = await (async () => {
      await connection.ready();
      return (await connection.pipeline([command]))[0];
    })().catch((error: unknown) => error);
    const inBulk: unknown = await (async () => {
      await bulk.ready();
      return (await bulk.sendAll(EncodedCommands.of([command]))).get(0);
    })().catch((error: unknown) => error);
    for (const error of [piped, inBulk]) expect((error as RedisError).kind).toBe(alone.kind);
    for (const error of [alone, piped, inBulk] as RedisError[]) {
      expect(error.connection).toBe('NEW');
      expect(error.message).toMatch(/^Connection "NEW": [a-z].*[.?]$/i);
      expect(error.message).not.toMatch(/127\.0\.0\.1|geheim|falsch|:\d{4,}/);
    }
    return alone;
  } finally {
    connection.close();
    bulk.close();
  }
}

async function withServer(
  name: ServerName,
  options: StartOptions,
  work: (server: TestServer) => Promise<void>,
): Promise<void> {
  const server = await startTestServer(name, options);
  try {
    await work(server);
  } finally {
    await server.close();
  }
}

/** What a server says that hangs up at once, each time: also where the system throws it away, since something is sent to it. */
async function metAtOnce(url: string): Promise<RedisError> {
  const settings = readConnectionSettings('NEW', { REDIS_NEW: url });
  const errors: RedisError[] = [];
  for (let tries = 0; tries < 10; tries++) {
    for (const connection of [new RedisConnection(settings, 0, 'x'), new BulkConnection(settings, 0, 'x')]) {
      errors.push((await connection.ready().catch((reason: unknown) => reason)) as RedisError);
    }
  }
  expect(new Set(errors.map(({ kind }) => kind)).size).toBe(1);
  return errors[0]!;
}

const expectMet = (error: RedisError, kind: ErrorKind, words: RegExp) => {
  expect(error.kind).toBe(kind);
  expect(error.message).toMatch(words);
};

describe.each(['redis-6.0', 'redis-7.0', 'redis-8.0', 'valkey-8.1'] as const)('on %s', (name) => {
  it('a read-only replica is told to be one', async () => {
    await withServer(name, {}, async ({ server, client }) => {
      await client.replicaof('127.0.0.1', String(CLOSED_PORT));
      expectMet(await met(server.url), 'readOnly', /"NEW": the server is a read-only replica; work goes on when/);
      await client.config('SET', 'replica-serve-stale-data', 'no');
      expectMet(await met(server.url, ['GET', 'key']), 'masterDown', /replica without its master/);
    });
  });

  it('a full server is told to be full', async () => {
    await withServer(name, {}, async ({ server, client }) => {
      await client.config('SET', 'maxmemory', '1');
      expectMet(await met(server.url), 'outOfMemory', /out of memory.*when memory is freed/);
    });
  });

  it('a server that cannot save says so', async () => {
    await withServer(name, {}, async ({ server, client }) => {
      await rm(server.dataFolder, { recursive: true });
      await client.config('SET', 'save', '3600 1');
      await client.set('a', '1');
      await client.bgsave().catch(() => undefined);
      const failed = async () => (await client.info('persistence')).includes('rdb_last_bgsave_status:err');
      for (let wait = 0; wait < 200 && !(await failed()); wait++) await new Promise((r) => setTimeout(r, 25));
      expectMet(await met(server.url), 'notSaved', /takes no writes since it cannot save.*"dir"/);
    });
  });

  it('a server without enough replicas says so', async () => {
    await withServer(name, {}, async ({ server, client }) => {
      await client.config('SET', 'min-replicas-to-write', '1');
      expectMet(await met(server.url), 'tooFewReplicas', /too few of its replicas/);
    });
  });

  it('a server that runs a script of somebody says so', async () => {
    await withServer(name, {}, async ({ server, client }) => {
      await client.config('SET', 'lua-time-limit', '50');
      const endless = client.duplicate();
      const running = endless.eval('while true do end', 0).catch(() => undefined);
      try {
        await new Promise((resolve) => setTimeout(resolve, 300));
        expectMet(await met(server.url), 'busyScript', /busy with a Lua script.*SCRIPT KILL/);
      } finally {
        await client.call('SCRIPT', 'KILL');
        await running;
        endless.disconnect();
      }
    });
  });

  it('a user that lacks a command, or the keys, is told which', async () => {
    await withServer(name, {}, async ({ server, client }) => {
      await client.acl('SETUSER', 'mover', 'on', '>moving', '~app:*', '+@all', '-restore', '-config');
      const url = server.url.replace('redis://', 'redis://mover:moving@');
      expectMet(await met(url, ['CONFIG', 'GET', 'dir']), 'noRight', /may not run the command CONFIG/);
      expectMet(await met(url, ['RESTORE', 'app:1', '0', 'x']), 'noRight', /the command RESTORE; allow it.*\+restore/);
      expectMet(await met(url), 'noRightToKeys', /may not touch some of the keys; allow them.*~pattern/);
      const inScript = await met(url, ['EVAL', "return redis.call('RESTORE', KEYS[1], '0', 'x')", '1', 'app:1']);
      expectMet(inScript, 'noRight', /the command RESTORE|inside Lua scripts/);
    });
  });

  it('passwords are told apart: wrong, missing, not asked for', async () => {
    await withServer(name, { password: 'geheim' }, async ({ server }) => {
      const at = `127.0.0.1:${server.port}`;
      expectMet(await met(`redis://:falsch@${at}`), 'passwordWrong', /refuses the user name or password/);
      expectMet(await met(`redis://nobody:falsch@${at}`), 'passwordWrong', /refuses the user name or password/);
      expectMet(await met(`redis://${at}`), 'passwordMissing', /asks for a password and none is set/);
    });
    await withServer(name, {}, async ({ server }) => {
      expectMet(
        await met(`redis://:falsch@127.0.0.1:${server.port}`),
        'passwordNotAsked',
        /a password is set, but the server asks for none/,
      );
    });
  });

  it('a database that is not there, a command that is renamed, a value of another type', async () => {
    await withServer(name, { args: ['--rename-command', 'DUMP', ''] }, async ({ server, client }) => {
      await client.set('text', 'x');
      expectMet(await met(server.url, ['SELECT', '99']), 'noSuchDatabase', /no such database/);
      expectMet(
        await met(server.url, ['DUMP', 'secret']),
        'unknownCommand',
        /does not know the command DUMP;.*renamed/,
      );
      expectMet(await met(server.url, ['LPUSH', 'text', 'x']), 'wrongType', /of another type/);
    });
  });

  it('a node of a cluster that serves no slots, or not this one', async () => {
    await withServer(name, { args: ['--cluster-enabled', 'yes'] }, async ({ server, client }) => {
      expectMet(await met(server.url), 'clusterDown', /cluster is down/);
      // "key" is of slot 12539.
      const slots = Array.from({ length: 16_384 }, (_, slot) => slot).filter((slot) => slot !== 12_539);
      for (let at = 0; at < slots.length; at += 4_096) await client.cluster('ADDSLOTS', ...slots.slice(at, at + 4_096));
      await client.config('SET', 'cluster-require-full-coverage', 'no');
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      expect((await met(server.url)).kind).toBe('clusterDown');
    });
  });

  it('a server that loads says so', async () => {
    await withServer(name, { args: ['--rdbcompression', 'no'] }, async (master) => {
      // A server answers every 2 MB while it loads.
      await master.client.eval("for i = 1, 300 do redis.call('SET', i, string.rep('x', 100000)) end", 0);
      await withServer(name, { args: ['--key-load-delay', '20000'] }, async ({ server, client }) => {
        await client.replicaof('127.0.0.1', String(master.server.port));
        const loads = async () => /\bloading:1/.test(await client.info('persistence'));
        for (let wait = 0; wait < 400 && !(await loads()); wait++) await new Promise((r) => setTimeout(r, 25));
        expectMet(await met(server.url, ['GET', '1']), 'loading', /loading its data; work goes on/);
      });
    });
  });
});

it('a server in protected mode is told to be in it, not taken for one with TLS', async () => {
  const address = Object.values(networkInterfaces())
    .flat()
    .find((each) => each?.family === 'IPv4' && !each.internal)?.address;
  if (address === undefined) return;
  await withServer('redis-7.0', { args: ['--bind', '0.0.0.0', '--protected-mode', 'yes'] }, async ({ server }) => {
    const error = await metAtOnce(`redis://${address}:${server.port}`);
    expectMet(error, 'protectedMode', /in protected mode.*requirepass/);
  });
});

it('a server whose clients are all taken says so', async () => {
  await withServer('redis-7.0', { args: ['--maxclients', '1'] }, async ({ server, client }) => {
    await client.ping();
    expectMet(await metAtOnce(server.url), 'tooManyClients', /as many clients as it takes/);
  });
});

it('a Sentinel is told to be one', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'keyferry-sentinel-'));
  const file = path.join(folder, 'sentinel.conf');
  await writeFile(file, '');
  const port = await freePort();
  const found = await ensureServer('redis-7.0');
  const args = [...found.args, file, '--sentinel', '--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
  const sentinel = spawn(found.command, args, { stdio: 'ignore', env: { ...process.env, ...found.env } });
  try {
    let error: unknown;
    for (let wait = 0; wait < 200; wait++) {
      const settings = readConnectionSettings('NEW', { REDIS_NEW: `redis://127.0.0.1:${port}` });
      error = await new RedisConnection(settings, 0, 'x').ready().catch((reason: unknown) => reason);
      if ((error as RedisError).kind !== 'connectionRefused') break;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    expectMet(error as RedisError, 'sentinel', /a Sentinel, which has no keys; give host and port of the master/);
  } finally {
    sentinel.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
});

describe('what is no Redis', () => {
  it('a port where nothing listens', async () => {
    expectMet(await met(`redis://127.0.0.1:${CLOSED_PORT}`), 'connectionRefused', /nothing listens there/);
  });

  it('a name that nobody knows', async () => {
    expectMet(await met('redis://keyferry-nowhere.invalid:6379'), 'hostUnknown', /cannot be resolved/);
  });

  const listening = async (onSocket: (socket: Socket) => void, work: (port: number) => Promise<void>) => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => undefined));
      onSocket(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      await work((server.address() as AddressInfo).port);
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  };

  it('a server that answers in HTTP', async () => {
    await listening(
      (socket) => socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
      async (port) => {
        const settings = readConnectionSettings('NEW', { REDIS_NEW: `redis://127.0.0.1:${port}` });
        const error: unknown = await new RedisConnection(settings, 0, 'x').ready().catch((reason: unknown) => reason);
        expectMet(error as RedisError, 'notRedis', /does not speak the Redis protocol/);
      },
    );
  });

  it('a server that hangs up', async () => {
    await listening(
      (socket) => socket.end(),
      async (port) => {
        const settings = readConnectionSettings('NEW', { REDIS_NEW: `redis://127.0.0.1:${port}` });
        const error: unknown = await new RedisConnection(settings, 0, 'x').ready().catch((reason: unknown) => reason);
        expectMet(error as RedisError, 'closedAtOnce', /closed the connection/);
      },
    );
  });

  it('a server that takes the connection and never answers, within 15 s', async () => {
    await listening(
      () => undefined,
      async (port) => {
        const started = Date.now();
        const settings = readConnectionSettings('NEW', { REDIS_NEW: `redis://127.0.0.1:${port}` });
        const error: unknown = await new RedisConnection(settings, 0, 'x').ready().catch((reason: unknown) => reason);
        expectMet(error as RedisError, 'timeout', /no answer in time/);
        const bulk = new BulkConnection({ ...settings, password: 'geheim' }, 0, 'x');
        const late: unknown = await bulk.ready().catch((reason: unknown) => reason);
        expectMet(late as RedisError, 'timeout', /no answer in time/);
        expect(Date.now() - started).toBeLessThan(30_000);
      },
    );
  });
});
