import { FollowJob, type Holder } from '../../src/live/follow-job';
import { ChangedNames, keyOf } from '../../src/live/changed-names';
import { NameApplier } from '../../src/live/apply-names';
import type { Feed } from '../../src/redis/feed-connection';
import { StoppedError } from '../../src/migration/stop';
import { preparePlan } from '../../src/start/prepare-plan';
import { compareServers, Stage, type Side } from '../tools/stage';
import type { TestApp } from '../tools/test-app';
import { startProxy } from '../../local/servers/proxy';
import { aMigration, aRequest } from '../tools/rows';
import { options as sessionOptions } from '../convert/sessions/support/conversion';
import { streamOf, ticksNow, Version4Session } from '../convert/sessions/support/version4';
import { dataName, readVersion5, timeoutName, writeVersion5 } from '../convert/sessions/support/version5';

const stage = new Stage();
let old: Side;
let neu: Side;
let app: TestApp;
let feed: Feed;
let names: ChangedNames;
let job: FollowJob;
let applier: NameApplier;
let makeApplier: (changes: Parameters<typeof aRequest>[0], targetKeysAtStart?: number) => NameApplier;
let mayWork = true;
let beforeDeletion: () => Promise<void> = () => Promise.resolve();

const holder: Holder = {
  generation: 1,
  mayWork: () => mayWork,
  trouble: () => undefined,
  doubtClocks: () => undefined,
  beginTemporaryKeys: () => Promise.resolve(),
};

beforeAll(async () => {
  old = await stage.side('redis-6.0');
  neu = await stage.side('redis-7.0');
  app = await stage.testApp({ OLD: old, NEW: neu }, { KEYFERRY_BIG_KEY_MIB: '0.05' });
  const plan = await preparePlan(aRequest({ mode: 'live', databases: [0] }), app);
  expect(plan.feeds).toEqual(['tracking']);
  makeApplier = (changes, targetKeysAtStart = 0) => {
    const request = aRequest({ ...plan.request, ...changes });
    const migration = aMigration({ plan: { ...plan, request, targetKeysAtStart } });
    job = new FollowJob(migration, 0, plan.source.runId, [], holder);
    return new NameApplier(job, app, () => beforeDeletion());
  };
  names = new ChangedNames({ lanes: 1, mostBytes: 1e9 });
  feed = await app.connections.feed('OLD', plan.feeds ?? [], {
    onNames: (all) => {
      for (const name of all) names.note(name);
    },
    onFlush: () => undefined,
    onGap: () => undefined,
  });
});

afterAll(async () => {
  feed.close();
  await stage.clear();
});

beforeEach(async () => {
  await old.client.flushall();
  await neu.client.flushall();
  await feed.barrier();
  names.clear();
  applier = makeApplier({});
  beforeDeletion = () => Promise.resolve();
});

/** Applies all that the source has told up to now. */
async function applyAll(): Promise<void> {
  await feed.barrier();
  const taken = names.take(0, 10_000, true);
  const { readMs } = await applier.apply(taken.map(({ name }) => keyOf(name)));
  taken.forEach((changed, i) => {
    names.done(0, changed, readMs[i] ?? 0);
  });
}

const applied = (...keys: string[]) => applier.apply(keys.map((key) => Buffer.from(key)));

const differences = async () => (await compareServers(old, neu)).differences;

it('brings keys of all types as they are, with their expiries, and takes away what is gone', async () => {
  const { client } = old;
  await client.mset('a', '1', 'b', '2');
  await client.hset('hash', { f: '1' });
  await client.rpush('list', 'x', 'y');
  await client.sadd('set', 'x');
  await client.zadd('zset', 1, 'x');
  await client.xadd('stream', '1-1', 'f', 'v');
  await client.xgroup('CREATE', 'stream', 'g', '0');
  await client.set('expiring', 'x', 'PX', 3_600_000);
  await client.set('big', 'x'.repeat(200_000));
  await applyAll();
  expect(await differences()).toEqual([]);
  await client.del('a');
  await client.rename('hash', 'renamed');
  await client.persist('expiring');
  await client.set('big', 'y'.repeat(200_000));
  await client.pexpire('list', 3_600_000);
  await client.del('set');
  await client.rpush('set', 'another type');
  await applyAll();
  expect(await differences()).toEqual([]);
  expect(await neu.client.exists('a', 'hash')).toBe(0);
});

