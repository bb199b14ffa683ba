import { setTimeout as sleep } from 'node:timers/promises';
import { hashSlot, SLOTS } from '../../src/keyspace/hash-slot';
import type { MigrationReport } from '../../src/migration/report';
import type { ServerName } from '../../local/servers/server-names';
import type { AppProcess } from '../tools/app-process';
import { startLiveWriter, type LiveWriter } from '../tools/live-writer';
import { covered } from './support/covered';
import { compareServers } from '../tools/compare-servers';
import { digestOfLiving, Stage, type Side } from '../tools/stage';
import { startTestCluster, type TestCluster } from '../tools/test-cluster';
import { until } from '../tools/app-process';

/** For a server of another version, and what writers write: CLUSTER_SERVER=valkey-8.1 SEED=7 npx jest … */
const name = (process.env.CLUSTER_SERVER ?? 'redis-6.0') as ServerName;
const seed = Number(process.env.SEED ?? 1);
const MASTERS = 3;
const STABLE = 10_000;
const stage = new Stage();
let app: AppProcess;
let alone: Side;
let cluster: TestCluster;
let writer: LiveWriter | undefined;

beforeAll(async () => {
  [alone, cluster] = await Promise.all([
    stage.side('redis-7.0'),
    // No node is taken for gone because the machine is busy: whoever takes another one's place is told to.
    startTestCluster(name, { replicas: 1, nodeTimeoutMs: 30_000 }),
  ]);
  // What the writer deletes in a gap must not be so large a part of all that the source is not believed.
  const pipelines = cluster.clients.slice(0, MASTERS).map((client) => client.pipeline());
  for (let i = 0; i < STABLE; i++) {
    const key = `stable:${i}`;
    pipelines[Math.floor((hashSlot(Buffer.from(key)) * MASTERS) / SLOTS)]?.set(key, 'x');
  }
  await Promise.all(pipelines.map((pipeline) => pipeline.exec()));
  app = await stage.app({
    ...stage.connections({ ALONE: alone }),
    REDIS_CLUSTER: cluster.server.url,
    KEYFERRY_SILENCE_SECONDS: '3',
    KEYFERRY_CHECKPOINT_SECONDS: '1',
  });
});

afterAll(async () => {
  await stage.clear();
  await cluster.close();
});

beforeEach(async () => {
  await app.cancelAll();
  await alone.client.flushall();
});

afterEach(async () => {
  await writer?.stop().catch(() => undefined);
});

const inStep = ({ live }: MigrationReport) => live?.phase === 'live' && live.notReady === null;
const gaps = (least: number) => (report: MigrationReport) => (report.live?.gaps ?? 0) >= least;
const slots = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

async function follow(): Promise<string> {
  writer = await startLiveWriter({ nodes: cluster.nodes }, { perSecond: 500, seed });
  const id = await app.migrate({ source: 'CLUSTER', target: 'ALONE', mode: 'live' });
  await app.reportWhen(id, inStep);
  return id;
}

/** Asks for the cut-over when it is in step, stops the writer, and waits for the verdict. */
async function ended(id: string): Promise<MigrationReport> {
  await app.reportWhen(id, inStep);
  expect((await app.request('POST', `/api/migrations/${id}/cutover`)).status).toBe(202);
  await until(async () => ((await app.report(id)).live?.cutover?.writers?.writing ?? 0) > 0);
  await writer?.stop();
  return await app.finished(id);
}

async function expectEqual(): Promise<void> {
  const masters = await cluster.masters();
  let keys = 0;
  for (const master of masters) {
    // Redis 6.0 tells no times at which keys expire, only how long that is, and on a busy machine it may be a while until that is noted.
    const compared = await compareServers(master.server, alone.server, { toleranceMs: 500, limit: 10_000 });
    expect(compared.differences.filter(({ kind }) => kind !== 'extra').map(({ text }) => text)).toEqual([]);
    keys += compared.compared;
  }
  expect(keys).toBeGreaterThan(0);
  const digests = await Promise.all(masters.map((master) => digestOfLiving({ ...alone, ...master })));
  const sum = digests.reduce((a, b) => a ^ BigInt(`0x${b}`), 0n);
  expect(await digestOfLiving(alone)).toBe(sum.toString(16).padStart(40, '0'));
}

