import { fillServer } from '../../demo/generate';
import type { RunningServer } from '../tools/redis-servers';
import { digest, flush, keyCounts, serverNames, serverStartTimeout, useTestServers } from '../tools/redis-servers';

const servers = useTestServers();
const all: RunningServer[] = [];

beforeAll(async () => {
  for (const name of serverNames) all.push(await servers.start(name));
}, serverStartTimeout);
afterEach(() => Promise.all(all.map(flush)));

test('the same seed gives the same keys on every server, in time', async () => {
  const told: [number, number][] = [];
  for (const { port } of all) await fillServer({ port, keys: 10_000, onProgress: (...numbers) => told.push(numbers) });
  expect(new Set(await Promise.all(all.map(digest))).size).toBe(1);
  expect(await keyCounts(all[0]!)).toEqual({ 0: 10_000 });
  expect(told.length).toBeGreaterThan(all.length * 5);
  expect(told.at(-1)).toEqual([10_000, 10_000]);
});

test('another seed gives other keys', async () => {
  await fillServer({ url: all[0]!.url, keys: 500 });
  await fillServer({ url: all[1]!.url, keys: 500, seed: 2 });
  expect(await digest(all[0]!)).not.toBe(await digest(all[1]!));
});

test('the mix has every type, a third of it expires, and streams have groups with pending entries', async () => {
  await fillServer({ port: all[0]!.port, keys: 20_000 });
  const redis = servers.client(all[0]!);
  const types: Record<string, number> = {};
  let [expiring, pending] = [0, 0];
  for (const key of await redis.keysBuffer('*')) {
    const type = await redis.type(key);
    types[type] = (types[type] ?? 0) + 1;
    if ((await redis.pttl(key)) > 0) expiring++;
    if (type === 'stream') pending += ((await redis.xpending(key, 'workers')) as [number])[0];
  }
  expect(Object.keys(types).sort()).toEqual(['hash', 'list', 'set', 'stream', 'string', 'zset']);
  expect(types.string).toBeGreaterThan(15_000);
  expect(types.hash).toBeGreaterThan(2_300);
  expect(expiring).toBeGreaterThan(6_000);
  expect(expiring).toBeLessThan(7_400);
  expect(pending).toBeGreaterThan(50);
});

test('several databases: half in the first, the rest shared', async () => {
  await fillServer({ port: all[2]!.port, keys: 1_001, databases: [3, 0, 9] });
  expect(await keyCounts(all[2]!)).toEqual({ 0: 250, 3: 501, 9: 250 });
});

test('further keys can be added to those of an earlier call', async () => {
  await fillServer({ port: all[0]!.port, keys: 3_000 });
  await fillServer({ port: all[1]!.port, keys: 1_000 });
  await fillServer({ port: all[1]!.port, keys: 2_000, firstKey: 1_000 });
  expect(await digest(all[1]!)).toBe(await digest(all[0]!));
});

test('what the server refuses is an error with its words', async () => {
  const small = await servers.start('redis-7.0', { args: ['--maxmemory', '3mb'], password: 'pass word' });
  await expect(fillServer({ url: small.url, keys: 50_000 })).rejects.toThrow(/refused a command: OOM/);
  await expect(fillServer({ port: small.port, keys: 10 })).rejects.toThrow(/refused a command: NOAUTH/);
  await expect(fillServer({ port: 1, keys: 10 })).rejects.toThrow(/ECONNREFUSED/);
});
