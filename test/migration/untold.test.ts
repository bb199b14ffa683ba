import type { MigrationRow } from '../../src/migration/rows';
import { PlanRefusedError } from '../../src/migration/plan-refusals';
import { workOnRange } from '../../src/work/range-worker';
import { getReport } from '../../src/api/read-migrations';
import { startMigration } from '../../src/start/start-migration';
import { startPhase } from '../../src/tally/start-phase';
import { visitMigration } from '../../src/tally/tally-visit';
import { startServiceProxy, type Hidden } from '../tools/service-proxy';
import type { Proxy } from '../../local/servers/proxy';
import { aRequest } from '../tools/rows';
import { Stage } from '../tools/stage';
import { makeTestApp, type TestApp } from '../tools/test-app';
import { startTestServer, type TestServer } from '../tools/test-server';

const KEYS = 21_000;
/** A replica is served at once. */
const atOnce = { args: ['--repl-diskless-sync-delay', '0'] };
const stage = new Stage();
let source: TestServer;
let target: TestServer;
let replica: TestServer;
let app: TestApp;
const proxies: Proxy[] = [];
let migrations: string[] = [];

/** Ways to hide the numbers of keys. */
const ways: Readonly<Record<string, Hidden>> = {
  /** As Microsoft Garnet 2.2.8 does. */
  PLAIN: { sections: ['keyspace'] },
  APART: { sections: ['keyspace'], keyspaceApart: true },
  MUTE: { sections: ['keyspace'], commands: ['dbsize'] },
  SILENT: {
    sections: ['keyspace', 'commandstats', 'stats', 'memory', 'replication', 'persistence'],
    fields: ['run_id'],
    commands: ['dbsize'],
  },
  ONE: { sections: ['keyspace'], commands: ['dbsize', 'select'] },
};

beforeAll(async () => {
  [source, target, replica] = await Promise.all([
    stage.side('redis-6.0'),
    stage.side('redis-7.0', atOnce),
    stage.side('redis-7.0', atOnce),
  ]);
  await source.client.eval("for i = 1, ARGV[1] do redis.call('SET', 'key:' .. i, i) end", 0, KEYS);
  const settings: Record<string, string> = {};
  for (const [way, hidden] of Object.entries(ways)) {
    for (const [side, server] of Object.entries({ OLD: source, NEW: target })) {
      const proxy = await startServiceProxy(server.server.port, hidden);
      proxies.push(proxy);
      settings[`REDIS_${side}_${way}`] = proxy.url;
    }
  }
  app = await stage.testApp(
    { OLD: source, NEW: target, REPLICA: replica },
    {
      ...settings,
    },
  );
});
afterEach(async () => {
  for (const id of migrations) {
    await app.ledger.migrations.update(id, (row) => ({ ...row, state: 'cancelled', finishedAt: 'now' }));
  }
  migrations = [];
  await app.takeMessages();
  await target.client.flushall();
});
afterAll(async () => {
  await stage.clear();
  await Promise.all(proxies.map((proxy) => proxy.close()));
});

async function start(changes: Record<string, unknown>): Promise<MigrationRow> {
  const migration = await startMigration(aRequest(changes), app);
  migrations.push(migration.id);
  return migration;
}

/** Runs a migration to its end as the queue and the tally do. */
async function run(changes: Record<string, unknown>) {
  const { id } = await start(changes);
  for (let visits = 0; visits < 10; visits++) {
    for (let messages = await app.takeMessages(); messages.length > 0; messages = await app.takeMessages()) {
      for (const message of messages) await workOnRange(message, app);
    }
    const visit = await visitMigration(id, app);
    if (visit?.finished === true) return (await getReport(id, app))!;
    if (visit?.due) await startPhase(id, visit.due, app);
  }
  throw new Error('The migration does not end.');
}

const refusal = (code: string) => expect.objectContaining({ code }) as Error;

