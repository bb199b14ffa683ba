import { run } from '../tools/modes';
import { makeTestApp, type TestApp } from '../tools/test-app';
import { startTestServer, type TestServer } from '../tools/test-server';
import { startTestStorage, type TestStorage } from '../tools/test-storage';

jest.setTimeout(120_000);

const KEYS = 8_000;
let storage: TestStorage;
let source: TestServer;
let target: TestServer;
let app: TestApp;

beforeAll(async () => {
  [storage, source, target] = await Promise.all([
    startTestStorage(),
    startTestServer('redis-8.0'),
    startTestServer('redis-6.0'),
  ]);
  await source.client.eval("for i = 1, ARGV[1] do redis.call('SET', 'key:' .. i, i) end", 0, KEYS);
  app = await makeTestApp({
    AzureWebJobsStorage: storage.connectionString,
    REDIS_OLD: source.server.url,
    REDIS_NEW: target.server.url,
    KEYFERRY_RANGE_SECONDS: '0.7',
  });
}, 120_000);
afterAll(async () => {
  app.connections.close();
  await Promise.all([source.close(), target.close(), storage.close()]);
});

it('a page that a deadline stops in the middle is written by the next worker, whatever became of the page behind it', async () => {
  for (let round = 0; round < 3; round++) {
    await target.client.flushall();
    const { report } = await run(app, { verify: 'none' });
    expect(report).toMatchObject({ state: 'completed', counts: { copied: KEYS } });
    expect(await target.client.dbsize()).toBe(KEYS);
  }
});

it('a comparison, and a sync that deletes, get to their end with messages shorter than their second look', async () => {
  await run(app, { verify: 'none' });
  await target.client.del('key:1', 'key:4000');
  await target.client.set('key:2', 'other');
  await target.client.set('extra', 'x');
  expect((await run(app, { mode: 'compare' })).report).toMatchObject({
    state: 'completedWithDifferences',
    tally: { missing: 2 },
    counts: { different: 1, extra: 1, same: KEYS - 3 },
  });
  expect((await run(app, { mode: 'sync', deleteExtra: true })).report).toMatchObject({
    state: 'completed',
    counts: { copied: 3, deleted: 1 },
  });
});
