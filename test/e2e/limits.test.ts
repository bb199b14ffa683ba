import { randomBytes } from 'node:crypto';
import type { MigrationReport } from '../../src/migration/report';
import type { AppProcess } from '../tools/app-process';
import { fill } from './support/fill';
import { compareServers, Stage, type Side } from '../tools/stage';

const stage = new Stage();
let old: Side;
let neu: Side;
let app: AppProcess;

beforeAll(async () => {
  [old, neu] = [await stage.side('redis-6.0'), await stage.side('redis-7.0')];
  app = await stage.app({
    ...stage.connections({ OLD: old, NEW: neu }),
    KEYFERRY_RANGE_SECONDS: '4',
    KEYFERRY_BIG_KEY_MIB: '1',
    KEYFERRY_CHECKPOINT_SECONDS: '1',
  });
});
afterAll(() => stage.clear());
beforeEach(async () => {
  await Promise.all([old, neu].map(({ client }) => client.flushall()));
});

function secondsOf({ startedAt, finishedAt }: MigrationReport): number {
  return (Date.parse(finishedAt ?? '') - Date.parse(startedAt)) / 1_000;
}

describe('bytesPerSecond', () => {
  it('holds where one value takes longer than a message may, and the work gets on', async () => {
    for (let i = 0; i < 24; i++) await old.client.set(`large:${i}`, randomBytes(300_000));
    // Each of 8 lanes has 25,000 a second: 12 s a value, with messages of 4 s.
    const report = await app.run({ source: 'OLD', target: 'NEW', limits: { bytesPerSecond: 200_000 } });
    expect(report).toMatchObject({ state: 'completed', counts: { copied: 24 } });
    expect(secondsOf(report)).toBeGreaterThan(12);
    expect(await compareServers(old, neu)).toEqual({ keys: 24, differences: [] });
  });

  it('holds for big keys, which go by commands', async () => {
    const pipeline = old.client.pipeline();
    for (let i = 0; i < 8 * 2_400; i++) pipeline.rpush(`big:${i % 8}`, randomBytes(500));
    await pipeline.exec();
    const report = await app.run({
      source: 'OLD',
      target: 'NEW',
      verify: 'none',
      limits: { bytesPerSecond: 1_500_000, parallelRanges: 1 },
    });
    expect(report).toMatchObject({ state: 'completed', counts: { copied: 8 } });
    // 9.6 MB; what the last page takes is not waited for.
    expect(secondsOf(report)).toBeGreaterThan(2.5);
    expect(await compareServers(old, neu)).toEqual({ keys: 8, differences: [] });
  });
});

it('what one range owes is paid off by the next one in its lane', async () => {
  await fill(old, 30_000);
  const limits = { keysPerSecond: 6_000, parallelRanges: 1 };
  const report = await app.run({ source: 'OLD', target: 'NEW', limits });
  expect(report).toMatchObject({ state: 'completed', counts: { copied: 30_000 } });
  expect(secondsOf(report)).toBeGreaterThan(4.5);
});

describe('maxSourceLatencyMs', () => {
  it.each(['copy', 'dry-run', 'sync', 'compare'] as const)('is no hindrance to %s', async (mode) => {
    await fill(old, 4_000);
    if (mode === 'compare') await app.run({ source: 'OLD', target: 'NEW' });
    const select = { match: ['key:*'], types: ['string', 'hash'] };
    const report = await app.run({ mode, source: 'OLD', target: 'NEW', select, limits: { maxSourceLatencyMs: 0.5 } });
    expect(report).toMatchObject({ state: 'completed', counts: { scanned: 4_000 } });
  });
});
