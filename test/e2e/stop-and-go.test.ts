import type { AppProcess } from '../tools/app-process';
import { until } from '../tools/app-process';
import { fill } from './support/fill';
import { compareServers, Stage, type Side } from '../tools/stage';
import { lengthOf, queueOf } from './support/storage';

const stage = new Stage();
let app: AppProcess;
let old: Side;
let neu: Side;
let third: Side;

const KEYS = 30_000;

beforeAll(async () => {
  old = await stage.side('redis-6.0');
  neu = await stage.side('redis-7.0');
  third = await stage.side('redis-7.0');
  await fill(old, KEYS);
  app = await stage.app({
    ...stage.connections({ OLD: old, NEW: neu, THIRD: third }),
    KEYFERRY_CHECKPOINT_SECONDS: '1',
    KEYFERRY_SILENCE_SECONDS: '5',
  });
});

afterAll(() => stage.clear());

beforeEach(async () => {
  await Promise.all([neu, third].map(({ client }) => client.flushall()));
});

it('a cancelled migration ends within seconds, and its target is free for the next', async () => {
  const id = await app.migrate({ source: 'OLD', target: 'NEW', limits: { keysPerSecond: 500 } });
  await app.reportWhen(id, ({ progress }) => progress.ranges.active > 0);
  const cancelled = await app.request('DELETE', `/api/migrations/${id}`);
  expect(cancelled).toMatchObject({ status: 202, body: { id } });
  const report = await app.finished(id, 15_000);
  expect(report).toMatchObject({ state: 'cancelled', tally: { verdict: 'cancelled' } });
  expect(report.counts.scanned).toBeLessThan(KEYS);
  expect(await app.request('DELETE', `/api/migrations/${id}`)).toMatchObject({
    status: 202,
    body: { state: 'cancelled' },
  });
  const written = await neu.client.dbsize();

  expect(await app.run({ source: 'OLD', target: 'NEW' })).toMatchObject({ state: 'completed' });
  expect(written).toBeLessThan(KEYS);
  expect(await compareServers(old, neu)).toEqual({ keys: KEYS, differences: [] });
  const list = await app.request<{ migrations: { id: string; state: string }[] }>('GET', '/api/migrations');
  expect(list.body.migrations.map(({ state }) => state)).toEqual(['completed', 'cancelled']);
});

it('lost messages and lost tallies are found by the watchdog, and the migrations go on', async () => {
  const limits = { keysPerSecond: 3_000, parallelRanges: 2 };
  const tallyLost = await app.migrate({ source: 'OLD', target: 'NEW', limits });
  const messagesLost = await app.migrate({ source: 'OLD', target: 'THIRD', limits: { keysPerSecond: 4_000 } });
  const instance = `/runtime/webhooks/durabletask/instances/${tallyLost}`;
  expect(await app.request('POST', `${instance}/terminate?reason=test`)).toMatchObject({ status: 202 });
  await until(async () => (await app.request('DELETE', instance)).status === 200);

  // Between two lives of the app, when no worker holds anything.
  await app.kill();
  const queue = queueOf(app, 'ranges');
  await queue.clearMessages();
  expect(await lengthOf(queue)).toBe(0);
  await app.begin();

  const both = Promise.all([app.finished(tallyLost, 240_000), app.finished(messagesLost, 240_000)]);
  const [first, second] = await app.fireUntil(both, 'watchdog');
  for (const report of [first, second]) {
    expect(report).toMatchObject({ state: 'completed', counts: { copied: KEYS }, tally: { accountedKeys: KEYS } });
  }
  expect(await compareServers(old, neu)).toEqual({ keys: KEYS, differences: [] });
  expect(await compareServers(old, third)).toEqual({ keys: KEYS, differences: [] });
});