it('a key that has expired before it is written is not left as it was', async () => {
  await old.client.set('k', 'old');
  await applyAll();
  for (let i = 0; i < 20; i++) {
    await old.client.set('k', `new ${i}`, 'PX', 1 + (i % 3));
    await applyAll();
    await new Promise((resolve) => setTimeout(resolve, 5));
    // Nobody has met it on the source since: no feed tells.
    expect(await neu.client.get('k')).toBeNull();
    await old.client.set('k', 'old');
    await applyAll();
  }
});

it('a clock that was set since it was measured is measured anew, and what stays doubtful is given back', async () => {
  const real = await app.clocks.offset(
    { name: 'OLD', connection: app.connections.get('OLD', 0) },
    { name: 'NEW', connection: app.connections.get('NEW', 0) },
  );
  const stale = { ...real, targetMinusSource: real.targetMinusSource - 3_600_000 };
  const forget = jest.spyOn(app.clocks, 'forget');
  const offset = jest.spyOn(app.clocks, 'offset').mockResolvedValueOnce(stale);
  try {
    const session = new Version4Session(old.client, '/Shop_1', true);
    await old.client.set('small', 'x', 'PX', 600_000);
    await old.client.set('big', 'x'.repeat(200_000), 'PX', 600_000);
    await session.set({ a: 'one' }, 1_200);
    await applied('small', 'big');
    expect(await neu.client.exists('small', 'big')).toBe(2);
    expect(forget).toHaveBeenCalledTimes(2);
    applier = makeApplier({ convert: [sessionOptions] });
    offset.mockResolvedValueOnce(stale);
    await applied(session.data);
    expect(await readVersion5(neu.client, '/Shop_1')).toBeDefined();
    expect(forget).toHaveBeenCalledTimes(4);
    offset.mockResolvedValue(stale);
    for (const key of ['small', session.data]) {
      applier = makeApplier({ convert: [sessionOptions] });
      await expect(applied(key)).rejects.toThrow('may have been set');
    }
  } finally {
    offset.mockRestore();
    forget.mockRestore();
  }
});

it('a walk that read a key before a change and wrote it after that was applied is put right by the second application', async () => {
  names.keep();
  await old.client.mset('changed', 'old', 'deleted', 'x');
  const stale = await Promise.all(['changed', 'deleted'].map((key) => old.client.dumpBuffer(key)));
  await old.client.set('changed', 'new');
  await old.client.del('deleted');
  await applyAll();
  for (const [i, key] of ['changed', 'deleted'].entries()) {
    await neu.client.restore(key, 0, stale[i] ?? '', 'REPLACE');
  }
  // All that was told is applied, and nothing more would ever come.
  expect(names.isAppliedUpTo(names.told)).toBe(true);
  expect((await differences()).length).toBe(2);
  names.release();
  await applyAll();
  expect(await differences()).toEqual([]);
});

it('a thousand writes against a walk leave nothing behind', async () => {
  names.keep();
  let state = 1;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const pages: { key: string; value: Buffer | null }[][] = [];
  for (let round = 0; round < 60; round++) {
    for (let i = 0; i < 20; i++) {
      const key = `k${random(100)}`;
      if (random(4) === 0) await old.client.del(key);
      else await old.client.set(key, `${round} ${i}`);
    }
    const keys = Array.from({ length: 5 }, () => `k${random(100)}`);
    const page = keys.map(async (key) => ({ key, value: await old.client.dumpBuffer(key) }));
    pages.push(await Promise.all(page));
    await applyAll();
    // A page is written three rounds after it was read.
    for (const { key, value } of pages.length > 3 ? (pages.shift() ?? []) : []) {
      if (value !== null) await neu.client.restore(key, 0, value, 'REPLACE');
    }
  }
  expect((await differences()).length).toBeGreaterThan(0);
  names.release();
  await applyAll();
  expect(await differences()).toEqual([]);
});

