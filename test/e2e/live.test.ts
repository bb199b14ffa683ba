import type { AppProcess } from '../tools/app-process';
import { fill } from './support/fill';
import { compareServers, Stage, type Side } from '../tools/stage';

const stage = new Stage();
let app: AppProcess;
let old: Side;
let neu: Side;

beforeAll(async () => {
  old = await stage.side('redis-6.0');
  neu = await stage.side('redis-7.0');
  // Small pages, so that the table is rebuilt between many of them.
  app = await stage.app({ ...stage.connections({ OLD: old, NEW: neu }), KEYFERRY_PAGE_MILLISECONDS: '0.2' });
});

afterAll(() => stage.clear());

beforeEach(async () => {
  await old.client.flushall();
  await neu.client.flushall();
});

const STABLE = 60_000;
const stable = (database: number, key: Buffer) =>
  key.toString().startsWith('stable:') ? { database, key } : undefined;

it('keys that stay arrive with their values while a writer makes the table grow', async () => {
  await fill(old, STABLE, { prefix: 'stable:' });
  const id = await app.migrate({ source: 'OLD', target: 'NEW', limits: { keysPerSecond: 12_000 } });
  await app.reportWhen(id, ({ progress }) => progress.percent >= 5);
  let rounds = 0;
  const writer = stage.writer(old, async (client) => {
    if (rounds === 100) return;
    const pipeline = client.pipeline();
    for (let i = 0; i < 800; i++) pipeline.set(`new:${rounds}:${i}`, 'x');
    pipeline.set('stable:changing', rounds++);
    await pipeline.exec();
  });
  const report = await app.finished(id);
  expect(rounds).toBe(100);
  await writer.stop();

  const { findings } = await app.findings(id);
  expect(findings.filter(({ key }) => key.startsWith('stable:'))).toEqual([]);
  expect(report.counts.failed).toBe(0);
  // Keys made behind the walk are not copied, and that is told.
  expect(report.state).toBe('completedWithDifferences');
  expect(report.tally.missing).toBe((await old.client.dbsize()) - (await neu.client.dbsize()));
  await Promise.all([old, neu].map(({ client }) => client.del('stable:changing')));
  expect(await compareServers(old, neu, stable, 'others too')).toEqual({ keys: STABLE, differences: [] });
});

it('keys that stay arrive with their values while the table shrinks', async () => {
  await fill(old, STABLE / 2, { prefix: 'stable:' });
  await fill(old, 4 * STABLE, { prefix: 'doomed:' });
  const id = await app.migrate({ source: 'OLD', target: 'NEW', limits: { keysPerSecond: 30_000 } });
  await app.reportWhen(id, ({ progress }) => progress.percent >= 10);
  let doomed = 4 * STABLE;
  const writer = stage.writer(old, async (client) => {
    if (doomed === 0) return;
    const keys = Array.from({ length: Math.min(2_000, doomed) }, () => `doomed:${--doomed}`);
    await client.unlink(...keys);
  });
  const report = await app.finished(id);
  expect(doomed).toBe(0);
  await writer.stop();
  const { findings } = await app.findings(id);
  expect(findings).toEqual([]);
  expect(report).toMatchObject({ state: 'completed', counts: { failed: 0 } });
  expect(await compareServers(old, neu, stable, 'others too')).toEqual({ keys: STABLE / 2, differences: [] });
});

it('keys that expire by the thousand on the way are counted, and none lives on', async () => {
  const lasting = 5_000;
  const fleeting = 20_000;
  await fill(old, lasting, { prefix: 'lasting:' });
  for (let i = 0; i < 10; i++) {
    await fill(old, fleeting / 10, { prefix: `fleeting:${i}:`, ttl: 1_000 + i * 400 });
  }
  const report = await app.run({ source: 'OLD', target: 'NEW', limits: { keysPerSecond: 6_000 } });
  expect(report).toMatchObject({ state: 'completed', findings: 0, counts: { failed: 0 }, tally: { missing: 0 } });
  const { scanned, repeats, copied, expired } = report.counts;
  expect(copied + expired).toBe(scanned - repeats);
  expect(copied).toBeGreaterThanOrEqual(lasting);
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  expect((await neu.client.keys('*')).length).toBe(lasting);
  expect(await compareServers(old, neu)).toEqual({ keys: lasting, differences: [] });
});
