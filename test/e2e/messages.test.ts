import { setTimeout as sleep } from 'node:timers/promises';
import { type AppProcess, retriedAtOnce, until } from '../tools/app-process';
import { fill } from './support/fill';
import { compareServers, Stage, type Side } from '../tools/stage';
import { lengthOf, queueOf, send } from './support/storage';

const stage = new Stage();
let app: AppProcess;
let old: Side;
let neu: Side;

const KEYS = 30_000;
const RANGES = 5;
const names = Array.from({ length: RANGES }, (_, i) => `copy-0000${i}`);

beforeAll(async () => {
  old = await stage.side('redis-7.0');
  neu = await stage.side('redis-7.0');
  await fill(old, KEYS - 500);
  await fill(old, 500, { database: 2 });
  await old.client.call('ACL', 'SETUSER', 'reader', 'on', '>reading', '~*', '&*', '+@all');
  app = await stage.app({
    ...stage.connections({ OLD: old, NEW: neu }),
    ...retriedAtOnce,
    REDIS_READER: `redis://reader:reading@127.0.0.1:${old.server.port}`,
  });
});

afterAll(() => stage.clear());

beforeEach(async () => {
  await neu.client.flushall();
});

const whole = {
  state: 'completed',
  findings: 0,
  counts: { copied: KEYS, failed: 0 },
  tally: { accountedKeys: KEYS, missing: 0 },
  progress: { ranges: { total: RANGES, done: RANGES, failed: 0 } },
} as const;

describe('messages delivered more than once', () => {
  it('all twice and at the same time count once', async () => {
    const id = await app.migrate({ source: 'OLD', target: 'NEW', limits: { keysPerSecond: 8_000 } });
    const queue = queueOf(app, 'ranges');
    for (let round = 0; round < 2; round++) {
      await Promise.all(names.map((range) => send(queue, { migration: id, range })));
      await sleep(700);
    }
    const report = await app.finished(id);
    expect(report).toMatchObject(whole);
    expect(report.counts.scanned - report.counts.repeats).toBe(KEYS);
    expect(await compareServers(old, neu)).toEqual({ keys: KEYS, differences: [] });
  });

  it('again and again while the ranges are at work do not keep them from ending', async () => {
    const id = await app.migrate({ source: 'OLD', target: 'NEW', limits: { keysPerSecond: 15_000 } });
    const queue = queueOf(app, 'ranges');
    for (let round = 0; round < 8; round++) {
      await Promise.all(names.map((range) => send(queue, { migration: id, range })));
      await sleep(150);
    }
    const report = await app.finished(id);
    expect(report).toMatchObject(whole);
    expect(await compareServers(old, neu)).toEqual({ keys: KEYS, differences: [] });
  });

  it('late, after the end, change nothing', async () => {
    const report = await app.run({ source: 'OLD', target: 'NEW' });
    await neu.client.del('key:1', 'key:2');
    const queue = queueOf(app, 'ranges');
    await Promise.all(names.map((range) => send(queue, { migration: report.id, range })));
    await until(async () => (await lengthOf(queue)) === 0);
    expect(await app.report(report.id)).toEqual(report);
    expect(await neu.client.exists('key:1', 'key:2')).toBe(0);
  });
});

describe('messages that cannot be worked on', () => {
  beforeAll(async () => {
    // They are tried again at the same time as what the first test does.
    const queue = queueOf(app, 'ranges');
    await queue.sendMessage('%%% not base64 %%%');
    await send(queue, 'not JSON');
    await send(queue, { migration: 5 });
  });

  it('for a right that was taken away, fail the migration with the cause', async () => {
    const id = await app.migrate({ source: 'READER', target: 'NEW', limits: { keysPerSecond: 4_000 } });
    await app.reportWhen(id, ({ counts }) => counts.copied > 0 || counts.scanned > 0);
    await old.client.call('ACL', 'SETUSER', 'reader', '-dump', '-scan');
    const report = await app.finished(id);
    await old.client.call('ACL', 'SETUSER', 'reader', '+@all');
    expect(report).toMatchObject({ state: 'failed', tally: { verdict: 'failed' } });
    expect(report.progress.ranges.failed).toBeGreaterThan(0);
    expect(report.progress.percent).toBeLessThan(100);
    expect(report.cause).toMatch(/READER/);
    expect(report.cause).toMatch(/may not run/);
    expect(report.cause).not.toMatch(/reading|127\.0\.0\.1/);
    // The next one is not held up by it.
    expect(await app.run({ source: 'READER', target: 'NEW' })).toMatchObject({ state: 'completed' });
    expect(await compareServers(old, neu)).toEqual({ keys: KEYS, differences: [] });
  });

  it('because they are none, come to rest and disturb nobody', async () => {
    const queue = queueOf(app, 'ranges');
    const id = await app.migrate({ source: 'OLD', target: 'NEW' });
    await send(queue, { migration: 'none-such', range: 'copy-00000' });
    await send(queue, { migration: "x' or '1' eq '1", range: '../..' });
    await send(queue, { migration: id, range: 'copy-99999' });
    expect(await app.finished(id)).toMatchObject(whole);
    // Tried five times, then told and dropped. What is not even base64 reaches no function, and stays: there is no poison queue
    // for a poison queue.
    for (const [name, left] of [
      ['ranges', 0],
      ['ranges-poison', 1],
    ] as const) {
      await until(async () => (await lengthOf(queueOf(app, name))) === left, 120_000);
    }
    expect(await lengthOf(queueOf(app, 'ranges-poison-poison'))).toBe(0);
  });
});
