import type { Redis } from 'ioredis';
import type { RedisConnection } from '../../../src/redis/connection';
import type { Command } from '../../../src/redis/redis-port';
import { startTestServer, type TestServer } from '../../tools/test-server';
import { convertAll, kinds, watched } from './support/conversion';
import { Farm, itemsOfVersion, type Versions } from './support/farm';
import { readVersion5 } from './support/version5';

const SESSIONS = 150;
const PASSES = 5;

/** A row of numbers from 0 to 1 that looks like chance and is the same each time. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

/** The version of a converted session, which must be one that it really had; 0 where there is none. */
async function versionOf(redis: Redis, appId: string): Promise<number> {
  const there = await readVersion5(redis, appId);
  if (there === undefined) return 0;
  const version = Number(there.items.first);
  expect(there).toMatchObject({ items: itemsOfVersion(version), timeout: '1200' });
  expect(Object.keys(there.items)).toHaveLength(Object.keys(itemsOfVersion(version)).length);
  expect(there.ttl).toBeGreaterThan(1_100_000);
  return version;
}

/** Every session that lived all the time is converted, to a state not older than `floors` and not newer than `after`. */
async function expectBetween(redis: Redis, floors: Versions, after: Versions): Promise<void> {
  for (const [appId, version] of floors) {
    const newest = after.get(appId);
    if (newest === undefined) continue;
    const converted = await versionOf(redis, appId);
    expect(converted).toBeGreaterThanOrEqual(version);
    // The farm may have been told of its last writing after the conversion saw it.
    expect(converted).toBeLessThanOrEqual(newest + 1);
  }
}

/** The sessions of version 5 that a script is about to write. */
function writtenBy([, , , firstKey, ...more]: Command): string[] {
  const names = [firstKey, ...more].map((key) => /^\{(.*)\}_SessionStateItemCollection$/.exec(String(key))?.[1]);
  return names[0] === undefined ? [] : names.filter((name) => name !== undefined);
}

async function convertUnderLoad(
  farm: Farm,
  from: RedisConnection,
  to: RedisConnection,
  redis: Redis,
  inPlace: boolean,
): Promise<void> {
  try {
    await expectWholeSessions(farm, from, to, redis, inPlace);
  } finally {
    await farm.close();
  }
}

async function expectWholeSessions(
  farm: Farm,
  from: RedisConnection,
  to: RedisConnection,
  redis: Redis,
  inPlace: boolean,
): Promise<void> {
  for (let pass = 1; pass <= PASSES; pass++) {
    const [before, gone] = [farm.versions(), farm.abandoned()];
    const thereBefore = new Set<string>();
    for (const appId of gone) if ((await versionOf(redis, appId)) > 0) thereBefore.add(appId);
    // What the farm had written when a session was about to be written is in what is there in the end.
    const floors = new Map(before);
    const noting = watched(to, {
      before: (_, command) => {
        const now = farm.versions();
        for (const appId of writtenBy(command)) floors.set(appId, now.get(appId) ?? 0);
      },
    });
    const done = await convertAll(from, noting, { servers: { inPlace } });
    const found = kinds(done);
    expect(Object.keys(found).filter((kind) => kind !== 'converted' && kind !== 'expired')).toEqual([]);
    await expectBetween(redis, floors, farm.versions());
    // What was abandoned before is not brought back.
    for (const appId of gone) if (!thereBefore.has(appId)) expect(await versionOf(redis, appId)).toBe(0);
  }
  await farm.close();
  const last = farm.versions();
  expect(farm.requests).toBeGreaterThan(500);
  expect(kinds(await convertAll(from, to, { servers: { inPlace } }))).toEqual({ converted: last.size });
  for (const [appId, version] of last) expect(await versionOf(redis, appId)).toBe(version);
}

describe('while a farm of version 4 goes on writing', () => {
  let source: TestServer;
  let target: TestServer;

  beforeAll(async () => {
    [source, target] = await Promise.all([startTestServer('redis-6.0'), startTestServer('redis-7.0')]);
  });
  afterEach(async () => {
    await Promise.all([source.client.flushall(), target.client.flushall()]);
  });
  afterAll(async () => {
    await Promise.all([source.close(), target.close()]);
  });

  it.each([1, 2])(
    'sessions converted to another server are whole and not older than they were (seed %i)',
    async (seed) => {
      const [from, to] = await Promise.all([source.connect(), target.connect()]);
      const farm = await Farm.open(source.client, SESSIONS, seeded(seed));
      await convertUnderLoad(farm, from, to, target.client, false);
    },
  );

  it.each(['redis-6.0', 'redis-7.0'])(
    'sessions converted in place are whole and not older than they were (%s)',
    async (name) => {
      const server = name === 'redis-6.0' ? source : target;
      const port = await server.connect();
      const farm = await Farm.open(server.client, SESSIONS, seeded(3));
      await convertUnderLoad(farm, port, port, server.client, true);
    },
  );
});
