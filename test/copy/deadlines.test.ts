import { parseMigrationRequest } from '../../src/migration/request';
import { cancelMigration } from '../../src/api/cancel-migration';
import { startMigration } from '../../src/start/start-migration';
import { visitMigration } from '../../src/tally/tally-visit';
import { workOnRange } from '../../src/work/range-worker';
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

describe('what needs longer than a message', () => {
  const MEMBERS = 40_000;
  let slow: TestApp;
  let big: TestServer;

  beforeAll(async () => {
    big = await stage.side('redis-7.0');
    const fill = `for i = 1, ARGV[1] do
      redis.call('ZADD', KEYS[1], i / 3, 'member ' .. i)
      redis.call('RPUSH', KEYS[2], 'member ' .. i)
      redis.call('HSET', KEYS[3], 'field ' .. i, i)
    end`;
    for (let at = 0; at < 3; at++)
      await big.client.eval(fill, 3, `zset ${at}`, `list ${at}`, `hash ${at}`, String(MEMBERS));
    slow = await stage.testApp(
      { OLD: big, NEW: target },
      { KEYFERRY_RANGE_SECONDS: '0.5', KEYFERRY_BIG_KEY_MIB: '0.01' },
    );
  });
  beforeEach(async () => {
    await target.client.flushall();
    await big.client.config('RESETSTAT');
  });

  const generations = async (id: string) => (await slow.ledger.ranges.list(id)).map(({ generation }) => generation);
  const calls = async (command: string) =>
    Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await big.client.info('commandstats'))?.[1] ?? 0);

  it.each(['copy', 'sync'])(
    'inside a key, and inside a page, is gone on with by the next message (%s)',
    async (mode) => {
      const { report, findings } = await run(slow, { mode, verify: mode === 'copy' ? 'none' : 'count' });
      expect(findings).toEqual([]);
      expect(report).toMatchObject({ state: 'completed', counts: { scanned: 9, repeats: 0 } });
      expect(report.counts.copied + report.counts.same).toBe(9);
      expect(Math.max(...(await generations(report.id)))).toBeGreaterThan(1);
      // Twice what reading and looking again take in one go: nothing is done over and over.
      expect(await calls('zscan')).toBeLessThan(((3 * MEMBERS) / 500) * 2 * 2);
      const digest = async ({ client }: TestServer) => [
        ...(await Promise.all([0, 1, 2].map((at) => client.call('ZRANGE', `zset ${at}`, '0', '-1', 'WITHSCORES')))),
        ...(await Promise.all([0, 1, 2].map((at) => client.lrange(`list ${at}`, 0, -1)))),
        ...(await Promise.all([0, 1, 2].map((at) => client.hgetall(`hash ${at}`)))),
      ];
      expect(await digest(target)).toEqual(await digest(big));
      expect(await target.client.dbsize()).toBe(9);
    },
  );

  it.each([{}, { keysPerSecond: 5_000 }])(
    'and has no room for all of the key, brings nothing forward by doing the same again (limits %j)',
    async (limits) => {
      const used = Number(/used_memory:(\d+)/.exec(await target.client.info('memory'))?.[1]);
      await target.client.config('SET', 'maxmemory', String(used + 400_000));
      try {
        const request = parseMigrationRequest({ source: 'OLD', target: 'NEW', verify: 'none', limits });
        const { id } = await startMigration(request, slow);
        const progress: number[] = [];
        let messages = await slow.takeMessages();
        for (let round = 0; round < 80 && (round < 4 || new Set(progress.slice(-4)).size > 1); round++) {
          await Promise.all(messages.map((each) => workOnRange(each, slow)));
          progress.push((await slow.ledger.ranges.list(id)).reduce((sum, row) => sum + row.progress, 0));
          // Those that met trouble wait for some seconds in the queue.
          const sent = await slow.takeMessages();
          if (sent.length > 0) messages = sent;
        }
        const [row] = await slow.ledger.ranges.list(id);
        expect(row?.trouble).toMatch(/out of memory/);
        expect(progress[0]).toBeGreaterThan(0);
        expect(new Set(progress.slice(-4)).size).toBe(1);
        await cancelMigration(id, slow);
        await Promise.all(messages.map((each) => workOnRange(each, slow)));
        while ((await visitMigration(id, slow))?.finished === false);
      } finally {
        await target.client.config('SET', 'maxmemory', '0');
      }
    },
  );
});
