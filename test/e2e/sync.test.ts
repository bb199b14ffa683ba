import type { AppProcess } from '../tools/app-process';
import { fill } from './support/fill';
import { compareServers, Stage, type Side } from '../tools/stage';

const KEYS = 40_000;
const stage = new Stage();
let app: AppProcess;
let old: Side;
let neu: Side;

beforeAll(async () => {
  [old, neu] = [await stage.side('redis-6.0'), await stage.side('redis-8.0')];
  app = await stage.app(stage.connections({ OLD: old, NEW: neu }));
});

afterAll(() => stage.clear());

beforeEach(async () => {
  await old.client.flushall();
  await neu.client.flushall();
});

it('goes on where it was when the app is killed, and leaves both sides the same', async () => {
  await fill(old, KEYS);
  await app.run({ source: 'OLD', target: 'NEW' });
  await fill(old, 500, { prefix: 'new:' });
  for (let i = 0; i < 300; i++) await old.client.del(`key:${i * 7}`);
  await fill(neu, 20, { prefix: 'extra:' });
  const id = await app.migrate({
    source: 'OLD',
    target: 'NEW',
    mode: 'sync',
    deleteExtra: true,
    limits: { keysPerSecond: 8_000, parallelRanges: 2 },
  });
  await app.reportWhen(id, ({ progress }) => progress.percent >= 20);
  await app.kill();
  await app.begin();
  const report = await app.finished(id);
  expect(report).toMatchObject({ state: 'completed', counts: { deleted: 320 } });
  expect((await compareServers(old, neu)).differences).toEqual([]);
});

it('stops deleting when the source is emptied after the plan was made', async () => {
  await fill(old, 20_000);
  await app.run({ source: 'OLD', target: 'NEW' });
  const id = await app.migrate({
    source: 'OLD',
    target: 'NEW',
    mode: 'sync',
    deleteExtra: true,
    limits: { keysPerSecond: 8_000, parallelRanges: 1 },
  });
  await app.reportWhen(id, ({ progress }) => progress.percent >= 20);
  await old.client.flushall();
  const report = await app.finished(id);
  expect(report.state).toBe('failed');
  expect(report.cause).toMatch(/source has lost data: it had 20000 keys and has 0 now/);
  expect(await neu.client.dbsize()).toBe(20_000);
});
