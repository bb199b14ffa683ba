import type { Redis } from 'ioredis';
import { classifySessionKey, readCollection } from '../../../src/convert/aspnet-session';
import type { MigrationReport } from '../../../src/migration/report';
import { PlanRefusedError } from '../../../src/migration/plan-refusals';
import { workOnRange } from '../../../src/work/range-worker';
import { getFindings, getReport } from '../../../src/api/read-migrations';
import { startMigration } from '../../../src/start/start-migration';
import { startPhase } from '../../../src/tally/start-phase';
import { visitMigration } from '../../../src/tally/tally-visit';
import { compareServers } from '../../tools/compare-servers';
import { serverNames, serverStartTimeout, useTestServers, type RunningServer } from '../../tools/redis-servers';
import { aRequest } from '../../tools/rows';
import { makeTestApp, type TestApp } from '../../tools/test-app';
import { startTestStorage, type TestStorage } from '../../tools/test-storage';
import { expectedSessions } from '../aspnet-session/support/fixtures';
import { dataName, itemsOf, readVersion5, timeoutName } from './support/version5';
import { ticksNow, Version4Session } from './support/version4';

const SESSIONS = 170;
const KEYS = 18_270;
const servers = useTestServers();
let storage: TestStorage;
const apps: TestApp[] = [];

beforeAll(async () => {
  storage = await startTestStorage();
}, serverStartTimeout);
afterAll(async () => {
  for (const app of apps) app.connections.close();
  await storage.close();
});

async function appFor(
  source: RunningServer,
  target: RunningServer,
  changes: { source?: string; target?: string } = {},
) {
  const app = await makeTestApp({
    AzureWebJobsStorage: storage.connectionString,
    REDIS_OLD: changes.source ?? source.url,
    REDIS_NEW: changes.target ?? target.url,
  });
  apps.push(app);
  return app;
}

/** Runs a migration to its verdict, message by message. */
async function migrate(app: TestApp, request: Record<string, unknown>): Promise<MigrationReport> {
  const { id } = await startMigration(aRequest({ convert: ['aspnet-session-v5'], ...request }), app);
  for (;;) {
    for (const message of await app.takeMessages()) await workOnRange(message, app);
    const visit = await visitMigration(id, app);
    if (visit === undefined || visit.finished) break;
    if (visit.due !== null) await startPhase(id, visit.due, app);
  }
  const report = await getReport(id, app);
  if (report === undefined) throw new Error('The migration is gone.');
  return report;
}

/** `{/Shop_…}`, as the golden data names sessions. */
const appIdOf = (name: string): string => name.slice(1, -1);

/** Every session item by item, its timeout and its remaining life. */
async function expectSessions(target: Redis, remaining: ReadonlyMap<string, number>): Promise<void> {
  const names = Object.keys(expectedSessions);
  expect(names).toHaveLength(SESSIONS);
  for (const name of names) {
    const expected = expectedSessions[name]!;
    const appId = appIdOf(name);
    const blob = await target.getBuffer(dataName(appId));
    const items = readCollection(blob ?? Buffer.alloc(0)).items.map((item) => {
      const { name: itemName, typeCode, payload } = item.read();
      return [itemName?.toString(), Buffer.concat([Buffer.of(typeCode), payload]).toString('hex')];
    });
    expect(Object.fromEntries(items)).toEqual(
      Object.fromEntries(Object.entries(expected.items).map(([itemName, { item }]) => [itemName, item])),
    );
    expect(await target.get(timeoutName(appId))).toBe(String(expected.timeout));
    const wanted = remaining.get(name);
    if (wanted === undefined) continue;
    for (const key of [dataName(appId), timeoutName(appId)]) {
      const expiry = await expiryOf(target, key);
      expect(Math.abs(expiry - wanted)).toBeLessThanOrEqual(10);
    }
  }
}

/** When a key expires, ms of this machine's clock. */
async function expiryOf(redis: Redis, key: string): Promise<number> {
  for (;;) {
    const before = Date.now();
    const ttl = await redis.pttl(key);
    const after = Date.now();
    if (after - before <= 3) return after + ttl;
  }
}