describe('a source that hides its numbers of keys', () => {
  it.each([
    ['OLD_PLAIN', KEYS],
    ['OLD_APART', KEYS],
    ['OLD_MUTE', null],
    ['OLD_SILENT', null],
  ])('is copied whole: %s', async (name, keysAtStart) => {
    const report = await run({ source: name });
    expect(await target.client.dbsize()).toBe(KEYS);
    expect(report).toMatchObject({
      // Nobody can say that all were seen.
      state: keysAtStart === null ? 'completedWithDifferences' : 'completed',
      source: { keysAtStart, keysNow: keysAtStart },
      counts: { scanned: KEYS, copied: KEYS },
      tally: { sourceKeys: keysAtStart, missing: 0 },
    });
    const warned = report.warnings.some((warning) => warning.startsWith('The source does not tell how many keys'));
    expect(warned).toBe(keysAtStart === null);
  });

  it('is copied in the databases that are named where it does not even tell which there are', async () => {
    await expect(start({ source: 'OLD_ONE' })).rejects.toThrow(refusal('databasesUnknown'));
    const report = await run({ source: 'OLD_ONE', databases: [0] });
    expect(report).toMatchObject({ source: { keysAtStart: null }, counts: { copied: KEYS }, findings: 0 });
    expect(report.state).toBe('completedWithDifferences');
    expect(report.warnings.join()).toMatch(/whether all were seen is unknown/);
    expect(await target.client.dbsize()).toBe(KEYS);
  });

  it.each(['OLD_MUTE', 'OLD_SILENT'])('is no reason to delete anything: %s', async (name) => {
    await target.client.eval("for i = 1, 500 do redis.call('SET', 'other:' .. i, i) end", 0);
    const request = { source: name, mode: 'sync', deleteExtra: true };
    await expect(start(request)).rejects.toThrow(refusal('sourceLooksWrong'));
    expect(await target.client.dbsize()).toBe(500);
  });
});

describe('a target that hides its numbers of keys', () => {
  beforeEach(async () => {
    await target.client.eval("for i = 1, 500 do redis.call('SET', 'key:' .. i, 'precious') end", 0);
  });

  it.each([
    ['NEW_PLAIN', 'targetNotEmpty'],
    ['NEW_APART', 'targetNotEmpty'],
    ['NEW_MUTE', 'targetKeysUnknown'],
    ['NEW_SILENT', 'targetKeysUnknown'],
  ])('is not written to where it must be empty: %s', async (name, code) => {
    await expect(start({ target: name, onConflict: 'fail' })).rejects.toThrow(refusal(code));
    await expect(start({ target: name, onConflict: 'fail' })).rejects.toThrow(PlanRefusedError);
    expect(await target.client.get('key:1')).toBe('precious');
    expect(await target.client.dbsize()).toBe(500);
  });

  it.each(['NEW_PLAIN', 'NEW_MUTE', 'NEW_SILENT'])('loses no key to a source that has shrunk: %s', async (name) => {
    const few = await startTestServer('redis-7.0');
    try {
      await few.client.eval("for i = 1, 50 do redis.call('SET', 'key:' .. i, i) end", 0);
      const shrunk = await makeTestApp({
        ...app.env,
        REDIS_OLD: few.server.url,
        REDIS_NEW: proxies[Object.keys(ways).indexOf(name.slice(4)) * 2 + 1]!.url,
      });
      const request = aRequest({ mode: 'sync', deleteExtra: true });
      await expect(startMigration(request, shrunk)).rejects.toThrow(refusal('sourceLooksWrong'));
      shrunk.connections.close();
    } finally {
      await few.close();
    }
    expect(await target.client.dbsize()).toBe(500);
  });

  it('gets every key, each looked for, and its numbers are told as unknown', async () => {
    const report = await run({ target: 'NEW_SILENT', onConflict: 'replace' });
    expect(report).toMatchObject({
      state: 'completed',
      target: { keysAtStart: null, keysNow: null },
      tally: { targetKeys: null, missing: 0 },
    });
    expect(report.warnings).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^Whether the target has keys already is not known/),
        expect.stringMatching(/^The target tells no run id/),
        expect.stringMatching(/^The target does not tell how many keys it has evicted/),
      ]),
    );
    expect(await target.client.get('key:1')).toBe('1');
  });

  it.each(['NEW_PLAIN', 'NEW_SILENT'])('is compared with, and its extra keys are found: %s', async (name) => {
    await run({ target: name });
    await target.client.set('extra', '1');
    const report = await run({ target: name, mode: 'compare' });
    expect(report).toMatchObject({ state: 'completedWithDifferences', counts: { same: KEYS, extra: 1 } });
  });
});

