import { compareServers } from './compare-servers';
import { startLiveWriter } from './live-writer';
import type { RunningServer } from './redis-servers';
import { flush, keyCounts, serverStartTimeout, useTestServers } from './redis-servers';

const servers = useTestServers();

let one: RunningServer, other: RunningServer;
beforeAll(async () => {
  [one, other] = await Promise.all([servers.start('redis-6.0'), servers.start('redis-6.0')]);
}, serverStartTimeout);
beforeEach(() => Promise.all([flush(one), flush(other)]));

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('writes every type at its rate, growing and shrinking, until it is stopped', async () => {
  const began = Date.now();
  const writer = await startLiveWriter(one, { perSecond: 4_000, keys: 800, database: 3 });
  const sizes: number[] = [];
  const types = new Set<string>();
  const redis = servers.client(one, 3);
  for (let round = 0; round < 30; round++) {
    await pause(100);
    sizes.push(await redis.dbsize());
    const key = await redis.randomkey();
    if (key !== null) types.add(await redis.type(key));
  }
  await writer.stop();
  expect(writer.sent).toBeGreaterThan(6_000);
  expect(writer.sent).toBeLessThan(6_000 * ((Date.now() - began) / 1_000));
  expect(Math.max(...sizes)).toBeGreaterThan(600);
  expect(sizes.some((size, at) => at > 0 && size < sizes[at - 1]! - 20)).toBe(true);
  expect(types.size).toBeGreaterThan(3);
  const { sent } = writer;
  await pause(100);
  expect(writer.sent).toBe(sent);
  expect(Object.keys(await keyCounts(one))).toEqual(['3']);
});

test('knows which keys have stayed as they were', async () => {
  await Promise.all([servers.client(one).set('outside', '1'), servers.client(other).set('outside', '1')]);
  const writer = await startLiveWriter(one, { perSecond: 2_000, keys: 600 });
  await pause(300);
  const since = Date.now();
  // What is stable from here on is copied now, while the writing goes on.
  const [source, target] = [servers.client(one), servers.client(other)];
  for (const key of await source.keysBuffer('live:*')) {
    const ttl = await source.pttl(key);
    // ioredis's type does not say so, but a key that the writer deletes in between has none.
    const value = (await source.dumpBuffer(key)) as Buffer | null;
    if (ttl !== -2 && value !== null) await target.restore(key, Math.max(ttl, 0), value);
  }
  await pause(300);
  await writer.stop();
  const { differences } = await compareServers(one, other, { toleranceMs: 1_000, limit: 10_000 });
  expect(differences.length).toBeGreaterThan(10);
  expect(differences.filter(({ key }) => writer.isStable(key, since)).map(({ text }) => text)).toEqual([]);
  expect(writer.isStable('outside', since)).toBe(true);
  expect(writer.changedSince(since).length).toBeGreaterThan(10);
  expect(writer.changedSince(since)).not.toContain('outside');
});