/** When version 4's data of each session expires, after their lives were made ordinary ones. */
async function giveLives(source: Redis): Promise<Map<string, number>> {
  const lives = new Map<string, number>();
  for (const [i, name] of Object.keys(expectedSessions).entries()) {
    const end = Date.now() + 600_000 + i * 1_000;
    await source.pexpireat(`${name}_Data`, end);
    await source.pexpireat(`${name}_Internal`, end);
    lives.set(name, end);
  }
  return lives;
}

describe.each(serverNames)('the Redis 4 snapshot into %s', (targetName) => {
  it('has all 170 sessions in version 5’s form, and everything else as it was', async () => {
    const source = await servers.startWithSnapshot('redis-6.0');
    const target = await servers.start(targetName);
    const [old, fresh] = [servers.client(source), servers.client(target)];
    const lives = await giveLives(old);
    const app = await appFor(source, target);
    const report = await migrate(app, { source: 'OLD', target: 'NEW' });
    expect(report).toMatchObject({
      state: 'completed',
      counts: { copied: KEYS - 2 * SESSIONS, converted: 2 * SESSIONS, failed: 0, expired: 0, skippedByConflict: 0 },
      conversions: [{ name: 'aspnet-session-v5', facts: { sessions: SESSIONS, complete: true } }],
    });
    await expectSessions(fresh, lives);

    const names = new Set<string>();
    const comparison = await compareServers(source, target, {
      expectedAt: (database, key) => {
        const session = database === 0 ? classifySessionKey(key) : undefined;
        if (session === undefined) return { database, key };
        names.add(session.appId.toString('latin1'));
        return undefined;
      },
    });
    // What is on the target and not expected there: the two keys of each session, and nothing of version 4's.
    expect(comparison.byKind).toEqual({ extra: 2 * SESSIONS });
    expect(names.size).toBe(SESSIONS);
    expect((await fresh.keys('{*}_Data')).length + (await fresh.keys('{*}_Internal')).length).toBe(0);
    expect(await fresh.dbsize()).toBe(17_269);
  });
});

it('the Redis 4 snapshot in place has all 170 sessions in both forms, and everything else as it was', async () => {
  const server = await servers.startWithSnapshot('redis-7.0');
  const untouched = await servers.startWithSnapshot('redis-7.0');
  const redis = servers.client(server);
  const lives = await giveLives(redis);
  await giveLives(servers.client(untouched));
  const app = await appFor(server, server);
  const report = await migrate(app, { source: 'OLD', target: 'OLD' });
  expect(report).toMatchObject({
    state: 'completed',
    counts: { copied: 0, converted: 2 * SESSIONS, failed: 0, skippedByConflict: 0 },
    tally: { missing: 0 },
  });
  await expectSessions(redis, lives);
  const comparison = await compareServers(untouched, server, { toleranceMs: 10_000 });
  expect(comparison.byKind).toEqual({ extra: 2 * SESSIONS });

  const second = await migrate(app, {
    source: 'OLD',
    target: 'OLD',
    convert: [{ converter: 'aspnet-session-v5', keepOld: false }],
  });
  expect(second).toMatchObject({ state: 'completed', counts: { failed: 0, skippedByConflict: 0 } });
  await expectSessions(redis, lives);
  expect((await redis.keys('{*}_Data')).length + (await redis.keys('{*}_Internal')).length).toBe(0);
  expect(await redis.dbsize()).toBe(17_269);
});