it('deletes nothing where it turns out that the source was emptied, or the following lost', async () => {
  await old.client.mset('a', '1', 'b', '2');
  await applyAll();
  await old.client.flushall();
  beforeDeletion = () => Promise.reject(new StoppedError('lost'));
  await expect(applier.apply([Buffer.from('a')])).rejects.toThrow(StoppedError);
  beforeDeletion = () => {
    mayWork = false;
    return Promise.resolve();
  };
  await expect(applier.apply([Buffer.from('a')])).rejects.toThrow(StoppedError);
  mayWork = true;
  expect(await neu.client.dbsize()).toBe(2);
});

it('counts what it deletes, and asks nobody where there is nothing to delete', async () => {
  await old.client.mset('a', '1', 'b', '2');
  await applyAll();
  await old.client.del('a', 'b');
  expect(await applied('a', 'never', 'there')).toMatchObject({ written: 0, deleted: 1 });
  beforeDeletion = () => Promise.reject(new StoppedError('lost'));
  expect(await applied('a', 'never')).toMatchObject({ written: 0, deleted: 0 });
  await expect(applied('a', 'b')).rejects.toThrow(StoppedError);
  expect(await neu.client.exists('b')).toBe(1);
});

it('counts what it deletes where the answer is lost, and looks at the source again before it asks once more', async () => {
  let isLost = false;
  const proxy = await startProxy(neu.server.port, (client, server) => {
    let isMute = false;
    client.on('data', (chunk) => {
      server.write(chunk);
      if (isLost || !chunk.includes('UNLINK')) return;
      [isLost, isMute] = [true, true];
      setTimeout(() => client.destroy(), 50);
    });
    server.on('data', (chunk) => isMute || client.write(chunk));
  });
  try {
    const cutOff = await stage.testApp({ OLD: old }, { REDIS_NEW: proxy.url });
    let looks = 0;
    const looked = () => {
      looks++;
      return Promise.resolve();
    };
    await neu.client.mset('a', '1', 'b', '2');
    const counted = await new NameApplier(job, cutOff, looked).apply(['a', 'b', 'c'].map((key) => Buffer.from(key)));
    expect(isLost).toBe(true);
    expect(counted.deleted).toBe(2);
    expect(looks).toBe(2);
    expect(await neu.client.dbsize()).toBe(0);
  } finally {
    await proxy.close();
  }
});

it('tells what the source has otherwise than it was applied: changed, gone, or back; not what is told by nobody', async () => {
  const { client } = old;
  await client.mset('same', '1', 'changed', '1', 'gone', '1', 'lost', '1', 'back', '1', 'away', '1', 'never', '1');
  await client.xadd('stream', '1-1', 'f', 'v');
  await client.xgroup('CREATE', 'stream', 'g', '0');
  const all = ['same', 'changed', 'gone', 'lost', 'back', 'away', 'never', 'stream'];
  await applied(...all);
  await client.del('back', 'away', 'never');
  const { asTheyAre } = await applied(...all);
  const seen = all.map((key) => ({ key: Buffer.from(key), isThere: asTheyAre.get(key) ?? true }));
  expect(seen.filter(({ isThere }) => !isThere).map(({ key }) => key.toString())).toEqual(['back', 'away', 'never']);
  await client.mset('changed', '2', 'back', '1');
  await client.del('gone');
  await client.xreadgroup('GROUP', 'g', 'c', 'STREAMS', 'stream', '>');
  await neu.client.del('lost');
  await neu.client.set('away', 'of somebody');
  const differing = await applier.differing(seen);
  expect([...differing].map((place) => all[place]).sort()).toEqual(['back', 'changed', 'gone']);
});

it('of keys whose names others may have it does not say that both sides have them as they are', async () => {
  applier = makeApplier({ rename: [{ from: '^a:', to: 'b:' }] });
  await old.client.mset('a:1', 'x', 'b:1', 'y');
  expect((await applied('a:1', 'b:1')).asTheyAre.size).toBe(0);
});

it('finds the streams that have groups', async () => {
  await old.client.xadd('plain', '1-1', 'f', 'v');
  await old.client.xadd('grouped', '1-1', 'f', 'v');
  await old.client.xgroup('CREATE', 'grouped', 'g', '0');
  await old.client.set('other', 'x');
  expect((await applier.streamsWithGroups()).map(String)).toEqual(['grouped']);
});

