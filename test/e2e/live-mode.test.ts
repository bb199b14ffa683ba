import { setTimeout as sleep } from 'node:timers/promises';
import type { MigrationReport } from '../../src/migration/report';
import { until, type AppProcess } from '../tools/app-process';
import { startLiveWriter, type LiveWriter, type WriterOptions } from '../tools/live-writer';
import { callsOf, compareServers, digestOfLiving, Stage, type Side } from '../tools/stage';
import { ticksNow, Version4Session } from '../convert/sessions/support/version4';
import { readVersion5 } from '../convert/sessions/support/version5';
import { fill } from './support/fill';
import { covered } from './support/covered';

const stage = new Stage();
let app: AppProcess;
let old: Side;
let neu: Side;

beforeAll(async () => {
  old = await stage.side('redis-6.0');
  neu = await stage.side('redis-7.0');
  app = await stage.app({
    ...stage.connections({ OLD: old, NEW: neu }),
    KEYFERRY_SILENCE_SECONDS: '3',
    KEYFERRY_CHECKPOINT_SECONDS: '1',
  });
});

afterAll(() => stage.clear());

/** Of this test; those of one that failed would write on. */
let writers: LiveWriter[] = [];

async function writes({ server }: Side, options: WriterOptions): Promise<LiveWriter> {
  const writer = await startLiveWriter(server, options);
  writers.push(writer);
  return writer;
}

beforeEach(async () => {
  await Promise.allSettled(writers.map((writer) => writer.stop()));
  writers = [];
  await app.cancelAll();
  await old.client.flushall();
  await neu.client.flushall();
});

const inStep = ({ live }: MigrationReport) => live?.phase === 'live' && live.notReady === null;

const cutOver = (id: string) => app.request('POST', `/api/migrations/${id}/cutover`);

it('follows writers of all types, and proves the cut-over', async () => {
  await fill(old, 20_000, { prefix: 'stable:' });
  const writer = await writes(old, { perSecond: 2_000 });
  const id = await app.migrate({ source: 'OLD', target: 'NEW', mode: 'live' });
  await app.reportWhen(id, inStep);
  await sleep(2_000);
  expect((await cutOver(id)).status).toBe(202);
  await sleep(1_000);
  await writer.stop();
  const report = await app.finished(id);
  expect(report).toMatchObject({ state: 'completed', live: { gaps: 0, cutover: { step: 'proved' } } });
  expect(await digestOfLiving(neu)).toBe(await digestOfLiving(old));
});

/** Starts a live migration and waits until it is in step. */
async function follow(changes: object = {}): Promise<string> {
  const id = await app.migrate({ source: 'OLD', target: 'NEW', mode: 'live', ...changes });
  await app.reportWhen(id, inStep);
  return id;
}

/** Asks for the cut-over as soon as it is ready, and waits for the verdict. */
async function ended(id: string): Promise<MigrationReport> {
  await app.reportWhen(id, inStep);
  expect((await cutOver(id)).status).toBe(202);
  return await app.finished(id);
}

const gaps = (least: number) => (report: MigrationReport) => (report.live?.gaps ?? 0) >= least;

it('a cut-over is refused until it is ready, waits for the writers, and begins anew with every write', async () => {
  await fill(old, 60_000);
  const id = await app.migrate({ source: 'OLD', target: 'NEW', mode: 'live', limits: { keysPerSecond: 40_000 } });
  expect(await cutOver(id)).toMatchObject({ status: 409, body: { error: { code: 'notReady' } } });
  await app.reportWhen(id, inStep);
  let written = 0;
  const writer = stage.writer(old, async (client) => {
    if (written === 0) await client.client('SETNAME', 'shop');
    await client.set('counter', ++written);
  });
  expect((await cutOver(id)).status).toBe(202);
  // Longer than a source that stands still would take.
  await sleep(3_500);
  expect(await app.report(id)).toMatchObject({
    state: 'verifying',
    live: {
      cutover: { step: 'quiet', proof: null, writers: { writing: 1, latest: [{ name: 'shop', command: 'set' }] } },
    },
  });
  await writer.stop();
  const stopped = Date.now();
  const report = await app.finished(id);
  expect(report).toMatchObject({ state: 'completed', live: { cutover: { step: 'proved' } } });
  expect(Date.now() - stopped).toBeLessThan(15_000);
  expect(await neu.client.get('counter')).toBe(String(written));
  expect(await digestOfLiving(neu)).toBe(await digestOfLiving(old));
});

