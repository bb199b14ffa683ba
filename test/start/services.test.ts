import type { MigrationRow } from '../../src/migration/rows';
import { workOnRange } from '../../src/work/range-worker';
import { getReport } from '../../src/api/read-migrations';
import { startMigration } from '../../src/start/start-migration';
import { startPhase } from '../../src/tally/start-phase';
import { visitMigration } from '../../src/tally/tally-visit';
import { startServiceProxies, startServiceProxy, type Hidden } from '../tools/service-proxy';
import { aRequest } from '../tools/rows';
import { digest, Stage, type Side } from '../tools/stage';
import { startTestCluster, type TestCluster } from '../tools/test-cluster';
import type { TestApp } from '../tools/test-app';

/** What managed services refuse or hide, as their documents tell. */
const managed: Hidden = {
  commands: [
    ...['select', 'move', 'config', 'debug', 'role', 'asking', 'readonly', 'swapdb'],
    ...['cluster countkeysinslot', 'cluster getkeysinslot', 'cluster myid', 'cluster shards'],
  ],
  scriptWords: ['KEYSINSLOT'],
  fields: ['redis_mode', 'cluster_enabled', 'run_id', 'maxmemory', 'master_replid', 'rdb_changes_since_last_save'],
  cursors: 'endpoint',
};
const KEYS = 1_500;

const stage = new Stage();
let cluster: TestCluster;
let other: TestCluster;
let server: Side;
let target: Side;
let app: TestApp;
const ends: (() => Promise<void>)[] = [];

const portsOf = ({ nodes }: TestCluster) => nodes.map(({ port }) => port);

beforeAll(async () => {
  [cluster, other, server, target] = await Promise.all([
    startTestCluster('redis-7.0'),
    startTestCluster('valkey-8.1'),
    stage.side('redis-7.0'),
    stage.side('redis-7.0'),
  ]);
  await server.client.eval(
    `for i = 1, ARGV[1] do
       if i % 3 == 0 then redis.call('HSET', 'hash:' .. i, 'a', i) else redis.call('SET', 'key:' .. i, i) end
       if i % 5 == 0 then redis.call('PEXPIRE', (i % 3 == 0 and 'hash:' or 'key:') .. i, 10000000) end
     end`,
    0,
    KEYS,
  );
  const ways: Record<string, { readonly url: string; close(): Promise<void> }> = {
    CLUSTER: await startServiceProxies(portsOf(cluster), () => managed),
    /** Their scripts run on another shard than the commands. */
    SHARDS: await startServiceProxies(portsOf(cluster), (place) => ({
      ...managed,
      commands: ['select', 'config', 'debug', 'role'],
      scriptWords: [],
      scriptsAt: portsOf(cluster)[(place + 1) % 3]!,
    })),
    FORGETFUL: await startServiceProxies(portsOf(cluster), (place) => ({
      ...managed,
      forgetsAfter: place === 1 ? 1 : Infinity,
    })),
    OTHER: await startServiceProxies(portsOf(other), () => managed),
    ENDPOINT: await startServiceProxy(server.server.port, { ...managed, cursors: 'connection' }),
    FORGETFUL_ENDPOINT: await startServiceProxy(server.server.port, { ...managed, forgetsAfter: 3 }),
    INTO: await startServiceProxy(target.server.port, managed),
  };
  for (const way of Object.values(ways)) ends.push(() => way.close());
  const urls = Object.entries(ways).map(([name, { url }]) => [`REDIS_${name}`, url] as const);
  app = await stage.testApp({ OLD: server, NEW: target }, Object.fromEntries(urls));
  await run({ source: 'OLD', target: 'CLUSTER' });
});
afterAll(async () => {
  await stage.clear();
  await Promise.all([...ends.map((end) => end()), cluster.close(), other.close()]);
});

