import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MigrationReport } from '../../src/migration/report';
import { until, type AppProcess } from '../tools/app-process';
import { startProxy, type Proxy } from '../../local/servers/proxy';
import { digestOfLiving, Stage, type Side } from '../tools/stage';
import { fill } from './support/fill';

/** Two hosts of the app on one storage, one of the readers in each, and a source whose name leads to one server or to another. */
const stage = new Stage();
let one: AppProcess;
let two: AppProcess;
let old: Side;
/** Of the first one, where a test makes it that. */
let replica: Side;
let neu: Side;
let leadsTo: Side;
let name: Proxy;
/** What goes through it, by the port that the source sees. */
const ways = new Map<number | undefined, { readonly client: Socket; readonly server: Socket }>();

beforeAll(async () => {
  [old, replica, neu] = [await stage.side('redis-6.0'), await stage.side('redis-6.0'), await stage.side('redis-7.0')];
  leadsTo = old;
  name = await startProxy(
    () => leadsTo.server.port,
    (client, server) => {
      client.pipe(server);
      server.pipe(client);
      server.once('connect', () => ways.set(server.localPort, { client, server }));
    },
  );
  const { connectionString } = await stage.storage();
  const settings = {
    REDIS_OLD: name.url,
    ...stage.connections({ NEW: neu }),
    AzureWebJobsStorage: connectionString,
    KEYFERRY_SILENCE_SECONDS: '3',
    KEYFERRY_CHECKPOINT_SECONDS: '1',
    // Each works on one message at a time, and so has one of the readers.
    AzureFunctionsJobHost__extensions__queues__batchSize: '1',
    AzureFunctionsJobHost__extensions__queues__newBatchThreshold: '0',
  };
  [one, two] = await Promise.all([stage.app(settings), stage.app(settings)]);
});

afterAll(async () => {
  await stage.clear();
  await name.close();
});

beforeEach(async () => {
  await two.cancelAll();
  leadsTo = old;
  name.cut();
  for (const { client } of [old, neu]) await client.flushall();
});

const inStep = ({ live }: MigrationReport) => live?.phase === 'live' && live.notReady === null;
const isCovered = ({ live }: MigrationReport) => live?.standby?.covers === true;

/** The clients by which the source tells what changes, the oldest first: what their process is called, their ids, and their ports. */
async function readers(): Promise<{ id: string; port: number; process: string }[]> {
  const clients = String(await leadsTo.client.client('LIST', 'TYPE', 'PUBSUB'));
  const each = clients.matchAll(/^id=(\d+) addr=\S+:(\d+) .*?name=(\S+)/gm);
  const all = Array.from(each, ([, id = '', port = '', process = '']) => ({ id, port: Number(port), process }));
  return all.sort((a, b) => Number(a.id) - Number(b.id));
}

/** Starts a live migration, which the first host follows, while the second one stands by. */
async function follow(): Promise<string> {
  two.signal('SIGSTOP');
  const id = await one.migrate({ source: 'OLD', target: 'NEW', mode: 'live' });
  await until(async () => (await readers()).length === 1);
  // Until it has said that it follows, the other one might.
  await one.reportWhen(id, ({ live }) => live?.listening === true);
  two.signal('SIGCONT');
  await two.reportWhen(id, inStep);
  await two.reportWhen(id, isCovered);
  const [first, second] = await readers();
  expect(first?.process).not.toBe(second?.process);
  return id;
}

const KEYS = Array.from({ length: 30 }, (_, i) => `key:${i * 10 + 5}`);

/** Changes keys, waits until that is on the target, and longer than as many others could have been changed by chance. */
async function changed(): Promise<void> {
  for (const key of KEYS) await old.client.set(key, 'newest');
  await until(async () => (await neu.client.mget(KEYS)).every((value) => value === 'newest'));
  await sleep(10_000);
}

async function expectHeld(id: string): Promise<void> {
  const report = await two.finished(id);
  expect(report).toMatchObject({ state: 'failed', cause: expect.stringContaining('older data') as string });
  expect(report.live?.cutover?.proof ?? null).toBeNull();
  expect(new Set(await neu.client.mget(KEYS))).toEqual(new Set(['newest']));
  expect(await neu.client.dbsize()).toBe(2_000);
}

