import { setTimeout as sleep } from 'node:timers/promises';
import type { AppProcess } from '../tools/app-process';
import { until } from '../tools/app-process';
import { fill } from './support/fill';
import { fillOdd } from './support/fill-odd';
import { compareServers, Stage, type Side } from '../tools/stage';

// docs/upgrade-basic-c0.md, step by step: a cache that loses its data when it is upgraded.
const stage = new Stage();
/** The cache before the upgrade, on the port that it keeps. */
let cache: Side;
/** Where its keys are meanwhile. */
let shelter: Side;
/** A replica made by Redis itself, which shows in the end what the cache would have had. */
let witness: Side;
let app: AppProcess;

const LASTING = 3_000;
const RUNNING = 2_000;
/** Keys whose time comes between the way out and the way back. */
const SHORT = 500;
let odd: number;
let filledAt: number;
const SHORT_MS = 25_000;

beforeAll(async () => {
  cache = await stage.side('redis-6.0');
  shelter = await stage.side('redis-7.0');
  witness = await stage.side('redis-6.0');
  app = await stage.app(stage.connections({ CACHE: cache, SHELTER: shelter }));
  odd = await fillOdd(cache);
  await fill(cache, LASTING, { prefix: 'lasting:' });
  await fill(cache, RUNNING, { prefix: 'running:', ttl: 3_600_000 });
  await fill(cache, 10, { prefix: 'other:', database: 3, ttl: 3_600_000 });
  await fill(cache, SHORT, { prefix: 'short:', ttl: SHORT_MS });
  filledAt = Date.now();
});

afterAll(() => stage.clear());

/** Keys of all databases that are alive. */
async function aliveOn({ client }: Side): Promise<number> {
  // Walking over them makes the server forget those whose time has come.
  let keys = 0;
  for (const database of [0, 3]) {
    await client.select(database);
    for await (const page of client.scanBufferStream({ count: 1_000 })) keys += (page as Buffer[]).length;
  }
  await client.select(0);
  return keys;
}

it('keys leave a cache, wait elsewhere while it is replaced by one of another version, and come back', async () => {
  const all = odd + LASTING + RUNNING + 10 + SHORT;
  await witness.client.call('REPLICAOF', '127.0.0.1', String(cache.server.port));
  await until(async () => (await witness.client.info('replication')).includes('master_link_status:up'));

  // 1. Out, and checked.
  const out = await app.run({ source: 'CACHE', target: 'SHELTER', onConflict: 'fail', verify: 'full' });
  expect(out).toMatchObject({
    state: 'completed',
    source: { keysAtStart: all },
    counts: { copied: all, expired: 0, failed: 0 },
    findings: 0,
  });
  const check = await app.run({ mode: 'compare', source: 'CACHE', target: 'SHELTER', verify: 'full' });
  expect(check).toMatchObject({ state: 'completed', findings: 0, counts: { failed: 0 } });
  expect(await compareServers(cache, shelter)).toEqual({ keys: all, differences: [] });
  // Or the test was too slow to show anything.
  expect(Date.now() - filledAt).toBeLessThan(SHORT_MS);

  // 2. The upgrade: the same address, another version, nothing in it.
  await witness.client.call('REPLICAOF', 'NO', 'ONE');
  const { port } = cache.server;
  cache.client.disconnect();
  await cache.server.stop();
  const upgraded = await stage.side('redis-7.0', { port });
  expect(upgraded.server.version).toMatch(/^7\./);
  expect(await upgraded.client.dbsize()).toBe(0);

  // Meanwhile time goes on. The server is kept from tidying up, so that their number is there to be counted.
  await shelter.client.call('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
  await sleep(Math.max(0, filledAt + SHORT_MS + 500 - Date.now()));

  // 3. Back, and checked.
  const back = await app.run({ source: 'SHELTER', target: 'CACHE', onConflict: 'fail', verify: 'full' });
  const left = all - SHORT;
  expect(back).toMatchObject({
    state: 'completed',
    source: { version: shelter.server.version, keysAtStart: all },
    target: { version: upgraded.server.version, keysAtStart: 0, keysNow: left },
    counts: { scanned: left, copied: left, failed: 0 },
    findings: 0,
  });
  expect(out.counts.copied - back.counts.copied).toBe(SHORT);
  const checked = await app.run({ mode: 'compare', source: 'SHELTER', target: 'CACHE', verify: 'full' });
  expect(checked).toMatchObject({ state: 'completed', findings: 0 });

  // The same keys, values and times to live as on a replica that never moved.
  expect(await aliveOn(upgraded)).toBe(left);
  expect(await aliveOn(witness)).toBe(left);
  expect(await compareServers(witness, upgraded)).toEqual({ keys: left, differences: [] });
  expect(await upgraded.client.keys('short:*')).toEqual([]);
  const ttl = await upgraded.client.pttl('running:1');
  expect(Math.abs(ttl - (3_600_000 - (Date.now() - filledAt)))).toBeLessThan(2_000);
  expect(await upgraded.client.pttl('lasting:1')).toBe(-1);
});
