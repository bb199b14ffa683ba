import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ajv2020 } from 'ajv/dist/2020';
import { z } from 'zod';
import type { MigrationReport } from '../../src/migration/report';
import { surveyReportSchema } from '../../src/survey/report-schema';
import type { SurveyReport } from '../../src/survey/report-schema';
import type { ErrorDocument } from '../../src/api/documents';
import type { AppProcess } from '../tools/app-process';
import { fill } from './support/fill';
import { callsOf, digest, Stage, type Side } from '../tools/stage';

const snapshot = path.resolve(__dirname, '../fixtures/redis-4.0.14.rdb');
const KEYS = 18_270;

const stage = new Stage();
let folder: string;
let app: AppProcess;
let sides: Record<'OLD6' | 'OLD8' | 'MANY' | 'NEW6' | 'NEW8' | 'ONE', Side>;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'keyferry-dry-run-'));
  await copyFile(snapshot, path.join(folder, 'dump.rdb'));
  const loaded = { dataFolder: folder, rdb: 'dump.rdb' };
  sides = {
    OLD6: await stage.side('redis-6.0', loaded),
    OLD8: await stage.side('redis-8.0'),
    MANY: await stage.side('redis-7.0'),
    NEW6: await stage.side('redis-6.0', { args: ['--maxmemory', '20mb'] }),
    NEW8: await stage.side('redis-8.0'),
    ONE: await stage.side('redis-7.0', { args: ['--databases', '1'] }),
  };
  await sides.MANY.client.call('ACL', 'SETUSER', 'plain', 'on', '>pw', '~*', '&*', '+@all', '-@scripting', '-memory');
  app = await stage.app({
    ...stage.connections(sides),
    REDIS_MANY_PLAIN: `redis://plain:pw@127.0.0.1:${sides.MANY.server.port}`,
    KEYFERRY_CHECKPOINT_SECONDS: '0.3',
    KEYFERRY_BIG_KEY_MIB: '1',
  });
});

beforeEach(async () => {
  for (const side of [sides.NEW6, sides.NEW8, sides.ONE]) {
    await side.client.flushall();
    await side.client.config('RESETSTAT');
  }
});

afterAll(async () => {
  await stage.clear();
  await rm(folder, { recursive: true, force: true });
});

async function reportOf(id: string): Promise<SurveyReport> {
  const { status, body } = await app.request<SurveyReport>('GET', `/api/migrations/${id}/report`);
  expect(status).toBe(200);
  const validate = new Ajv2020({ strict: false, allErrors: true }).compile(z.toJSONSchema(surveyReportSchema));
  validate(body);
  expect(validate.errors ?? []).toEqual([]);
  return body;
}

async function dryRun(body: object): Promise<{ migration: MigrationReport; report: SurveyReport }> {
  const migration = await app.run({ mode: 'dry-run', ...body });
  return { migration, report: await reportOf(migration.id) };
}

function byName(amounts: readonly { readonly keys: number }[], name: (one: never) => string | number): object {
  return Object.fromEntries(amounts.map((one) => [name(one as never), one.keys]));
}