/** Runs a migration to its end as the queue and the tally do. */
async function run(changes: Record<string, unknown>, onStart?: (row: MigrationRow) => void) {
  const row = await startMigration(aRequest(changes), app);
  onStart?.(row);
  for (let visits = 0; visits < 12; visits++) {
    for (let messages = await app.takeMessages(); messages.length > 0; messages = await app.takeMessages()) {
      for (const message of messages) await workOnRange(message, app);
    }
    const visit = await visitMigration(row.id, app);
    if (visit?.finished === true) return (await getReport(row.id, app))!;
    if (visit?.due) await startPhase(row.id, visit.due, app);
  }
  throw new Error('The migration does not end.');
}

describe('a cluster of a managed service', () => {
  it('is written to, compared by value, and brought in step, also by deletions', async () => {
    const copied = await run({ source: 'OLD', target: 'CLUSTER', verify: 'full' });
    expect(copied).toMatchObject({ state: 'completed', counts: { copied: KEYS, failed: 0 }, tally: { missing: 0 } });
    expect(await cluster.digest()).toBe(await digest(server));
    expect(copied.warnings.join('\n')).toMatch(/The target does not know ASKING: keys of slots/);
    expect(copied.warnings.join('\n')).not.toMatch(/may not run/);

    const [gone = '', changed = ''] = await cluster.clients[1]!.keys('key:*');
    await cluster.clients[1]!.del(gone);
    await cluster.clients[1]!.set(changed, 'other');
    await cluster.clients[1]!.set(`{${changed}}:extra`, 'x');
    const compare = { source: 'OLD', target: 'CLUSTER', mode: 'compare', verify: 'full' };
    expect(await run(compare)).toMatchObject({
      state: 'completedWithDifferences',
      counts: { same: KEYS - 2, different: 1, extra: 1 },
      tally: { missing: 1 },
    });
    const synced = await run({ source: 'OLD', target: 'CLUSTER', mode: 'sync', deleteExtra: true });
    expect(synced).toMatchObject({ state: 'completed', counts: { copied: 2, deleted: 1 } });
    expect(await cluster.digest()).toBe(await digest(server));
  });

  it.each(['CLUSTER', 'SHARDS'])('is read node by node, every key once: %s', async (source) => {
    await target.client.flushall();
    let plan: MigrationRow['plan'] | undefined;
    const report = await run({ source, target: 'NEW', verify: 'full' }, (row) => (plan = row.plan));
    expect(plan?.source).toMatchObject({
      cluster: true,
      abilities: { scripts: false, nodeWalks: 3 },
    });
    expect(plan?.databases).toMatchObject([{ keys: KEYS, bits: 2 }]);
    expect(report).toMatchObject({
      state: 'completed',
      counts: { scanned: KEYS, repeats: 0, copied: KEYS, failed: 0 },
      tally: { sourceKeys: KEYS, missing: 0 },
    });
    expect(await digest(target)).toBe(await digest(server));
    const shards = report.shards?.source ?? [];
    expect(shards.map(({ keys, percent }) => [keys, percent])).toEqual(shards.map(({ keys }) => [keys, 100]));
    expect(shards.reduce((sum, { keys }) => sum + (keys ?? 0), 0)).toBe(KEYS);
    expect(await run({ source, target: 'NEW', mode: 'compare', verify: 'full' })).toMatchObject({
      state: 'completed',
      counts: { same: KEYS, different: 0, extra: 0 },
    });
    expect(await run({ source, target: 'NEW', mode: 'dry-run' })).toMatchObject({ counts: { scanned: KEYS } });
  });

  it('is copied into another one', async () => {
    const report = await run({ source: 'CLUSTER', target: 'OTHER' });
    expect(report).toMatchObject({ state: 'completed', counts: { copied: KEYS } });
    expect(await other.digest()).toBe(await digest(server));
    for (const key of (await other.clients[0]!.keys('*')).slice(0, 3)) await other.clients[0]!.del(key);
    expect(await run({ source: 'CLUSTER', target: 'OTHER', mode: 'sync' })).toMatchObject({
      state: 'completed',
      counts: { same: KEYS - 3, copied: 3 },
    });
    await expect(
      startMigration(aRequest({ source: 'CLUSTER', target: 'OTHER', mode: 'sync', deleteExtra: true }), app),
    ).rejects.toMatchObject({ code: 'clusterNotSupported' });
  });
});

