import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { startProxy, type Proxy } from '../../local/servers/proxy';
import { startMigration } from '../../src/start/start-migration';
import type { Sum } from '../../src/tally/sum';
import { isSettled } from '../../src/migration/rows';
import { workOnRange } from '../../src/work/range-worker';
import { run, sumOf } from '../tools/modes';
import { aRequest } from '../tools/rows';
import { Stage } from '../tools/stage';
import type { TestApp } from '../tools/test-app';
import type { TestServer } from '../tools/test-server';

const KEYS = 3_000;
const AWAY_MS = 2_500;
const stage = new Stage();
let source: TestServer;
let target: TestServer;
let proxy: Proxy;
let app: TestApp;
/** Whether the target goes away with the first key that gets its name, and since when it is. */
let goesAway = false;
let awaySince = 0;
const isAway = () => awaySince > 0 && performance.now() - awaySince < AWAY_MS;

beforeAll(async () => {
  [source, target] = await Promise.all([stage.side('redis-6.0'), stage.side('redis-8.0')]);
  proxy = await startProxy(target.server.port, (client, server) => {
    if (isAway()) {
      client.destroy();
      return;
    }
    client.on('data', (chunk: Buffer) => {
      server.write(chunk);
      if (!goesAway || awaySince > 0 || !chunk.includes('RENAMENX')) return;
      awaySince = performance.now();
      // The target has taken it by then, and nobody hears of it.
      setTimeout(() => {
        proxy.cut();
      }, 200);
    });
    server.on('data', (chunk) => {
      if (!isAway()) client.write(chunk);
    });
  });
  app = await stage.testApp({ OLD: source, NEW: target }, { REDIS_CUT: proxy.url, KEYFERRY_BIG_KEY_MIB: '0.01' });
});
beforeEach(async () => {
  for (const { client } of [source, target]) await client.flushall();
});
afterAll(async () => {
  await stage.clear();
  await proxy.close();
});

/** Keys that the target has as well, and one that takes longer than a message has time. */
async function fillBoth(): Promise<void> {
  await source.client.eval("for i = 1, ARGV[1] do redis.call('SET', 'key:' .. i, i) end", 0, KEYS);
  await run(app, {});
  const script = "for i = 1, ARGV[1] do redis.call('ZADD', KEYS[1], i / 3, 'member ' .. i) end";
  await source.client.eval(script, 1, 'zset', 150_000);
}

/** Works on all ranges, each message for so many seconds. */
async function workHastily(id: string, rangeSeconds: () => number): Promise<Sum> {
  let worked = 0;
  while (!(await app.ledger.ranges.list(id)).every(isSettled)) {
    for (const message of await app.takeMessages()) {
      await workOnRange(message, { ...app, settings: { ...app.settings, rangeSeconds: rangeSeconds() } });
      worked++;
    }
    // Where something was in the way, the message comes later.
    await sleep(100);
  }
  const sum = await sumOf(app, id);
  await app.ledger.migrations.update(id, (row) => ({ ...row, state: 'cancelled', finishedAt: 'now' }));
  expect(worked).toBeGreaterThan(1);
  return sum;
}

it('keys that were there are conflicts, also where a key behind which they stand took several messages', async () => {
  await fillBoth();
  const { id } = await startMigration(aRequest({ onConflict: 'skip' }), app);
  const sum = await workHastily(id, () => 0.3);
  expect(sum).toMatchObject({ presumedOwn: 0, counts: { copied: 1, skippedByConflict: KEYS } });
});

it('no more keys are told to be the own ones by guess than count as copied', async () => {
  await fillBoth();
  const { id } = await startMigration(aRequest({ onConflict: 'skip' }), app);
  // Of each range one worker has died.
  for (const row of await app.ledger.ranges.list(id)) await app.ledger.ranges.replace({ ...row, wroteAhead: true });
  const sum = await workHastily(id, () => 0.3);
  expect(sum).toMatchObject({ presumedOwn: KEYS, counts: { copied: KEYS + 1, skippedByConflict: 0 } });
});

it('a key whose reply was lost, with the target away until the end of the message, is no conflict', async () => {
  await source.client.set('big', randomBytes(600_000));
  const { id } = await startMigration(aRequest({ onConflict: 'skip', target: 'CUT' }), app);
  goesAway = true;
  const sum = await workHastily(id, () => (awaySince === 0 ? 1.5 : 60));
  expect(await target.client.strlen('big')).toBe(600_000);
  expect(sum).toMatchObject({ presumedOwn: 1, counts: { copied: 1, skippedByConflict: 0 } });
});
