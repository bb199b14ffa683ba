import type { MigrationReport } from '../../src/migration/report';
import { until, type AppProcess } from '../tools/app-process';
import { fill } from './support/fill';
import { digest, Stage, type Side } from '../tools/stage';

const stage = new Stage();
let old: Side;
let neu: Side;
let one: AppProcess;
let two: AppProcess;

const KEYS = 300_000;

beforeAll(async () => {
  [old, neu] = [await stage.side('redis-6.0'), await stage.side('redis-7.0')];
  await fill(old, KEYS);
  const { connectionString } = await stage.storage();
  const settings = {
    ...stage.connections({ OLD: old, NEW: neu }),
    AzureWebJobsStorage: connectionString,
    KEYFERRY_CHECKPOINT_SECONDS: '0.5',
    KEYFERRY_SILENCE_SECONDS: '2',
  };
  [one, two] = await Promise.all([stage.app(settings), stage.app(settings)]);
});
afterAll(() => stage.clear());
beforeEach(async () => {
  await neu.client.flushall();
});

const rangesOf = (app: AppProcess) => app.log.split('copyRange: done').length - 1;

it('two hosts on one storage share the ranges of a copy', async () => {
  const { state, progress } = await one.run({ source: 'OLD', target: 'NEW' });
  expect(state).toBe('completed');
  expect(rangesOf(one) + rangesOf(two)).toBeGreaterThanOrEqual(progress.ranges.total);
  for (const app of [one, two]) expect(rangesOf(app)).toBeGreaterThanOrEqual(progress.ranges.total / 4);
  expect(await digest(neu)).toBe(await digest(old));
});

it('goes on when the host is killed that began it and has its tally, and the report never stands still', async () => {
  const limits = { keysPerSecond: 30_000 };
  const id = await one.migrate({ source: 'OLD', target: 'NEW', limits });
  const before = await one.reportWhen(id, ({ progress }) => progress.percent > 15);
  await one.kill();
  const reports: MigrationReport[] = [];
  await until(async () => {
    reports.push(await two.report(id));
    return reports.at(-1)?.finishedAt !== null;
  }, 150_000);
  expect(reports.at(-1)).toMatchObject({ state: 'completed', counts: { copied: KEYS }, tally: { missing: 0 } });
  // Afterwards keys may be looked at again: what the killed host wrote last is in no count.
  const percents = [before, ...reports.filter(({ state }) => state === 'running')].map(
    ({ progress }) => progress.percent,
  );
  expect(percents).toEqual([...percents].sort((a, b) => a - b));
  expect(await digest(neu)).toBe(await digest(old));
  await one.begin();
});