it('a cluster is followed, while slots move, and the cut-over is proved', async () => {
  const id = await follow();
  // A reader that is cut off from one master leaves what it had to the other one.
  for (let cuts = 1; cuts <= 2; cuts++) {
    await covered(id, app);
    const clients = String(await cluster.clients[1]!.client('LIST', 'TYPE', 'PUBSUB'));
    const [, first = ''] = /^id=(\d+)/m.exec(clients) ?? [];
    await cluster.clients[1]!.client('KILL', 'ID', first);
  }
  await covered(id, app);
  const { live } = await app.report(id);
  expect(live).toMatchObject({ gaps: 0, feed: 'tracking' });
  expect(live?.takeovers).toBeGreaterThan(0);
  await cluster.moveSlots(0, 1, slots(100, 100));
  await cluster.moveSlots(2, 0, slots(12_000, 100));
  await app.reportWhen(id, gaps(1));
  const report = await ended(id);
  expect(report).toMatchObject({ state: 'completed', live: { repaired: true, cutover: { step: 'proved' } } });
  expect(report.live?.lastGap).toContain('Slots');
  await expectEqual();
});

/** So many names that are in slots of a range. */
function namesIn(first: number, last: number, count: number): string[] {
  const names: string[] = [];
  for (let i = 0; names.length < count; i++) {
    const at = hashSlot(Buffer.from(`late:${i}`));
    if (at >= first && at <= last) names.push(`late:${i}`);
  }
  return names;
}

it('one of its masters that comes back with as many keys, and older values, is not followed, and nothing is proved', async () => {
  // Of the one whose slots were not moved away.
  const { 1: master } = cluster.clients;
  const names = namesIn(6_000, 10_000, 240);
  for (const each of names) await master!.set(each, 'older');
  const id = await follow();
  // What the others count says nothing of this one.
  await master!.save();
  await writer?.stop();
  // As many a second as are remembered, so that there are more of them than of others.
  for (let at = 0; at < names.length; at += 30) {
    for (const each of names.slice(at, at + 30)) await master!.set(each, 'newest');
    await sleep(1_000);
  }
  const there = async () => new Set(await alone.client.mget(names));
  await until(async () => (await there()).has('newest') && (await there()).size === 1);
  // As many that are younger could have been changed in the time that a busy machine takes to start it again.
  await sleep(20_000);
  // Nothing is proved before the master has ended: another one is still written to.
  const [elsewhere = ''] = namesIn(300, 5_000, 1);
  const writing = setInterval(() => void cluster.clients[0]!.set(elsewhere, 'x').catch(() => undefined), 100);
  expect((await app.request('POST', `/api/migrations/${id}/cutover`)).status).toBe(202);
  await cluster.nodes[1]!.restart();
  clearInterval(writing);
  const report = await app.finished(id);
  // It may have fewer keys as well: the writer deletes some.
  expect(report).toMatchObject({ state: 'failed', cause: expect.stringMatching(/older data|lost data/) as string });
  expect(report.live?.cutover?.proof ?? null).toBeNull();
  expect(await there()).toEqual(new Set(['newest']));
  await cluster.agreed();
});

it('a master that is killed is a gap, and is followed where its replica takes its place', async () => {
  const id = await follow();
  // One that no slots were moved to: its replica must know all that it had.
  const successor = await cluster.replicaOf(2);
  await cluster.nodes[2]!.kill();
  await successor.client.cluster('FAILOVER', 'FORCE');
  await cluster.agreed();
  await app.reportWhen(id, gaps(1));
  expect(await ended(id)).toMatchObject({ state: 'completed', live: { repaired: true } });
  await expectEqual();
});

it('a master that does not hear of its successor is not believed, and what that one took is on the target', async () => {
  const id = await follow();
  await writer?.stop();
  // The one that the connection names: whoever asks it alone is told that nothing has happened.
  const stale = cluster.clients[0]!;
  const successor = await cluster.replicaOf(0);
  const [, first = 0, last = 0] = (
    /myself,master .*? (\d+)-(\d+)/.exec(String(await stale.cluster('NODES'))) ?? []
  ).map(Number);
  await stale.cluster('FORGET', successor.id);
  await successor.client.cluster('FAILOVER', 'TAKEOVER');
  const names = namesIn(first, last, 50);
  await until(async () => (await successor.client.set(names[0]!, 'x').catch(() => null)) === 'OK');
  for (const each of names) await successor.client.set(each, 'written to the successor');
  await app.request('POST', `/api/migrations/${id}/cutover`);
  await app.reportWhen(id, gaps(1));
  await app.reportWhen(id, (report) => inStep(report) || (report.live?.cutover ?? null) !== null);
  await app.request('POST', `/api/migrations/${id}/cutover`);
  expect(await app.finished(id)).toMatchObject({ state: 'completed', live: { repaired: true } });
  expect(String(await stale.cluster('NODES'))).toMatch(/myself,master - .* \d+-\d+/);
  const there = await Promise.all(names.map((each) => alone.client.get(each)));
  expect(new Set(there)).toEqual(new Set(['written to the successor']));
});