it('names that rules change follow, and one that two keys share goes with the last of them', async () => {
  applier = makeApplier({ rename: [{ from: '^old:(.*)$', to: 'new:$1' }] });
  await old.client.mset('old:a', '1', 'new:b', '2', 'c', '3');
  await applyAll();
  expect((await neu.client.keys('*')).sort()).toEqual(['c', 'new:a', 'new:b']);
  await old.client.mset('new:a', 'other', 'old:b', 'other');
  await old.client.del('new:b', 'c');
  await applyAll();
  expect(await neu.client.mget('new:a', 'new:b', 'c')).toEqual([expect.any(String), 'other', null]);
  // Whichever was written last: it is deleted, and the other one's value comes in its place.
  for (const [gone, stays] of [
    ['old:a', 'new:a'],
    ['new:a', 'old:a'],
  ] as const) {
    await old.client.mset(gone, 'gone', stays, 'stays');
    await applied(stays, gone);
    await old.client.del(gone);
    expect(await applied(gone)).toMatchObject({ written: 1, deleted: 0 });
    expect(await neu.client.get('new:a')).toBe('stays');
  }
  await old.client.del('old:a');
  expect(await applied('old:a', 'new:a')).toMatchObject({ written: 0, deleted: 1 });
  expect(await neu.client.exists('new:a')).toBe(0);
});

it('findings of keys that come in the place of others are told', async () => {
  applier = makeApplier({ rename: [{ from: '^old:', to: '' }] });
  await old.client.set('a', 'x');
  await old.client.set('old:a', 'x');
  const { keys } = await applied('old:a');
  expect(keys.map(String)).toEqual(['old:a']);
  await old.client.del('old:a');
  expect((await applied('old:a')).keys.map(String)).toEqual(['old:a', 'a']);
});

it('of selected types only those follow, and a key that changes its type comes and goes', async () => {
  applier = makeApplier({ select: { match: [], exclude: ['not:*'], types: ['hash'] } }, 1);
  await old.client.hset('hash', { f: '1' });
  await old.client.mset('string', 'x', 'theirs', 'x');
  await neu.client.set('theirs', 'of others');
  await applyAll();
  expect((await neu.client.keys('*')).sort()).toEqual(['hash', 'theirs']);
  await old.client.del('hash', 'string', 'theirs');
  await old.client.set('hash', 'no hash any more');
  await old.client.hset('string', { f: '2' });
  await applyAll();
  expect((await neu.client.keys('*')).sort()).toEqual(['string', 'theirs']);
  expect(await neu.client.get('theirs')).toBe('of others');
});

it('of two keys that share a name one that is of a type that is not selected is none', async () => {
  applier = makeApplier({ select: { match: [], exclude: [], types: ['hash'] }, rename: [{ from: '^old:', to: '' }] });
  await old.client.hset('old:a', { f: '1' });
  await old.client.set('a', 'x');
  await applied('old:a', 'a');
  expect(await neu.client.hgetall('a')).toEqual({ f: '1' });
  await old.client.del('old:a');
  await applied('old:a');
  expect(await neu.client.exists('a')).toBe(0);
  // One that changed its type between the look at that and its reading. The target had nothing before.
  await neu.client.set('a', 'x');
  await applied('a');
  expect(await neu.client.exists('a')).toBe(0);
});

