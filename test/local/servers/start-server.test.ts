import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Redis } from 'ioredis';

import { askPing } from '../../../local/servers/answer';
import { serverNames } from '../../../local/servers/server-names';
import type { RunningServer } from '../../../local/servers/start-server';
import { startServer } from '../../../local/servers/start-server';

const started: RunningServer[] = [];
const clients: Redis[] = [];
const start = async (...how: Parameters<typeof startServer>): Promise<RunningServer> => {
  const server = await startServer(...how);
  started.push(server);
  return server;
};
const client = (server: RunningServer): Redis => {
  const redis = new Redis(server.url);
  redis.on('error', () => undefined);
  clients.push(redis);
  return redis;
};
afterAll(async () => {
  for (const redis of clients) if (redis.status === 'ready') redis.disconnect();
  await Promise.all(started.map((server) => server.kill()));
});

const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test.each(serverNames)(
  '%s starts, has all the Lua libraries, and is gone after stop',
  async (name) => {
    const server = await start(name);
    const redis = client(server);
    expect(await redis.info('server')).toContain(`process_id:${server.pid}`);
    const script = `return {cjson.encode({1}), cmsgpack.pack(1), bit.tohex(255), struct.pack('B', 65)}`;
    expect(await redis.eval(script, 0)).toEqual(['[1]', '\u0001', '000000ff', 'A']);
    expect(await redis.config('GET', 'save')).toEqual(['save', '']);
    redis.disconnect();
    await server.stop();
    expect(alive(server.pid)).toBe(false);
    expect(existsSync(server.dataFolder)).toBe(false);
  },
  600_000,
);

test('a snapshot is loaded, and again after a restart on the same port', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'keyferry-rdb-'));
  try {
    await copyFile(join(__dirname, '../../fixtures/redis-4.0.14.rdb'), join(folder, 'four.rdb'));
    const server = await start('redis-6.0', { dataFolder: folder, rdb: 'four.rdb' });
    const redis = client(server);
    expect(await redis.dbsize()).toBe(17_269);
    await redis.flushall();
    const { pid, port } = server;
    await server.restart();
    expect(server.port).toBe(port);
    expect(server.pid).not.toBe(pid);
    expect(await redis.dbsize()).toBe(17_269);
    redis.disconnect();
    await server.kill();
    expect(existsSync(join(folder, 'four.rdb'))).toBe(true);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('a password belongs to the address', async () => {
  const server = await start('redis-7.0', { password: 'a:b/c @' });
  expect(await client(server).ping()).toBe('PONG');
  expect(await askPing(server.port, false)).toMatch(/^-NOAUTH/);
});

test('a server that does not start says why', async () => {
  await expect(startServer('redis-6.0', { args: ['--maxmemory-policy', 'nonsense'] })).rejects.toThrow(
    /ended before it answered[^]*maxmemory-policy/,
  );
});

test('a taken port is an error where that port was asked for', async () => {
  const first = await start('redis-6.0');
  await expect(startServer('redis-7.0', { port: first.port })).rejects.toThrow(/ended before it answered/);
});