it.each(['FORGETFUL', 'FORGETFUL_ENDPOINT'])(
  'what has lost its cursors is read from the start again: %s',
  async (source) => {
    await target.client.flushall();
    const report = await run({ source, target: 'NEW', databases: [0] });
    expect(report).toMatchObject({
      state: 'completed',
      counts: { scanned: KEYS, copied: KEYS, failed: 0 },
      tally: { missing: 0 },
    });
    expect(report.warnings.join('\n')).toMatch(/Ranges began at their start again \(1 time\)/);
    expect(await digest(target)).toBe(await digest(server));
  },
);

it('slots that move while their nodes are walked are read again, and every key counts once', async () => {
  await target.client.flushall();
  const moving = async () => {
    while ((await target.client.dbsize()) < 200) await new Promise((resolve) => setTimeout(resolve, 10));
    const slots = Array.from({ length: 60 }, (_, i) => 500 + i);
    await cluster.moveSlots(0, 2, slots);
  };
  const limits = { keysPerSecond: 1_500 };
  const [report] = await Promise.all([run({ source: 'CLUSTER', target: 'NEW', limits }), moving()]);
  expect(report).toMatchObject({
    state: 'completed',
    counts: { scanned: KEYS, copied: KEYS, failed: 0 },
    tally: { missing: 0 },
  });
  expect(report.warnings.join('\n')).toMatch(/Ranges began at their start again/);
  expect(await digest(target)).toBe(await digest(server));
});

describe('an endpoint of a managed service', () => {
  it('is read in one walk and written to', async () => {
    await target.client.flushall();
    const report = await run({ source: 'ENDPOINT', target: 'INTO', databases: [0], verify: 'full' });
    expect(report).toMatchObject({ state: 'completed', counts: { copied: KEYS }, tally: { missing: 0 } });
    await target.client.set('extra', 'x');
    await target.client.del('key:1');
    expect(await run({ source: 'OLD', target: 'INTO', databases: [0], mode: 'sync', deleteExtra: true })).toMatchObject(
      {
        state: 'completed',
        counts: { same: KEYS - 1, copied: 1, deleted: 1 },
      },
    );
    expect(await digest(target)).toBe(await digest(server));
  });
});

it('a cluster of two versions is written to and read by what the older one can', async () => {
  const mixed = await startTestCluster('redis-7.0', { mixedWith: 'redis-6.0' });
  app.connections.close();
  const own = await stage.testApp({ OLD: server, NEW: target }, { REDIS_MIXED: mixed.server.url });
  app = own;
  try {
    let plan: MigrationRow['plan'] | undefined;
    const into = { source: 'OLD', target: 'MIXED', verify: 'full' };
    const done = { state: 'completed', counts: { copied: KEYS, failed: 0 }, tally: { missing: 0 }, findings: 0 };
    expect(await run(into, (row) => (plan = row.plan))).toMatchObject(done);
    expect(plan?.target).toMatchObject({ abilities: { payloadVersions: [[6, 9]] } });
    expect(plan?.target.version).toMatch(/^6\.0/);
    expect(plan?.transport).toBe('payload');
    expect(await mixed.keys()).toBe(KEYS);
    await target.client.flushall();
    expect(await run({ source: 'MIXED', target: 'NEW', verify: 'full' }, (row) => (plan = row.plan))).toMatchObject(
      done,
    );
    expect(plan?.source.abilities).toMatchObject({ payloadVersion: 10 });
    expect(plan?.source.abilities.nodeWalks).toBeUndefined();
    expect(await digest(target)).toBe(await digest(server));
  } finally {
    await mixed.close();
  }
});