describe('sessions that are converted', () => {
  const A = '/Shop_0a1b2c3d4e5f';
  const session = (braced = true) => new Version4Session(old.client, A, braced);
  const there = async () => (await readVersion5(neu.client, A))?.items;

  beforeEach(() => {
    applier = makeApplier({ convert: [{ ...sessionOptions, braceless: true }] });
  });

  it('are converted anew with each change, locked or not, and go where they end', async () => {
    await session().set({ a: 'one' }, 1_200);
    await applyAll();
    expect(await there()).toEqual({ a: 'one' });
    const ticks = ticksNow();
    await session().takeLock(ticks);
    await applyAll();
    await session().update(ticks, { a: 'two' }, [], 600);
    await applyAll();
    expect(await there()).toEqual({ a: 'two' });
    // Without any of its expiries it looks like one of version 5's own.
    await old.client.persist(session().data);
    await old.client.del(session().internal);
    await applyAll();
    await old.client.hset(session().data, 'a', streamOf('three'));
    await applyAll();
    expect(await there()).toEqual({ a: 'three' });
    expect(await neu.client.dbsize()).toBe(1);
    await session().remove();
    await applyAll();
    expect(await neu.client.dbsize()).toBe(0);
  });

  it('give way to one of version 5, and to one with braces, and come back when it goes', async () => {
    await session(false).set({ a: 'braceless' }, 1_200);
    await applyAll();
    expect(await there()).toEqual({ a: 'braceless' });
    await session().set({ a: 'four' }, 1_200);
    await applyAll();
    expect(await there()).toEqual({ a: 'four' });
    await writeVersion5(old.client, A, { a: 'five' }, 600);
    await applyAll();
    expect(await there()).toEqual({ a: 'five' });
    await old.client.del(dataName(A), timeoutName(A));
    await applyAll();
    expect(await there()).toEqual({ a: 'four' });
    await session().remove();
    await applyAll();
    expect(await there()).toEqual({ a: 'braceless' });
    await session(false).remove();
    await applyAll();
    expect(await neu.client.dbsize()).toBe(0);
  });

  it('are findings as long as they cannot be converted, and what only looks like one goes as it is', async () => {
    await session().set({ a: 'one' }, 1_200);
    await applyAll();
    await old.client.hset(session().data, 'b', Buffer.from('00010000ffff', 'hex'));
    const { findings } = await applied(session().internal);
    expect(findings.map(({ key }) => key.toString())).toEqual([session().data]);
    expect(await there()).toEqual({ a: 'one' });
    await old.client.hdel(session().data, 'b');
    expect(await applied(session().internal)).toMatchObject({
      findings: [],
      keys: expect.arrayContaining([Buffer.from(session().data)]) as unknown,
    });
    await session().remove();
    await old.client.hset(session().data, { f: 'of somebody' });
    await applyAll();
    expect(await neu.client.keys('*')).toEqual([session().data]);
    await old.client.del(session().data);
    await applyAll();
    expect(await neu.client.dbsize()).toBe(0);
  });

  it('tell what reading them took, each for itself', async () => {
    const big = new Version4Session(old.client, '/Big_1', true);
    await big.set({ a: 'x'.repeat(1_000_000) }, 1_200);
    await session().set({ a: 'one' }, 1_200);
    await old.client.set('plain', 'x'.repeat(20_000));
    const { readMs } = await applied(big.internal, big.data, session().internal, 'plain', 'never there');
    const [internal = 0, data, small = 0, plain, none] = readMs;
    expect(internal).toBeGreaterThan(small * 100);
    expect(data).toBe(internal);
    expect(small).toBeGreaterThan(0);
    expect(plain).toBeGreaterThan(0);
    expect(none).toBe(0);
  });

  it('keep what the target had of the old form, where it had keys before', async () => {
    applier = makeApplier({ convert: [sessionOptions] }, 1);
    await session().set({ a: 'one' }, 1_200);
    await neu.client.hset(session().data, 'theirs', 'x');
    await applyAll();
    expect((await neu.client.keys('*')).sort()).toEqual([session().data, dataName(A), timeoutName(A)].sort());
  });

  it('entries of the distributed cache follow, and what is none', async () => {
    applier = makeApplier({
      convert: [{ converter: 'distributed-cache', to: 'strings', instanceName: 'S:', sliding: 'refuse' }],
    });
    const entry = { absexp: '-1', sldexp: '-1', data: 'one' };
    await old.client.hset('S:entry', entry);
    await old.client.hset('S:slides', { ...entry, sldexp: '10000000' });
    await old.client.rpush('S:list', 'x');
    await old.client.set('other', 'x');
    await feed.barrier();
    const { findings, asTheyAre } = await applied('S:entry', 'S:slides', 'S:list', 'other');
    expect(findings).toMatchObject([{ code: 'cache-sliding' }]);
    expect([...asTheyAre]).toEqual([['other', true]]);
    expect([await neu.client.get('S:entry'), await neu.client.type('S:list')]).toEqual(['one', 'list']);
    await old.client.hset('S:entry', 'data', 'two');
    await old.client.del('S:list', 'other');
    await applyAll();
    expect(await neu.client.get('S:entry')).toBe('two');
    await old.client.del('S:entry');
    await applyAll();
    expect(await neu.client.dbsize()).toBe(0);
  });
});