it('tells all about the Redis 4 snapshot, and writes nothing', async () => {
  const before = await digest(sides.OLD6);

  const { migration, report } = await dryRun({ source: 'OLD6', target: 'NEW8' });

  expect(migration).toMatchObject({
    mode: 'dry-run',
    state: 'completed',
    findings: 0,
    counts: { copied: KEYS, expired: 0, failed: 0 },
    tally: { accountedKeys: KEYS, missing: null },
  });
  expect(report).toMatchObject({
    state: 'completed',
    complete: true,
    bytesAre: 'memory',
    total: { keys: KEYS },
    outcome: { copied: { keys: KEYS }, existing: { keys: 0 }, renamed: { keys: 0 }, expired: 0 },
    obstacles: [],
    memory: { limit: null, fits: null },
    time: { basis: 'read' },
  });
  expect(byName(report.databases, ({ database }: { database: number }) => database)).toEqual({
    0: 17_269,
    1: 700,
    5: 300,
    15: 1,
  });
  expect(byName(report.types, ({ type }: { type: string }) => type)).toEqual({
    string: 11_218,
    hash: 3_144,
    list: 1_502,
    set: 1_203,
    zset: 1_203,
  });
  expect(report.expiries.filter(({ keys }) => keys > 0)).toMatchObject([
    { from: null, to: null, keys: 13_680 },
    { from: 31_536_000, to: null, keys: 4_590 },
  ]);
  expect(report.types.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(report.total.bytes);
  expect(report.sizes.reduce((sum, { keys }) => sum + keys, 0)).toBe(KEYS);
  expect(report.largestKeys).toHaveLength(50);
  const largest = report.largestKeys.slice(0, 3).map(({ key }) => key);
  expect(largest.sort()).toEqual(['big:hash', 'big:string', 'big:zset']);
  expect(report.prefixes.find(({ key }) => key === 'user:')).toMatchObject({ keys: 9_000, depth: 0 });
  expect(report.prefixes.find(({ key }) => key === 'big:set:')).toMatchObject({ keys: 2, depth: 1 });
  expect(await digest(sides.OLD6)).toBe(before);
  expect(await sides.NEW8.client.info('keyspace')).not.toContain('db0');
});

it('foresees what a copy does: what is there already, other names, what a filter leaves out, big keys', async () => {
  for (const [key, value] of [
    ['new:user:329:profile', 'x'],
    ['new:user:3393:profile', 'x'],
    ['unrelated', 'x'],
  ] as const)
    await sides.NEW8.client.set(key, value);
  const request = {
    source: 'OLD6',
    target: 'NEW8',
    databases: [0],
    select: { match: ['user:*', 'big:*'] },
    rename: [{ from: '^user:', to: 'new:user:' }],
  };

  const replacing = await dryRun(request);
  const skipping = await dryRun({ ...request, onConflict: 'skip' });
  const failing = await dryRun({ ...request, onConflict: 'fail' });

  const there = replacing.report.outcome.existing?.keys ?? 0;
  expect(there).toBe(2);
  expect(replacing.report.outcome).toMatchObject({
    copied: { keys: 9_008 },
    overwritten: { keys: there },
    renamed: { keys: 9_000 },
    skippedByFilter: 17_269 - 9_008,
  });
  // big:string, and others whose memory is above the limit of 1 MiB.
  expect(replacing.report.outcome.byCommands?.keys).toBeGreaterThanOrEqual(1);
  expect(skipping.report.outcome).toMatchObject({
    copied: { keys: 9_008 - there },
    skippedByConflict: { keys: there },
    overwritten: { keys: 0 },
  });
  expect(failing.migration.state).toBe('completed');
  expect(failing.report.obstacles).toMatchObject([{ code: 'targetNotEmpty' }]);
  expect((await app.refused({ ...request, onConflict: 'fail' })).status).toBe(409);

  // And so it comes.
  const copied = await app.run({ ...request, onConflict: 'skip' });
  for (const name of ['copied', 'skippedByConflict', 'skippedByFilter', 'failed', 'expired'] as const) {
    expect([name, copied.counts[name]]).toEqual([name, skipping.migration.counts[name]]);
  }
});

it('foresees what is converted', async () => {
  const request = { source: 'OLD6', target: 'NEW8', databases: [0], convert: ['aspnet-session-v5'] };
  const { migration, report } = await dryRun(request);
  const copied = await app.run(request);
  expect(migration.counts.converted).toBeGreaterThan(0);
  expect(report.outcome.converted.keys).toBe(copied.counts.converted);
  expect(report.outcome.copied.keys).toBe(copied.counts.copied);
  expect(report.total.keys).toBe(17_269);
});

it('tells of databases that the target has not, where a copy is refused', async () => {
  const { migration, report } = await dryRun({ source: 'OLD6', target: 'ONE' });
  expect(migration).toMatchObject({ state: 'completedWithDifferences', counts: { copied: 17_269, failed: 1_001 } });
  expect(report.obstacles.map(({ code }) => code)).toEqual(['noSuchDatabase', 'noSuchDatabase', 'noSuchDatabase']);
  expect(report.notCarriedOver.withoutDatabase.keys).toBe(1_001);
  expect(report.databases.map(({ missingOnTarget }) => missingOnTarget)).toEqual([false, true, true, true]);
  expect((await app.refused({ source: 'OLD6', target: 'ONE' })).body.error.code).toBe('noSuchDatabase');
});

it('tells what an older target cannot hold, and that it is too small', async () => {
  const { client } = sides.OLD8;
  await client.flushall();
  await client.hset('session', 'a', '1', 'b', '2');
  await client.call('HPEXPIRE', 'session', '3600000', 'FIELDS', '1', 'a');
  const fields = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`field${i}`, 'v'.repeat(100)]));
  await client.hset('session:large', fields);
  await client.call('HPEXPIRE', 'session:large', '3600000', 'FIELDS', '1', 'field1');
  await client.hset('plain', 'a', '1');
  await client.hset('plain:large', fields);
  for (let i = 0; i < 600; i++) await client.set(`blob:${i}`, Buffer.alloc(50_000, i));
  await client.call('FUNCTION', 'LOAD', "#!lua name=lib\nredis.register_function('f', function() return 1 end)");

  const { migration, report } = await dryRun({ source: 'OLD8', target: 'NEW6' });

  expect(migration).toMatchObject({
    state: 'completedWithDifferences',
    findings: 2,
    counts: { copied: 604, failed: 0 },
  });
  expect(report.notCarriedOver).toMatchObject({
    losingFieldExpiries: { keys: 2 },
    functions: 1,
    payloadTooNew: false,
    unsupportedTypes: { keys: 0 },
  });
  expect(report.memory).toMatchObject({ limit: 20 * 1_048_576, fits: false });
  expect(report.memory?.needed).toBeGreaterThan(30_000_000);
  expect(report.time?.basis).toBe('read');
  const { findings } = await app.findings(migration.id);
  expect(findings.map(({ key, code }) => [key, code]).sort()).toEqual([
    ['session', 'lost-field-expiry'],
    ['session:large', 'lost-field-expiry'],
  ]);
});