/** The id of the way back of a migration that has ended. */
async function startedBack(way: string): Promise<string> {
  const wayBack = async () => (await app.report(way)).live?.cutover?.wayBack;
  await until(async () => (await wayBack())?.state !== 'starting');
  expect(await wayBack()).toMatchObject({ state: 'started', refused: null });
  return (await wayBack())?.migration ?? '';
}

it('the way back: asked for with the cut-over, the old side then follows the new one, which is of a later version', async () => {
  await fill(old, 500);
  await old.client.set('expires', 'x', 'EX', 3_600);
  const way = await follow();
  expect((await app.request('POST', `/api/migrations/${way}/cutover`, { reverse: true })).status).toBe(202);
  expect(await app.finished(way)).toMatchObject({
    state: 'completed',
    live: { cutover: { wayBack: { refused: null, trouble: null } } },
  });
  const id = await startedBack(way);
  // With what the start tried.
  const written = await callsOf(old, 'restore');
  expect(await app.reportWhen(id, inStep)).toMatchObject({ source: { name: 'NEW' }, target: { name: 'OLD' } });
  // Both had the same: nothing was written for it.
  expect((await app.report(id)).counts).toMatchObject({ copied: 0, deleted: 0, same: 501 });
  expect(await old.client.dbsize()).toBe(501);
  expect(await callsOf(old, 'restore')).toBeLessThan(written + 20);
  const writer = await writes(neu, { perSecond: 500 });
  await neu.client.del('key:1', 'key:2');
  await sleep(500);
  expect((await cutOver(id)).status).toBe(202);
  await writer.stop();
  expect(await app.finished(id)).toMatchObject({ state: 'completed', live: { gaps: 0 } });
  expect(await digestOfLiving(old)).toBe(await digestOfLiving(neu));
});

it('a gap is told, and repaired by a pass that finds what was deleted meanwhile', async () => {
  await fill(old, 5_000);
  const writer = await writes(old, { perSecond: 1_000 });
  const id = await follow();
  const keys = await old.client.keys('key:*');
  await Promise.all([
    old.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub'),
    old.client.del(...keys.slice(0, 500)),
    old.client.set('changed in the gap', 'x'),
  ]);
  await app.reportWhen(id, gaps(1));
  await app.reportWhen(id, inStep);
  await writer.stop();
  const report = await ended(id);
  expect(report).toMatchObject({ state: 'completed', live: { gaps: 1, repaired: true } });
  expect(await digestOfLiving(neu)).toBe(await digestOfLiving(old));
});

