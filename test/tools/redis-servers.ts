import { rmSync } from 'node:fs';
import { copyFile, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Redis } from 'ioredis';

import type { ServerName } from '../../local/servers/server-names';
import type { RunningServer, StartOptions } from '../../local/servers/start-server';
import { Stage } from './stage';

export { serverNames } from '../../local/servers/server-names';
export type { ServerName } from '../../local/servers/server-names';
export type { RunningServer, StartOptions } from '../../local/servers/start-server';

/** How long a `beforeAll` that starts servers may take, in ms: the first time on a machine they are downloaded. */
export const serverStartTimeout = 600_000;

/** A snapshot that a real Redis 4.0.14 wrote; facts about it. */
export const redis4Snapshot = {
  file: join(__dirname, '../fixtures/redis-4.0.14.rdb'),
  /** Keys by database. None of them expires before the year 2100. */
  keys: { 0: 17_269, 1: 700, 5: 300, 15: 1 } as Readonly<Record<number, number>>,
  /** All keys of all databases. */
  total: 18_270,
  /** DEBUG DIGEST of the whole: newer servers digest some types in another way. */
  digest: (name: ServerName): string =>
    name === 'redis-6.0' || name === 'redis-7.0'
      ? '1e00ef10dba3a695ee476939e7a4d38ded7d380a'
      : 'd879337160594160179d0c4e4035be985356e9e1',
} as const;

/** Starts servers for one test file and ends them with it. */
export interface TestServers {
  /** Starts a server with DEBUG allowed. */
  start(name: ServerName, options?: StartOptions): Promise<RunningServer>;
  /** Starts a server that has loaded the Redis 4 snapshot. */
  startWithSnapshot(name: ServerName, options?: Omit<StartOptions, 'rdb' | 'dataFolder'>): Promise<RunningServer>;
  /** An ioredis client, ended with the test file. Its errors are left to its commands. */
  client(server: { readonly url: string } | number, database?: number): Redis;
}

/**
 * Call it once at the top of a test file (or of a `describe`): everything started through it is ended after the last test.
 * Start servers in `beforeAll(…, serverStartTimeout)`.
 */
export function useTestServers(): TestServers {
  const stage = new Stage();
  const clients: Redis[] = [];
  const folders: string[] = [];

  afterAll(async () => {
    await Promise.all(clients.map(leave));
    await stage.clear();
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });

  const start = async (name: ServerName, options: StartOptions = {}): Promise<RunningServer> =>
    (await stage.side(name, options)).server;
  return {
    start,
    startWithSnapshot: async (name, options = {}) => {
      const folder = await mkdtemp(join(tmpdir(), 'keyferry-snapshot-'));
      folders.push(folder);
      await copyFile(redis4Snapshot.file, join(folder, 'dump.rdb'));
      return start(name, { ...options, dataFolder: folder, rdb: 'dump.rdb' });
    },
    client: (server, database = 0) => {
      const redis = connect(server, database);
      clients.push(redis);
      return redis;
    },
  };
}

/** An ioredis client whose errors are left to its commands. End it with `leave`. */
export function connect(server: { readonly url: string } | number, database = 0): Redis {
  const url = typeof server === 'number' ? `redis://127.0.0.1:${server}` : server.url;
  const redis = new Redis(url, { db: database, maxRetriesPerRequest: 3 });
  redis.on('error', () => undefined);
  return redis;
}

/** Ends a client and waits until it is gone, so that no timer of it outlives the test. */
export async function leave(redis: Redis): Promise<void> {
  if (redis.status === 'end') return;
  const gone = new Promise((resolve) => redis.once('end', resolve));
  redis.disconnect();
  await gone;
}

/** DEBUG DIGEST of all databases: equal where all keys and values are equal (expiry times are not part of it). */
export async function digest(server: { readonly url: string } | number): Promise<string> {
  return briefly(server, async (redis) => String(await redis.call('DEBUG', 'DIGEST')));
}

/** Deletes every key of every database. */
export async function flush(server: { readonly url: string } | number): Promise<void> {
  await briefly(server, (redis) => redis.flushall());
}

/** Keys by database as INFO says, databases without keys left out. */
export async function keyCounts(server: { readonly url: string } | number): Promise<Record<number, number>> {
  const info = await briefly(server, (redis) => redis.info('keyspace'));
  return Object.fromEntries(
    [...info.matchAll(/^db(\d+):keys=(\d+)/gm)].map(([, db, keys]) => [Number(db), Number(keys)]),
  );
}

async function briefly<T>(server: { readonly url: string } | number, ask: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = connect(server);
  try {
    return await ask(redis);
  } finally {
    await leave(redis);
  }
}