it('a source that restarts with older data, so that both readers are cut off, is not followed, and no cut-over is proved', async () => {
  await fill(old, 2_000);
  await old.client.save();
  const id = await follow();
  await changed();
  expect((await two.request('POST', `/api/migrations/${id}/cutover`)).status).toBe(202);
  await old.server.restart();
  await expectHeld(id);
});

it('nor is a replica that was promoted and lacks what its master was told last', async () => {
  await fill(old, 2_000);
  await replica.client.replicaof('127.0.0.1', old.server.port);
  await until(async () => (await replica.client.dbsize()) === 2_000);
  const id = await follow();
  await replica.client.replicaof('NO', 'ONE');
  await changed();
  leadsTo = replica;
  name.cut();
  await expectHeld(id);
});

it('where the host that followed is killed as well, the other one knows what was on the target', async () => {
  await fill(old, 2_000);
  await old.client.save();
  const id = await follow();
  await changed();
  await Promise.all([one.kill(), old.server.restart()]);
  await expectHeld(id);
  await one.begin();
});

it('what is lost of a few keys only is repaired: the target is as the source then, and that is what is proved', async () => {
  await fill(old, 2_000);
  await old.client.save();
  const id = await follow();
  await old.client.set('key:5', 'lost');
  await until(async () => (await neu.client.get('key:5')) === 'lost');
  expect((await two.request('POST', `/api/migrations/${id}/cutover`)).status).toBe(202);
  await old.server.restart();
  const report = await two.finished(id);
  expect(report).toMatchObject({ state: 'completed', live: { repaired: true } });
  expect(await neu.client.get('key:5')).toBe(await old.client.get('key:5'));
  expect(await digestOfLiving(neu)).toBe(await digestOfLiving(old));
});

it('a feed that falls silent is not waited for: the other host has what it would have told', async () => {
  await fill(old, 2_000);
  const id = await follow();
  const takeovers = (await two.report(id)).live?.takeovers ?? 0;
  const [first] = await readers();
  const way = ways.get(first?.port);
  // As where a way in between has forgotten it.
  way?.client.unpipe().pause();
  way?.server.unpipe().pause();
  for (const key of KEYS) await old.client.set(key, 'told to one only');
  const arrived = async () => (await neu.client.mget(KEYS)).every((value) => value === 'told to one only');
  await until(arrived, 20_000);
  const report = await two.reportWhen(id, inStep);
  expect(report.live?.takeovers).toBeGreaterThan(takeovers);
  expect((await two.request('POST', `/api/migrations/${id}/cutover`)).status).toBe(202);
  expect(await two.finished(id)).toMatchObject({ state: 'completed', live: { gaps: report.live?.gaps } });
  expect(await digestOfLiving(neu)).toBe(await digestOfLiving(old));
});

it('a host that was frozen for longer than others wait for it writes nothing when it goes on', async () => {
  await fill(old, 2_000);
  const id = await follow();
  // Whatever it had sent, and what it reads when it wakes, is older than what the other one brings meanwhile.
  const writer = stage.writer(old, (client) => client.mset(...KEYS.flatMap((key) => [key, String(Date.now())])));
  await sleep(1_000);
  const { takeovers = 0, gaps = 0 } = (await two.report(id)).live ?? {};
  one.signal('SIGSTOP');
  await two.reportWhen(id, ({ live }) => (live?.takeovers ?? 0) + (live?.gaps ?? 0) > takeovers + gaps);
  await two.reportWhen(id, inStep);
  expect((await two.request('POST', `/api/migrations/${id}/cutover`)).status).toBe(202);
  await writer.stop();
  const report = await two.finished(id);
  expect(report).toMatchObject({ state: 'completed' });
  expect(await digestOfLiving(neu)).toBe(await digestOfLiving(old));
  await neu.client.mset(...KEYS.flatMap((key) => [key, 'written after the switch']));
  one.signal('SIGCONT');
  await sleep(3_000);
  expect(new Set(await neu.client.mget(KEYS))).toEqual(new Set(['written after the switch']));
});
