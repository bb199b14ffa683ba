import { setTimeout as sleep } from 'node:timers/promises';
import { until, type AppProcess } from '../tools/app-process';
import { fill } from './support/fill';
import { compareServers, callsOf, Stage, type Side } from '../tools/stage';

const stage = new Stage();
let app: AppProcess;
let old: Side;
let neu: Side;

const KEYS = 60_000;
const RATE = 5_000;
const CHECKPOINT_S = 0.5;
const KILLS = 6;

beforeAll(async () => {
  old = await stage.side('redis-6.0');
  neu = await stage.side('redis-7.0');
  await fill(old, KEYS - 1_000);
  await fill(old, 1_000, { database: 4 });
  app = await stage.app({
    ...stage.connections({ OLD: old, NEW: neu }),
    KEYFERRY_CHECKPOINT_SECONDS: String(CHECKPOINT_S),
    KEYFERRY_SILENCE_SECONDS: '2',
  });
});

afterAll(() => stage.clear());

it(`a migration whose app is killed ${KILLS} times loses nothing and repeats little`, async () => {
  const id = await app.migrate({ source: 'OLD', target: 'NEW', limits: { keysPerSecond: RATE } });
  const percents: number[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    // When the ranges have gone on: their messages are leased, and the tally is locked.
    await app.reportWhen(id, ({ progress }) => progress.percent > (percents.at(-1) ?? 0));
    await sleep(Math.random() * 600);
    await app.kill();
    await app.begin();
    const { finishedAt, progress } = await app.report(id);
    expect(finishedAt).toBeNull();
    percents.push(progress.percent);
  }
  const report = await app.finished(id, 180_000);

  expect(report).toMatchObject({
    state: 'completed',
    findings: 0,
    counts: { copied: KEYS, failed: 0, expired: 0 },
    tally: { sourceKeys: KEYS, accountedKeys: KEYS, targetKeys: KEYS, missing: 0 },
  });
  expect(report.counts.scanned - report.counts.repeats).toBe(KEYS);
  expect(percents).toEqual([...percents].sort((a, b) => a - b));
  expect(await compareServers(old, neu)).toEqual({ keys: KEYS, differences: [] });
  // What was written since the last checkpoint, and the pages under way, at each kill.
  const writtenTwice = (await callsOf(neu, 'restore')) - KEYS;
  expect(writtenTwice).toBeLessThan(KILLS * RATE * (CHECKPOINT_S + 2));
});

it('an app that ends in order hands over and goes on', async () => {
  await neu.client.flushall();
  await neu.client.config('RESETSTAT');
  const id = await app.migrate({ source: 'OLD', target: 'NEW', limits: { keysPerSecond: 3 * RATE } });
  await app.reportWhen(id, ({ progress }) => progress.percent > 20);
  await app.stop();
  await app.begin();
  expect(await app.finished(id)).toMatchObject({ state: 'completed', counts: { copied: KEYS } });
  expect(await compareServers(old, neu)).toEqual({ keys: KEYS, differences: [] });
});

it('an app killed again and again while it builds a big list leaves nothing of it behind', async () => {
  await Promise.all([old.client.flushall(), neu.client.flushall()]);
  const element = Buffer.alloc(1_000, 'x');
  for (let i = 0; i < 60; i++) await old.client.rpush('big', ...Array.from({ length: 1_000 }, () => element));
  // Slowly, so that no worker has done before it is killed.
  const limits = { bytesPerSecond: 15_000_000 };
  const id = await app.migrate({ source: 'OLD', target: 'NEW', limits });
  const standing = async () => (await neu.client.keys('keyferry:temporary:*')).sort();
  let before: string[] = [];
  let left = 0;
  for (let kill = 0; kill < 3; kill++) {
    // Until the next worker builds: in the place of the one before, whose key it removes first.
    await until(async () => (await standing()).some((key) => !before.includes(key)), 120_000);
    await app.kill();
    before = await standing();
    left += before.length;
    for (const key of before) expect(await neu.client.pttl(key)).toBeGreaterThan(0);
    expect(before.length).toBeLessThanOrEqual(1);
    await app.begin();
  }
  expect(await app.finished(id, 180_000)).toMatchObject({
    state: 'completed',
    counts: { copied: 1 },
    tally: { targetKeys: 1, missing: 0 },
  });
  expect(left).toBeGreaterThan(0);
  expect(await standing()).toEqual([]);
  expect(await compareServers(old, neu)).toEqual({ keys: 1, differences: [] });
});