it('a source whose counters are set back while extra keys are looked for has another pass', async () => {
  await fill(old, 4_000);
  const id = await follow();
  const keys = await old.client.keys('key:*');
  await Promise.all([old.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub'), old.client.del(...keys.slice(0, 500))]);
  // Keys are looked for several times before they are deleted.
  await app.reportWhen(id, ({ live }) => live?.phase === 'extra');
  await old.client.config('RESETSTAT');
  await app.reportWhen(id, gaps(2));
  expect(await ended(id)).toMatchObject({ state: 'completed', live: { repaired: true } });
  expect(await digestOfLiving(neu)).toBe(await digestOfLiving(old));
});

it('names that rules change follow, of the types that are selected, over a gap too', async () => {
  const writer = await writes(old, { perSecond: 1_000, keys: 400 });
  const id = await follow({
    rename: [{ from: '^live:(.*)$', to: 'moved:$1:v2' }],
    select: { types: ['string', 'hash'] },
  });
  await old.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await app.reportWhen(id, gaps(1));
  await app.reportWhen(id, inStep);
  await writer.stop();
  expect(await ended(id)).toMatchObject({ state: 'completed', live: { gaps: 1, repaired: true } });
  const place = (database: number, key: Buffer) => {
    const [, type = '', number = ''] = key.toString().split(':');
    return ['string', 'hash'].includes(type) ? { database, key: Buffer.from(`moved:${type}:${number}:v2`) } : undefined;
  };
  const compared = await compareServers(old, neu, place);
  expect(compared.differences).toEqual([]);
  expect(compared.keys).toBeGreaterThan(0);
});

it('sessions that are converted follow, over a gap too', async () => {
  const sessions = Array.from({ length: 40 }, (_, i) => new Version4Session(old.client, `/Shop_${i}`));
  const kept = new Map<Version4Session, string>();
  let written = 0;
  const writer = stage.writer(old, async () => {
    const session = sessions[(written * 7) % 40]!;
    const [ticks, value] = [ticksNow(), String(written++)];
    if (written % 5 === 0) {
      await session.remove();
      kept.delete(session);
    } else if (kept.has(session)) {
      await session.takeLock(ticks);
      await session.update(ticks, { value }, [], 1_200);
      kept.set(session, value);
    } else {
      await session.set({ value }, 1_200);
      kept.set(session, value);
    }
  });
  const id = await follow({ convert: ['aspnet-session-v5'] });
  await old.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await app.reportWhen(id, gaps(1));
  await app.reportWhen(id, inStep);
  await writer.stop();
  expect(await ended(id)).toMatchObject({ state: 'completed', findings: 0, live: { gaps: 1 } });
  for (const session of sessions) {
    const value = kept.get(session);
    const items = value === undefined ? undefined : { value };
    expect((await readVersion5(neu.client, session.appId))?.items).toEqual(items);
  }
  expect(await neu.client.dbsize()).toBe(2 * kept.size);
});

it('what no feed tells is on the target: consumers of streams, and databases that were exchanged', async () => {
  await old.client.select(0);
  await fill(old, 2_000);
  for (const stream of ['one', 'two']) {
    for (let i = 1; i <= 10; i++) await old.client.xadd(stream, `${i}-1`, 'f', String(i));
    await old.client.xgroup('CREATE', stream, 'g', '0');
  }
  const id = await follow({ databases: [0, 1] });
  await old.client.call('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', 5, 'STREAMS', 'one', '>');
  await old.client.xack('one', 'g', '1-1', '2-1');
  const report = await ended(id);
  expect(report).toMatchObject({ state: 'completed', live: { gaps: 0, cutover: { proof: { streams: 2 } } } });
  expect(await digestOfLiving(neu)).toBe(await digestOfLiving(old));

  await neu.client.flushall();
  // Of what was exchanged, far more keys are on the target than belong there.
  const other = await follow({ databases: [0, 1], force: true });
  await old.client.call('SWAPDB', 0, 1);
  await app.reportWhen(other, gaps(1));
  expect(await ended(other)).toMatchObject({ state: 'completed' });
  expect(await digestOfLiving(neu)).toBe(await digestOfLiving(old));
});

it('a source that is emptied is not followed: the target keeps what it has', async () => {
  await fill(old, 3_000);
  const writer = stage.writer(old, (client) => client.set('written', 'x'));
  const id = await follow();
  await old.client.flushall();
  const report = await app.finished(id);
  await writer.stop();
  expect(report).toMatchObject({ state: 'failed', cause: expect.stringContaining('lost data') as string });
  expect(await neu.client.dbsize()).toBe(3_001);
});

it.each(['tracking', 'notifications'] as const)(
  'of a source that is emptied while changes wait nothing is deleted on the target: %s',
  async (feed) => {
    if (feed === 'notifications') await old.client.config('SET', 'notify-keyspace-events', 'EA');
    await fill(old, 20_000);
    const id = await follow({ live: { feed } });
    const lost = old.client.pipeline();
    for (let i = 0; i < 20_000; i++) lost.pexpire(`key:${i}`, 3_600_000);
    await lost.flushall().exec();
    const report = await app.finished(id);
    await old.client.config('SET', 'notify-keyspace-events', '');
    expect(report).toMatchObject({
      state: 'failed',
      cause: expect.stringContaining('lost data') as string,
      live: { feed, deleted: 0 },
    });
    expect(await neu.client.dbsize()).toBe(20_000);
  },
);

it('of a source that comes back with what it had long ago nothing is written over what the target has', async () => {
  await fill(old, 1_000);
  await old.client.save();
  await fill(old, 20_000, { prefix: 'later:' });
  const keys = Array.from({ length: 400 }, (_, i) => `key:${i * 10 + 5}`).filter((_, i) => i < 100);
  for (const key of keys) await old.client.set(key, 'newer');
  const id = await follow();
  const waiting = old.client.pipeline();
  for (let i = 0; i < 20_000; i++) waiting.pexpire(`later:${i}`, 3_600_000);
  for (const key of keys) waiting.set(key, 'newest');
  await waiting.exec();
  await old.server.restart();
  const report = await app.finished(id);
  expect(report).toMatchObject({ state: 'failed', cause: expect.stringContaining('lost data') as string });
  expect(await neu.client.dbsize()).toBe(21_000);
  const values = new Set(await neu.client.mget(keys));
  expect([...values].filter((value) => !['newer', 'newest'].includes(String(value)))).toEqual([]);
});

it('of a source that comes back with as many keys, and older values, nothing is written over what the target has', async () => {
  await fill(old, 2_000);
  await old.client.save();
  const id = await follow();
  const keys = Array.from({ length: 30 }, (_, i) => `key:${i * 10 + 5}`);
  for (const key of keys) await old.client.set(key, 'newest');
  await until(async () => (await neu.client.mget(keys)).every((value) => value === 'newest'));
  // As many that are younger could have been changed in the moment before it ended.
  await sleep(10_000);
  await old.server.restart();
  const report = await app.finished(id);
  expect(report).toMatchObject({ state: 'failed', cause: expect.stringContaining('older data') as string });
  expect(new Set(await neu.client.mget(keys))).toEqual(new Set(['newest']));
  expect(await neu.client.dbsize()).toBe(2_000);
});

it('nor where that happens while a pass repairs a gap', async () => {
  await fill(old, 12_000);
  await old.client.save();
  const id = await follow({ limits: { keysPerSecond: 4_000 } });
  const keys = Array.from({ length: 30 }, (_, i) => `key:${i * 10 + 5}`);
  for (const key of keys) await old.client.set(key, 'newest');
  await until(async () => (await neu.client.mget(keys)).every((value) => value === 'newest'));
  await sleep(10_000);
  await old.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await app.reportWhen(id, ({ live, progress }) => live?.gaps === 1 && live.phase !== 'live' && progress.percent > 5);
  await old.server.restart();
  const report = await app.finished(id);
  expect(report).toMatchObject({ state: 'failed', cause: expect.stringContaining('older data') as string });
  expect(new Set(await neu.client.mget(keys))).toEqual(new Set(['newest']));
  expect(await neu.client.dbsize()).toBe(12_000);
});

it('a source that restarts in the middle of a pass is walked again, and all of it is on the target', async () => {
  await fill(old, 12_000);
  await old.client.save();
  const id = await app.migrate({ source: 'OLD', target: 'NEW', mode: 'live', limits: { keysPerSecond: 4_000 } });
  await app.reportWhen(id, ({ live, progress }) => live?.phase === 'copy' && progress.percent > 20);
  await old.server.restart();
  await old.client.set('after', 'x');
  expect(await ended(id)).toMatchObject({ state: 'completed', live: { repaired: true } });
  expect(await digestOfLiving(neu)).toBe(await digestOfLiving(old));
});

it('with "force" a flush is followed', async () => {
  await fill(old, 3_000);
  const id = await follow({ force: true });
  await old.client.flushall();
  await fill(old, 100, { prefix: 'new:' });
  await app.reportWhen(id, gaps(1));
  expect(await ended(id)).toMatchObject({ state: 'completed' });
  expect(await neu.client.dbsize()).toBe(100);
  expect(await digestOfLiving(neu)).toBe(await digestOfLiving(old));
});

it('an app that is killed has missed changes, and makes them good when it is back', async () => {
  await fill(old, 5_000);
  const writer = await writes(old, { perSecond: 1_000 });
  const id = await follow();
  await app.kill();
  const keys = await old.client.keys('key:*');
  await old.client.del(...keys.slice(0, 500));
  await app.begin();
  await app.reportWhen(id, gaps(1));
  await app.reportWhen(id, inStep);
  await writer.stop();
  expect(await ended(id)).toMatchObject({ state: 'completed', live: { gaps: 1 } });
  expect(await digestOfLiving(neu)).toBe(await digestOfLiving(old));
});

/** The connections by which the source tells what changes. */
async function readers(): Promise<string[]> {
  const clients = String(await old.client.client('LIST', 'TYPE', 'PUBSUB'));
  return Array.from(clients.matchAll(/^id=(\d+)/gm), ([, client = '']) => client);
}

it('one reader that is cut off leaves no gap: the other one goes on', async () => {
  await fill(old, 5_000);
  const writer = await writes(old, { perSecond: 1_000 });
  const id = await follow();
  for (let cuts = 1; cuts <= 3; cuts++) {
    await until(async () => (await readers()).length === 2);
    await covered(id, app);
    const [first = ''] = await readers();
    await old.client.client('KILL', 'ID', first);
  }
  await covered(id, app);
  expect(await app.report(id)).toMatchObject({ live: { gaps: 0, lastGap: null } });
  await writer.stop();
  const report = await ended(id);
  expect(report).toMatchObject({ state: 'completed', live: { gaps: 0 } });
  expect(report.live?.takeovers).toBeGreaterThan(0);
  expect(await digestOfLiving(neu)).toBe(await digestOfLiving(old));
});

it('a source or a target that restarts is a gap', async () => {
  await fill(old, 5_000);
  await Promise.all([old, neu].map(({ client }) => client.save()));
  const id = await follow();
  await old.client.save();
  await old.server.restart();
  await app.reportWhen(id, gaps(1));
  await app.reportWhen(id, inStep);
  // Without what was written since it was saved.
  await neu.server.restart();
  await app.reportWhen(id, gaps(2));
  await old.client.set('after', 'x');
  expect(await ended(id)).toMatchObject({ state: 'completed' });
  expect(await digestOfLiving(neu)).toBe(await digestOfLiving(old));
});

it('a database that was empty and is written to ends it: it would not be followed', async () => {
  await fill(old, 100);
  const id = await follow();
  await old.client.select(3);
  await old.client.set('elsewhere', 'x');
  await old.client.select(0);
  expect(await app.finished(id)).toMatchObject({ state: 'failed', cause: expect.stringContaining('[0, 3]') as string });
});

it('is cancelled while it follows, and writes nothing from then on', async () => {
  await fill(old, 1_000);
  const id = await follow();
  await app.request('DELETE', `/api/migrations/${id}`);
  expect(await app.finished(id)).toMatchObject({ state: 'cancelled' });
  await old.client.set('later', 'x');
  await sleep(1_500);
  expect(await neu.client.exists('later')).toBe(0);
});

it('there is no way back from keys that were renamed, and the cut-over is not begun', async () => {
  await fill(old, 100);
  const id = await follow({ rename: [{ from: '^key:', to: 'moved:' }] });
  const asked = await app.request('POST', `/api/migrations/${id}/cutover`, { reverse: true });
  expect(asked).toMatchObject({ status: 409, body: { error: { code: 'notReady' } } });
  const wrong = await app.request('POST', `/api/migrations/${id}/cutover`, { reversed: true });
  expect(wrong).toMatchObject({ status: 400, body: { error: { details: [{ path: 'reversed' }] } } });
  expect((await app.report(id)).live?.cutover).toBeNull();
  await ended(id);
  const late = await app.request('POST', `/api/migrations/${id}/cutover`, { reverse: true });
  expect(late).toMatchObject({ status: 409, body: { error: { code: 'notReady' } } });
  expect((await cutOver(id)).status).toBe(202);
});

it('is refused where it could do harm, or would not prove anything', async () => {
  const codes = async (changes: object) =>
    (await app.refused({ source: 'OLD', target: 'NEW', mode: 'live', ...changes })).body.error;
  await neu.client.set('mine', 'x');
  expect(await codes({})).toMatchObject({ code: 'targetNotEmpty' });
  await neu.client.flushall();
  const { code, details } = await codes({
    rename: [{ from: 'a', to: 'b' }],
    convert: ['aspnet-session-v5'],
    select: { types: ['hash'] },
    onConflict: 'skip',
  });
  expect([code, details.map(({ path }) => path).sort()]).toEqual(['badRequest', ['convert', 'onConflict', 'rename']]);
  expect(await codes({ databases: { 0: 'a', 1: 'ab' } })).toMatchObject({ code: 'databasesCollide' });
  expect(await codes({ live: { feed: 'notifications' } })).toMatchObject({ code: 'cannotFollow' });
  await old.client.config('SET', 'maxmemory', '20mb');
  await old.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
  expect(await codes({})).toMatchObject({ code: 'cannotFollow', message: expect.stringContaining('evicts') as string });
});

it('between servers of other versions it stays in step over many messages, without a gap', async () => {
  const names = ['redis-7.0', 'redis-8.0', 'valkey-8.1'] as const;
  const pairs = await Promise.all(
    names.map(async (name, i) => ({ i, from: await stage.side(name), to: await stage.side(name) })),
  );
  const sides = pairs.flatMap(({ i, from, to }): [string, Side][] => [
    [`OLD${i}`, from],
    [`NEW${i}`, to],
  ]);
  const other = await stage.app({
    ...stage.connections(Object.fromEntries(sides)),
    KEYFERRY_RANGE_SECONDS: '1',
    KEYFERRY_SILENCE_SECONDS: '3',
    KEYFERRY_CHECKPOINT_SECONDS: '1',
  });
  await Promise.all(
    pairs.map(async ({ i, from, to }) => {
      await fill(from, 5_000);
      const writer = await writes(from, { perSecond: 1_000, seed: 7 });
      const id = await other.migrate({ source: `OLD${i}`, target: `NEW${i}`, mode: 'live' });
      await other.reportWhen(id, inStep);
      await sleep(4_000);
      expect(await other.report(id)).toMatchObject({ live: { gaps: 0, feed: 'tracking' } });
      await other.request('POST', `/api/migrations/${id}/cutover`);
      await writer.stop();
      expect(await other.finished(id)).toMatchObject({ state: 'completed', live: { gaps: 0 } });
      expect(await digestOfLiving(to)).toBe(await digestOfLiving(from));
    }),
  );
  await other.remove();
});
