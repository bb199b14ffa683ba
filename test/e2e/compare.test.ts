import { fill } from './support/fill';
import type { AppProcess } from '../tools/app-process';
import { fillForPlanting, plant } from './support/plant';
import { Stage, type Side } from '../tools/stage';

const KEYS = 10_000;
const PLANTED = 200;
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

async function found(id: string): Promise<string[]> {
  return (await app.findings(id)).findings.map(({ code, key }) => `${code} ${key}`).sort();
}

it.each([
  ['6.0', '8.0', 'OLD', 'NEW'],
  ['8.0', '6.0', 'NEW', 'OLD'],
])(
  '200 planted differences of every kind and type are found, and no others: %s to %s',
  async (_a, _b, source, target) => {
    const [from, to] = source === 'OLD' ? [old, neu] : [neu, old];
    await fillForPlanting(from, KEYS);
    expect(await app.run({ source, target })).toMatchObject({ state: 'completed' });
    expect(await app.run({ source, target, mode: 'compare' })).toMatchObject({ state: 'completed', findings: 0 });

    const planted = await plant(to, PLANTED);
    const report = await app.run({ source, target, mode: 'compare' });
    expect(await found(report.id)).toEqual(planted);
    expect(report).toMatchObject({ state: 'completedWithDifferences', mode: 'compare', findings: PLANTED });

    const quick = await app.run({ source, target, mode: 'compare', verify: 'quick' });
    expect(await found(quick.id)).toEqual(planted.filter((line) => !line.startsWith('different-value')));

    const synced = await app.run({ source, target, mode: 'sync', deleteExtra: true });
    expect(synced).toMatchObject({
      state: 'completed',
      counts: { deleted: planted.filter((l) => l.startsWith('extra')).length },
    });
    expect(await app.run({ source, target, mode: 'compare' })).toMatchObject({ state: 'completed', findings: 0 });
  },
);

it('keys in flight settle: a writer that keeps both sides in step makes no findings', async () => {
  await fill(old, 9_000);
  await app.run({ source: 'OLD', target: 'NEW' });
  await old.client.set('truly different', 'x');
  let n = 0;
  const writer = stage.writer(old, async (client) => {
    const writes = Array.from({ length: 20 }, () => [`key:${n++ % 9_000}`, `${n}`] as const).map(
      ([key, value]) => ['set', key, value] as const,
    );
    await client.pipeline(writes.map((write) => [...write])).exec();
    // What a replication in between would do, a moment later.
    await new Promise((resolve) => setTimeout(resolve, 20));
    await neu.client.pipeline(writes.map((write) => [...write])).exec();
  });
  const report = await app.run({ source: 'OLD', target: 'NEW', mode: 'compare' });
  await writer.stop();
  expect(await found(report.id)).toEqual(['missing truly different']);
});

it('goes on where it was when the app is killed, and finds each difference once', async () => {
  await fill(old, 9_000);
  await app.run({ source: 'OLD', target: 'NEW' });
  const planted = await plant(neu, 30);
  const id = await app.migrate({
    source: 'OLD',
    target: 'NEW',
    mode: 'compare',
    limits: { keysPerSecond: 1_800, parallelRanges: 2 },
  });
  await app.reportWhen(id, ({ progress }) => progress.percent >= 20);
  await app.kill();
  await app.begin();
  const report = await app.finished(id);
  expect(await found(id)).toEqual(planted);
  expect(report.findings).toBe(30);
});

it('a copy with verify full compares every value in the end', async () => {
  await fill(old, 2_000);
  const report = await app.run({ source: 'OLD', target: 'NEW', verify: 'full' });
  expect(report).toMatchObject({ state: 'completed', tally: { missing: 0 }, findings: 0 });
});