describe('many keys', () => {
  const MANY = 60_000;
  beforeAll(() => fill(sides.MANY, MANY, { prefix: 'load:key_' }));

  function expectAll(report: SurveyReport): void {
    expect(report).toMatchObject({ complete: true, total: { keys: MANY }, outcome: { copied: { keys: MANY } } });
    expect(byName(report.types, ({ type }: { type: string }) => type)).toEqual({
      string: 0.6 * MANY,
      hash: 0.1 * MANY,
      list: 0.1 * MANY,
      set: 0.1 * MANY,
      zset: 0.1 * MANY,
    });
    expect(report.prefixes).toMatchObject([{ key: 'load:key_', keys: MANY, atMost: { keys: MANY } }]);
  }

  it('a dry run whose app is killed again and again counts every key once', async () => {
    const request = { mode: 'dry-run', source: 'MANY', target: 'NEW8', limits: { keysPerSecond: 12_000 } };
    const id = await app.migrate(request);
    const seen: number[] = [];
    for (let kill = 0; kill < 4; kill++) {
      await sleep(500 + Math.random() * 500);
      await app.kill();
      await app.begin();
      const { complete, total } = await reportOf(id);
      expect(complete).toBe(false);
      seen.push(total.keys);
    }
    expect(seen.at(-1)).toBeGreaterThan(0);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(await app.finished(id)).toMatchObject({ state: 'completed', counts: { copied: MANY } });
    expectAll(await reportOf(id));
    expect(await callsOf(sides.NEW8, 'set')).toBe(0);
    expect(await sides.NEW8.client.dbsize()).toBe(0);
  });

  it('needs neither scripts nor MEMORY USAGE', async () => {
    const { report } = await dryRun({ source: 'MANY_PLAIN', target: 'NEW8' });
    expectAll(report);
    expect(report).toMatchObject({ bytesAre: 'payload', memory: { needed: null } });
    expect(report.total.bytes).toBeGreaterThan(MANY * 10);
  });
});

it('does not stand in the way of a migration that writes to the same target', async () => {
  const writing = await app.migrate({ source: 'MANY', target: 'NEW8', limits: { keysPerSecond: 20_000 } });
  const { migration } = await dryRun({ source: 'OLD6', target: 'NEW8' });
  expect(migration.state).toBe('completed');
  expect(await app.finished(writing)).toMatchObject({ state: 'completed' });

  const none = await app.request<ErrorDocument>('GET', `/api/migrations/${writing}/report`);
  expect([none.status, none.body.error.code]).toEqual([409, 'noReport']);
  expect((await app.request('GET', '/api/migrations/nothing/report')).status).toBe(404);
});
