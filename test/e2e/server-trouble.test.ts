import { setTimeout as sleep } from 'node:timers/promises';
import type { AppProcess } from '../tools/app-process';
import { until } from '../tools/app-process';
import { fill } from './support/fill';
import { compareServers, callsOf, Stage, type Side } from '../tools/stage';

const KEYS = 30_000;
/** Keeps its data over a restart that is ordered. */
const PERSISTENT = ['--save', '3600 1'];

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

afterEach(() => stage.clear());

async function start(sides: Record<'OLD' | 'NEW', Side>): Promise<AppProcess> {
  return stage.app({ ...stage.connections(sides), KEYFERRY_CHECKPOINT_SECONDS: '1' });
}

describe('a target that is full', () => {
  const full = new Stage();
  const targets = ['redis-6.0', 'redis-7.0', 'redis-8.0', 'valkey-8.1'] as const;
  const nameOf = (version: string) => version.replace(/\W/g, '_').toUpperCase();
  const sides: Record<string, Side> = {};
  let app: AppProcess;

  beforeAll(async () => {
    sides.OLD = await full.side('redis-6.0');
    for (const version of targets) sides[nameOf(version)] = await full.side(version);
    await fill(sides.OLD, KEYS);
    app = await full.app(full.connections(sides));
  });

  afterAll(() => full.clear());

  it.each(targets)('(%s) is waited for, with a warning, until there is room', async (version) => {
    const target = nameOf(version);
    const { client } = sides[target]!;
    const used = Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]);
    await client.config('SET', 'maxmemory-policy', 'noeviction');
    await client.config('SET', 'maxmemory', used + 1_500_000);
    const id = await app.migrate({ source: 'OLD', target });

    const waiting = await app.reportWhen(id, ({ warnings }) => warnings.join().includes('out of memory'));
    expect(waiting.state).toBe('running');
    const before = await client.dbsize();
    expect(before).toBeGreaterThan(0);
    await sleep(2_500);
    expect(await app.report(id)).toMatchObject({ finishedAt: null });
    await client.config('SET', 'maxmemory', 0);

    const report = await app.finished(id);
    expect(report).toMatchObject({ state: 'completed', findings: 0, counts: { copied: KEYS, failed: 0 } });
    expect(report.warnings.join()).not.toMatch(/out of memory|is full/);
    expect(await compareServers(sides.OLD!, sides[target]!)).toEqual({ keys: KEYS, differences: [] });
  });
});

describe('a server that restarts', () => {
  it('as the source makes the ranges begin anew, with a warning, and all keys arrive', async () => {
    const sides = { OLD: await stage.side('redis-7.0', { args: PERSISTENT }), NEW: await stage.side('redis-7.0') };
    await fill(sides.OLD, KEYS);
    const app = await start(sides);
    const id = await app.migrate({ source: 'OLD', target: 'NEW', limits: { keysPerSecond: 8_000 } });
    await app.reportWhen(id, ({ progress }) => progress.percent > 30);
    await sides.OLD.server.restart('SIGTERM');
    const report = await app.finished(id);
    expect(report).toMatchObject({
      state: 'completed',
      findings: 0,
      counts: { copied: KEYS, failed: 0 },
      tally: { accountedKeys: KEYS, missing: 0 },
    });
    expect(report.warnings.join()).toMatch(/source restarted/i);
    expect(await callsOf(sides.NEW, 'restore')).toBeGreaterThan(KEYS);
    expect(await compareServers(sides.OLD, sides.NEW)).toEqual({ keys: KEYS, differences: [] });
  });

  it('as the target with its data is waited for', async () => {
    const sides = { OLD: await stage.side('redis-7.0'), NEW: await stage.side('redis-7.0', { args: PERSISTENT }) };
    await fill(sides.OLD, KEYS);
    const app = await start(sides);
    const id = await app.migrate({ source: 'OLD', target: 'NEW', limits: { keysPerSecond: 10_000 } });
    await app.reportWhen(id, ({ progress }) => progress.percent > 30);
    await sides.NEW.server.restart('SIGTERM');
    expect(await app.finished(id)).toMatchObject({ state: 'completed', findings: 0, counts: { copied: KEYS } });
    expect(await compareServers(sides.OLD, sides.NEW)).toEqual({ keys: KEYS, differences: [] });
  });

  it('as the target, away for a while and then without its data, is told by name, and so is what it lost', async () => {
    const sides = { OLD: await stage.side('redis-7.0'), NEW: await stage.side('redis-7.0') };
    await fill(sides.OLD, KEYS);
    const app = await start(sides);
    const id = await app.migrate({ source: 'OLD', target: 'NEW', limits: { keysPerSecond: 10_000 } });
    await app.reportWhen(id, ({ progress }) => progress.percent > 30);
    process.kill(sides.NEW.server.pid, 'SIGKILL');
    const away = await app.reportWhen(id, ({ warnings }) => warnings.length > 0);
    expect(away.warnings.join()).toMatch(/"NEW"/);
    await sides.NEW.server.restart();
    const report = await app.finished(id);
    const missing = KEYS - (await sides.NEW.client.dbsize());
    expect(missing).toBeGreaterThan(0);
    expect(report).toMatchObject({ state: 'completedWithDifferences', findings: missing, tally: { missing } });
  });
});

it('a replica that takes no writes is a source like any other, and no target', async () => {
  const master = await stage.side('redis-7.0');
  const replica = await stage.side('redis-7.0', { args: ['--replicaof', '127.0.0.1', String(master.server.port)] });
  const target = await stage.side('redis-7.0');
  await fill(master, 5_000);
  await until(async () => (await replica.client.dbsize()) === 5_000);
  const app = await start({ OLD: replica, NEW: target });
  const report = await app.run({ source: 'OLD', target: 'NEW' });
  expect(report).toMatchObject({ state: 'completed', counts: { copied: 5_000 } });
  expect(report.warnings.join()).toMatch(/replica/);
  expect(await compareServers(replica, target)).toEqual({ keys: 5_000, differences: [] });
  const refused = await app.refused({ source: 'NEW', target: 'OLD' });
  expect(refused).toMatchObject({ status: 400, body: { error: { code: 'targetIsReplica' } } });
});
