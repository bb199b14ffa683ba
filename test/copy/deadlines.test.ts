import { run } from '../tools/modes';
import { Stage } from '../tools/stage';
import type { TestApp } from '../tools/test-app';
import type { TestServer } from '../tools/test-server';

const KEYS = 8_000;
const stage = new Stage();
let source: TestServer;
let target: TestServer;
let app: TestApp;

beforeAll(async () => {
  [source, target] = await Promise.all([stage.side('redis-8.0'), stage.side('redis-6.0')]);
  await source.client.eval("for i = 1, ARGV[1] do redis.call('SET', 'key:' .. i, i) end", 0, KEYS);
  app = await stage.testApp(
    { OLD: source, NEW: target },
    {
      KEYFERRY_RANGE_SECONDS: '0.7',
    },
  );
});
afterAll(() => stage.clear());

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