describe('sides that replicate each other', () => {
  const follow = async (server: TestServer, master: TestServer) => {
    await server.client.replicaof('127.0.0.1', master.server.port);
    for (let link = ''; link !== 'up';) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      link = /master_link_status:(\w+)/.exec(await server.client.info('replication'))?.[1] ?? '';
    }
  };
  const renamed = { rename: [{ from: '^', to: 'new:' }] };
  afterEach(async () => {
    await replica.client.replicaof('NO', 'ONE');
    await replica.client.flushall();
  });

  it('are refused where the source is a replica of the target, and compared', async () => {
    await target.client.eval("for i = 1, 3000 do redis.call('SET', 'key:' .. i, i) end", 0);
    await follow(replica, target);
    await expect(start({ source: 'REPLICA', ...renamed })).rejects.toThrow(refusal('sameReplication'));
    await expect(start({ source: 'REPLICA', mode: 'sync' })).rejects.toThrow(refusal('sameReplication'));
    expect(await target.client.dbsize()).toBe(3_000);
    expect(await run({ source: 'REPLICA', mode: 'compare' })).toMatchObject({
      state: 'completed',
      counts: { same: 3_000 },
    });
    const dry = await start({ source: 'REPLICA', mode: 'dry-run' });
    expect(dry.plan.obstacles).toMatchObject([{ code: 'sameReplication' }]);
  });

  it('are refused through a replica between them, and where the numbers are hidden', async () => {
    const middle = await startTestServer('redis-7.0', atOnce);
    try {
      await follow(middle, target);
      await follow(replica, middle);
      await expect(start({ source: 'REPLICA', ...renamed })).rejects.toThrow(refusal('sameReplication'));
      await expect(start({ source: 'REPLICA', target: 'NEW_MUTE' })).rejects.toThrow(refusal('sameReplication'));
    } finally {
      await middle.close();
    }
  });

  it('are refused where the replica has not reached its master yet', async () => {
    await target.client.config('SET', 'requirepass', 'secret');
    try {
      await replica.client.replicaof('127.0.0.1', target.server.port);
      await target.client.config('SET', 'requirepass', '');
      const { plan } = await start({ source: 'REPLICA', mode: 'dry-run' });
      expect(plan.obstacles).toMatchObject([{ code: 'sameReplication' }]);
    } finally {
      await target.client.config('SET', 'requirepass', '');
    }
  });

  it('are refused where the target is the replica, and compared', async () => {
    await target.client.set('a', '1');
    await follow(replica, target);
    await expect(start({ source: 'NEW', target: 'REPLICA' })).rejects.toThrow(refusal('sameReplication'));
    const report = await run({ source: 'NEW', target: 'REPLICA', mode: 'compare' });
    expect(report).toMatchObject({ state: 'completed', counts: { same: 1 } });
  });

  it('are let pass once the replica was promoted', async () => {
    await target.client.set('a', '1');
    await follow(replica, target);
    await replica.client.replicaof('NO', 'ONE');
    expect(await run({ source: 'REPLICA' })).toMatchObject({ state: 'completed', counts: { copied: 1 } });
  });
});