describe('a migration with a conversion', () => {
  let source: RunningServer;
  let target: RunningServer;
  let old: Redis;
  let fresh: Redis;
  const session = (appId: string) => new Version4Session(old, appId);

  beforeAll(async () => {
    [source, target] = await Promise.all([servers.start('redis-7.0'), servers.start('redis-8.0')]);
    [old, fresh] = [servers.client(source), servers.client(target)];
  }, serverStartTimeout);
  afterEach(async () => {
    await Promise.all([old.flushall(), fresh.flushall()]);
    await old.call('ACL', 'DELUSER', 'limited');
    await fresh.call('ACL', 'DELUSER', 'limited');
  });

  const asLimited = (server: RunningServer) => server.url.replace('redis://', 'redis://limited:word@');

  it.each(['source', 'target'] as const)('is refused before it begins where the %s takes no scripts', async (side) => {
    const [redis, server] = side === 'source' ? [old, source] : [fresh, target];
    await redis.call('ACL', 'SETUSER', 'limited', 'on', '>word', '~*', '&*', '+@all', '-@scripting');
    const app = await appFor(source, target, { [side]: asLimited(server) });
    const error: unknown = await migrate(app, { source: 'OLD', target: 'NEW' }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(PlanRefusedError);
    expect(error).toMatchObject({ status: 400, code: 'scriptsNeeded' });
    expect((error as Error).message).toMatch(new RegExp(`^A conversion .* the ${side} "(OLD|NEW)" refuses`));
    // Without a conversion it goes its way.
    await old.set('a', 'b');
    expect(await migrate(app, { source: 'OLD', target: 'NEW', convert: [] })).toMatchObject({ state: 'completed' });
  });

  it('is refused where scripts may run and what they call may not', async () => {
    await fresh.call('ACL', 'SETUSER', 'limited', 'on', '>word', '~*', '&*', '+@all', '-pexpireat');
    const app = await appFor(source, target, { target: asLimited(target) });
    await expect(migrate(app, { source: 'OLD', target: 'NEW' })).rejects.toMatchObject({ code: 'scriptsNeeded' });
    await fresh.call('ACL', 'SETUSER', 'limited', '+pexpireat');
    expect(await migrate(app, { source: 'OLD', target: 'NEW' })).toMatchObject({ state: 'completed' });
    expect(await fresh.dbsize()).toBe(0);
  });

  it('goes with prefixes, rename, select and skip', async () => {
    await session('/Shop_1').set({ a: 'one' }, 600);
    await session('/Other_1').set({ a: 'two' }, 600);
    await old.set('x:1', 'y');
    await old.set('tmp:1', 'y');
    const app = await appFor(source, target);
    const report = await migrate(app, {
      source: 'OLD',
      target: 'NEW',
      databases: { 0: 'p:' },
      rename: [{ from: '^x:', to: 'z:' }],
      select: { exclude: ['tmp:*', '{/Other_*'] },
    });
    expect(report).toMatchObject({
      state: 'completed',
      counts: { copied: 1, converted: 2, skippedByFilter: 3 },
      conversions: [{ facts: { sessions: 1, byApplication: { '/Shop_1': 1 } } }],
    });
    expect((await fresh.keys('*')).sort()).toEqual([
      'p:z:1',
      `p:${dataName('/Shop_1')}`,
      `p:${timeoutName('/Shop_1')}`,
    ]);
    await session('/Shop_1').set({ a: 'newer' }, 600);
    // What Keyferry converted itself is brought up to date also where other keys are left as they are.
    const skipping = await migrate(app, { source: 'OLD', target: 'NEW', databases: { 0: 'p:' }, onConflict: 'skip' });
    expect(skipping.counts).toMatchObject({ converted: 4 });
    const blob = await fresh.getBuffer(`p:${dataName('/Shop_1')}`);
    expect(itemsOf(blob ?? Buffer.alloc(0))).toEqual({ a: 'newer' });
  });

  it('maps databases', async () => {
    const inThree = servers.client(source, 3);
    await new Version4Session(inThree, '/Shop_1').set({ a: 'one' }, 600);
    const app = await appFor(source, target);
    expect(await migrate(app, { source: 'OLD', target: 'NEW', databases: { 3: 2 } })).toMatchObject({
      state: 'completed',
      counts: { converted: 2 },
    });
    expect(await readVersion5(servers.client(target, 2), '/Shop_1')).toMatchObject({ items: { a: 'one' } });
  });

  it('tells each session that was not converted, and completes with differences', async () => {
    await session('/Shop_1').set({ a: 'one' }, 600);
    await session('/Shop_2').set({ a: 'one' }, 600);
    await old.hset(session('/Shop_2').data, 'b', '<xml/>');
    await session('/Shop_3').set({ a: 'one' }, 600);
    await session('/Shop_3').takeLock(ticksNow(), 2);
    const app = await appFor(source, target);
    const report = await migrate(app, { source: 'OLD', target: 'NEW' });
    expect(report).toMatchObject({ state: 'completedWithDifferences', counts: { failed: 1 }, findings: 1 });
    expect(report.conversions).toMatchObject([{ facts: { sessions: 3, locked: 1 } }]);
    const found = await getFindings(report.id, 10, undefined, app);
    expect(found?.findings).toMatchObject([{ key: session('/Shop_2').data, code: 'session-not-binary-formatter' }]);
  });
});
