import { appendFile } from 'node:fs/promises';
import type { ServerName } from '../../local/servers/server-names';
import type { MigrationReport } from '../../src/migration/report';
import type { AppProcess } from '../tools/app-process';
import { digest, Stage, type Side } from '../tools/stage';
import { startTestCluster, type TestCluster } from '../tools/test-cluster';

/** For a server of another version: CLUSTER_SERVER=valkey-8.1 npx jest …; again and again by scripts/cluster-runs.mjs. */
const name = (process.env.CLUSTER_SERVER ?? 'redis-7.0') as ServerName;
const KEYS = Number(process.env.CLUSTER_KEYS ?? 40_000);
const stage = new Stage();
let app: AppProcess;
let alone: Side;
let cluster: TestCluster;

beforeAll(async () => {
  [alone, cluster] = await Promise.all([
    stage.side(name),
    // Long enough that on a busy machine no node is taken for dead, which may lose what its replica has not got yet.
    startTestCluster(name, { replicas: 1, nodeTimeoutMs: 4_000 }),
  ]);
  await alone.client.eval(
    "for i = 1, ARGV[1] do if i % 3 == 0 then redis.call('RPUSH', 'list:' .. i, i, i + 1) else redis.call('SET', 'key:' .. i, i) end end",
    0,
    KEYS,
  );
  app = await stage.app({ ...stage.connections({ ALONE: alone }), REDIS_CLUSTER: cluster.server.url });
});
afterAll(async () => {
  await stage.clear();
  await cluster.close();
});

const slots = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);
/** Slow enough that what happens meanwhile happens meanwhile. */
const limits = { keysPerSecond: KEYS / 5 };

/** Has the replica of a master take over. */
async function failOver(master: number): Promise<void> {
  const id = await cluster.clients[master]!.cluster('MYID');
  for (const client of cluster.clients) {
    const nodes = (await client.cluster('NODES')) as string;
    if (!new RegExp(`myself,slave ${id}`).test(nodes)) continue;
    await client.cluster('FAILOVER');
    return;
  }
  throw new Error(`Node ${master} has no replica.`);
}

/** Tells scripts/cluster-runs.mjs something. */
async function tell(told: object): Promise<void> {
  const { CLUSTER_RUNS: file } = process.env;
  if (file !== undefined) await appendFile(file, `${JSON.stringify({ at: new Date().toISOString(), ...told })}\n`);
}

/** How far a test is: where it stands shows by the last of these. */
const step = (what: string) => tell({ step: what });

/** How many keys of the source the target lacks, and how many were copied more than once. */
async function tellEnd(what: string, report: MigrationReport, keysOnTarget: number): Promise<void> {
  const { state, counts, tally, warnings } = report;
  await tell({
    what,
    missing: KEYS - keysOnTarget,
    doubled: counts.copied - keysOnTarget,
    state,
    counts,
    tally,
    warnings,
  });
}

it('a cluster that changes while it is written to has every key', async () => {
  const id = await app.migrate({ source: 'ALONE', target: 'CLUSTER', limits });
  await app.reportWhen(id, ({ counts }) => counts.copied > 2_000);
  await step('it is written to');
  // Slots to and fro, and a replica that takes over.
  await cluster.moveSlots(0, 1, slots(100, 150));
  await step('slots have moved');
  await cluster.moveSlots(1, 0, slots(100, 50));
  await step('slots have moved back');
  await cluster.moveSlots(2, 0, slots(12_000, 150));
  await step('others have moved');
  await failOver(1);
  await step('a replica was told to take over');
  const report = await app.finished(id);
  await tellEnd('into a cluster: three reshards and a failover', report, await cluster.keys());
  expect(report).toMatchObject({ state: 'completed', counts: { failed: 0 }, tally: { missing: 0 } });
  expect(await cluster.keys()).toBe(KEYS);
  expect(await cluster.digest()).toBe(await digest(alone));
});

it('a cluster that changes while its keys are compared has them all, and all its nodes', async () => {
  const id = await app.migrate({ mode: 'compare', source: 'ALONE', target: 'CLUSTER', verify: 'full', limits });
  await app.reportWhen(id, ({ counts }) => counts.same > 2_000);
  await step('it is compared');
  const pids = cluster.nodes.map(({ pid }) => pid);
  await cluster.moveSlots(0, 2, slots(400, 200));
  await step('slots have moved');
  await cluster.moveSlots(2, 0, slots(400, 200));
  await step('slots have moved back');
  const report = await app.finished(id);
  const { state, counts, tally, warnings } = report;
  await step(`it has ended: ${JSON.stringify({ state, counts, tally, warnings })}`);
  expect(report).toMatchObject({
    state: 'completed',
    counts: { same: KEYS, different: 0, extra: 0 },
    tally: { missing: 0 },
    findings: 0,
  });
  for (const pid of pids) expect(process.kill(pid, 0)).toBe(true);
});

it('a cluster that changes while it is read brings every key, and none twice', async () => {
  await alone.client.flushall();
  const id = await app.migrate({ source: 'CLUSTER', target: 'ALONE', limits });
  await app.reportWhen(id, ({ counts }) => counts.copied > 2_000);
  await step('it is read');
  await cluster.moveSlots(0, 2, slots(3_000, 150));
  await step('slots have moved');
  await cluster.moveSlots(0, 2, slots(12_000, 100));
  await step('others have moved');
  await failOver(0);
  await step('a replica was told to take over');
  const report = await app.finished(id);
  await tellEnd('out of a cluster: two reshards and a failover', report, await alone.client.dbsize());
  expect(report).toMatchObject({
    state: 'completed',
    counts: { scanned: KEYS, repeats: 0, copied: KEYS, failed: 0 },
    tally: { missing: 0 },
  });
  expect(await alone.client.dbsize()).toBe(KEYS);
  expect(await digest(alone)).toBe(await cluster.digest());
});

it('a master that is killed while the cluster is read holds up its slots, until its replica has them', async () => {
  await alone.client.flushall();
  const id = await app.migrate({ source: 'CLUSTER', target: 'ALONE', limits });
  await app.reportWhen(id, ({ counts }) => counts.copied > 2_000);
  await step('it is read again');
  await cluster.nodes[2]!.kill();
  await step('a master was killed');
  await app.reportWhen(id, ({ shards }) => shards?.source?.some(({ trouble }) => trouble !== null) === true);
  const report = await app.finished(id);
  await tellEnd('out of a cluster: a master that is killed', report, await alone.client.dbsize());
  expect(report).toMatchObject({ counts: { scanned: KEYS, repeats: 0, copied: KEYS, failed: 0 }, findings: 0 });
  expect(report.state).toBe('completed');
  expect(report.warnings.join()).toMatch(/source restarted, failed over/);
  expect(await alone.client.dbsize()).toBe(KEYS);
});
