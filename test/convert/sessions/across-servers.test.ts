import { pause } from '../../../src/migration/stop';
import { serverNames, type ServerName } from '../../../local/servers/server-names';
import type { RedisConnection } from '../../../src/redis/connection';
import { startTestServer, type TestServer } from '../../tools/test-server';
import { convertAll, kinds, watched, type Conversion } from './support/conversion';
import { ticksNow, Version4Session, type Items } from './support/version4';
import { dataName, readVersion5, timeoutName, touchVersion5, writeVersion5 } from './support/version5';

const A = '/Shop_0a1b2c3d4e5f0a1b2c3d4e5f';
const sources: Readonly<Record<ServerName, ServerName>> = {
  'redis-6.0': 'redis-6.0',
  'redis-7.0': 'redis-6.0',
  'redis-8.0': 'redis-7.0',
  'valkey-8.1': 'redis-8.0',
};

describe.each(serverNames)('sessions converted into %s', (targetName) => {
  let source: TestServer;
  let target: TestServer;
  let from: RedisConnection;
  let to: RedisConnection;

  beforeAll(async () => {
    [source, target] = await Promise.all([startTestServer(sources[targetName]), startTestServer(targetName)]);
    [from, to] = await Promise.all([source.connect(), target.connect()]);
  });
  afterEach(async () => {
    await Promise.all([source.client.flushall(), target.client.flushall()]);
  });
  afterAll(async () => {
    await Promise.all([source.close(), target.close()]);
  });

  const session = (appId = A, braced = true) => new Version4Session(source.client, appId, braced);
  const read = (appId = A) => readVersion5(target.client, appId);
  const convert = (conversion: Conversion = {}) => convertAll(from, to, conversion);
  const write = async (items: Items, timeout = 1_200) => {
    await session().set(items, timeout);
  };
  const itemsNow = async () => (await read())?.items;

  it('has items, timeout and remaining life, and nothing else', async () => {
    await write({ a: 'one', b: '' });
    await source.client.pexpire(session().data, 555_000);
    const done = await convert();
    expect(kinds(done)).toEqual({ converted: 1 });
    expect(done).toMatchObject({ members: 1, skipped: 0, conflicts: 0, gone: 0, plain: [] });
    // Time goes on between the looks, on both servers alike.
    const before = await source.client.pttl(session().data);
    const there = (await read())!;
    const after = await source.client.pttl(session().data);
    expect(there).toMatchObject({ items: { a: 'one', b: '' }, timeout: '1200' });
    for (const ttl of [there.ttl, there.timeoutTtl]) {
      expect(ttl).toBeGreaterThan(after - 10);
      expect(ttl).toBeLessThan(before + 10);
    }
    expect(await target.client.dbsize()).toBe(2);
    expect((await source.client.keys('*')).sort()).toEqual([session().data, session().internal].sort());
  });

  it('lives as long as its timeout where version 4 forgot to say how long', async () => {
    await write({ a: 'one' });
    await source.client.persist(session().data);
    await convert();
    const { ttl } = (await read())!;
    expect(ttl).toBeGreaterThan(1_190_000);
    expect(ttl).toBeLessThanOrEqual(1_200_000);
  });

  it('has no timeout where version 4 has none, or the given one', async () => {
    await write({ a: 'one' });
    await source.client.del(session().internal);
    await source.client.pexpire(session().data, 500_000);
    expect(kinds(await convert())).toEqual({ converted: 1 });
    expect(await read()).toMatchObject({ items: { a: 'one' }, timeout: null, timeoutTtl: -2 });
    // Once more: nothing is different, and nothing is told to be.
    expect(kinds(await convert())).toEqual({ converted: 1 });
    await target.client.flushall();
    await source.client.persist(session().data);
    expect(kinds(await convert())).toEqual({ converted: 1 });
    expect(await read()).toMatchObject({ timeout: null, ttl: -1 });
    await target.client.flushall();
    expect(kinds(await convert({ options: { defaultTimeoutSeconds: 600 } }))).toEqual({ converted: 1 });
    expect(await read()).toMatchObject({ timeout: '600' });
    expect((await read())?.ttl).toBeGreaterThan(590_000);
  });

  it('is converted anew, however often, until version 5 comes near it', async () => {
    await write({ a: 'one' });
    await convert();
    await write({ a: 'two', b: 'new' });
    expect(kinds(await convert())).toEqual({ converted: 1 });
    expect(await itemsNow()).toEqual({ a: 'two', b: 'new' });
    expect(kinds(await convert())).toEqual({ converted: 1 });
    await touchVersion5(target.client, A);
    await write({ a: 'three' });
    expect(kinds(await convert())).toEqual({ conflict: 1 });
    expect(await itemsNow()).toEqual({ a: 'two', b: 'new' });
  });

  it('gets no shorter life from a conversion after version 5 has read it', async () => {
    await write({ a: 'one' });
    await source.client.pexpire(session().data, 10_000);
    await convert();
    await touchVersion5(target.client, A);
    expect(kinds(await convert())).toEqual({ conflict: 1 });
    expect((await read())?.ttl).toBeGreaterThan(1_000_000);
  });

  it('gives way to version 5, unless forced', async () => {
    await write({ a: 'four' });
    await writeVersion5(target.client, A, { a: 'five' }, 600);
    expect(kinds(await convert())).toEqual({ conflict: 1 });
    expect(await read()).toMatchObject({ items: { a: 'five' }, timeout: '600' });
    expect(kinds(await convert({ options: { force: true } }))).toEqual({ converted: 1 });
    expect(await read()).toMatchObject({ items: { a: 'four' }, timeout: '1200' });
    await target.client.flushall();
    await target.client.rpush(dataName(A), 'a list of somebody');
    expect(kinds(await convert())).toEqual({ conflict: 1 });
    expect(await target.client.type(dataName(A))).toBe('list');
    expect(kinds(await convert({ options: { force: true } }))).toEqual({ converted: 1 });
  });

  it('is left to version 5 where the source has it in both forms, unless forced', async () => {
    await write({ a: 'four' });
    await writeVersion5(source.client, A, { a: 'five' }, 600);
    const done = await convert();
    expect(done).toMatchObject({ outcomes: [], conflicts: 1, members: 1, plain: [] });
    expect(await read()).toBeUndefined();
    const forced = await convert({ options: { force: true } });
    expect(kinds(forced)).toEqual({ converted: 1 });
    // Version 5's two keys on the source are not copied over what was made of version 4's.
    expect(forced).toMatchObject({ conflicts: 0, members: 1, skipped: 2, plain: [] });
    await session().remove();
    expect((await convert({ options: { force: true } })).plain).toHaveLength(2);
  });

  it('is written once more when version 4 changes it between reading and writing', async () => {
    await write({ a: 'one', gone: 'x' });
    let changed = false;
    const late = watched(to, {
      after: async () => {
        if (changed || (await itemsNow()) === undefined) return;
        changed = true;
        const ticks = ticksNow();
        await session().takeLock(ticks);
        await session().update(ticks, { a: 'two', b: 'three' }, ['gone'], 600);
      },
    });
    expect(kinds(await convertAll(from, late))).toEqual({ converted: 1 });
    expect(await read()).toMatchObject({ items: { a: 'two', b: 'three' }, timeout: '600' });
  });

  it('does not come to life again when it is abandoned between reading and writing', async () => {
    await write({ a: 'one' });
    const late = watched(to, { before: () => session().remove() });
    expect(kinds(await convertAll(from, late))).toEqual({ expired: 1 });
    expect(await target.client.dbsize()).toBe(0);
    // Nor does what an earlier conversion left of it.
    await write({ a: 'one' });
    await convert();
    await write({ a: 'two' });
    expect(kinds(await convertAll(from, late))).toEqual({ expired: 1 });
    expect(await target.client.dbsize()).toBe(0);
    // Where changes are followed it may have gone with all others: whoever follows looks at that before it deletes.
    await write({ a: 'one' });
    await convert();
    const kept = await target.client.dbsize();
    await write({ a: 'two' });
    expect(kinds(await convertAll(from, late, { servers: { follows: true } }))).toEqual({ expired: 1 });
    expect(await target.client.dbsize()).toBe(kept);
  });

  it('never gets an older state from a slow conversion than a fast one has written', async () => {
    await write({ a: 'one' });
    await convert();
    await target.client.flushall();
    let overtaken = false;
    // The slow one has read the session when the fast one converts a newer state, and is cut off right after it has written.
    const slow = watched(to, {
      before: async () => {
        overtaken = true;
        await write({ a: 'two' });
        expect(kinds(await convert())).toEqual({ converted: 1 });
      },
      after: () => {
        throw new Error('cut off');
      },
    });
    await expect(convertAll(from, slow)).rejects.toThrow('cut off');
    expect(overtaken).toBe(true);
    expect(await itemsNow()).toEqual({ a: 'two' });
  });

  it('waits for the end of a request, or converts at once', async () => {
    await write({ a: 'one' });
    const ticks = ticksNow();
    await session().takeLock(ticks);
    setTimeout(() => void session().update(ticks, { a: 'two' }, [], 1_200), 700);
    expect(await convert()).toMatchObject({ outcomes: [{ kind: 'converted' }] });
    expect(await itemsNow()).toEqual({ a: 'two' });
    await session().takeLock(ticksNow());
    await target.client.flushall();
    const started = Date.now();
    const done = await convert({ options: { onLocked: 'convert' } });
    // Locks are waited for 10 s.
    expect(Date.now() - started).toBeLessThan(8_000);
    expect(kinds(done)).toEqual({ converted: 1 });
    expect(done.skipped).toBe(1);
    expect(await target.client.dbsize()).toBe(2);
  });

  it('stops waiting for locks when it must', async () => {
    await write({ a: 'one' });
    await session().takeLock(ticksNow());
    const end = Date.now() + 400;
    const check = () => {
      if (Date.now() > end) throw new Error('stopped');
    };
    await expect(convert({ pause: (ms) => pause(ms, { check }) })).rejects.toThrow('stopped');
    expect(Date.now() - end).toBeLessThan(8_000);
  });

  it('is not converted with its last breath', async () => {
    await write({ a: 'one' });
    await source.client.pexpire(session().data, 25);
    const late = watched(to, { before: () => new Promise((resolve) => setTimeout(resolve, 30)) });
    expect((await convertAll(from, late)).outcomes.map(({ kind }) => kind)).not.toContain('failed');
    expect(await target.client.dbsize()).toBe(0);
  });

  it('with braces goes before one of the same name without', async () => {
    await session(A, false).set({ a: 'old' }, 1_200);
    expect(kinds(await convert({ options: { braceless: true } }))).toEqual({ converted: 1 });
    expect(await itemsNow()).toEqual({ a: 'old' });
    await write({ a: 'new' });
    const done = await convert({ options: { braceless: true } });
    expect(kinds(done)).toEqual({ converted: 1 });
    expect(done.conflicts).toBe(1);
    expect(await itemsNow()).toEqual({ a: 'new' });
    expect((await convert()).plain).toEqual([]);
  });

  it('gets the names that rename and prefix give', async () => {
    await write({ a: 'one' });
    await convert({ naming: (key) => Buffer.concat([Buffer.from('db1:'), key]) });
    expect((await target.client.keys('*')).sort()).toEqual([`db1:${dataName(A)}`, `db1:${timeoutName(A)}`]);
  });

  it('is refused by itself where its values cannot be read, and others are converted', async () => {
    await write({ a: 'one' });
    const other = new Version4Session(source.client, '/_other');
    await other.set({ a: 'x' }, 1_200);
    await source.client.hset(other.data, 'json', '{"a":1}');
    const done = await convert();
    expect(kinds(done)).toEqual({ converted: 1, 'session-not-binary-formatter': 1 });
    expect(await read('/_other')).toBeUndefined();
  });

  it('comes in great numbers and sizes', async () => {
    const long = 'x'.repeat(16_000);
    const many = Array.from({ length: 60 }, (_, i) => new Version4Session(source.client, `/big_${i}`));
    for (const [i, one] of many.entries()) {
      await one.set(Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`item${n}`, `${i}${long}`])), 1_200);
    }
    for (const targetAtOnce of [32, 1]) {
      await target.client.flushall();
      expect(kinds(await convert({ servers: { targetAtOnce } }))).toEqual({ converted: 60 });
      expect((await read('/big_59'))?.items.item9).toBe(`59${long}`);
    }
  });

  it('is converted whole whenever the work is cut off and begun again', async () => {
    const other = new Version4Session(source.client, '/_other');
    for (const when of ['before', 'after'] as const) {
      for (let cut = 0, calls = 1; cut < calls; cut++) {
        await Promise.all([source.client.flushall(), target.client.flushall()]);
        await write({ a: 'one' });
        await other.set({ b: 'two' }, 600);
        let count = 0;
        const cutOff = () => {
          if (count++ === cut) throw new Error('cut off');
        };
        const [half, otherHalf] = [from, to].map((port) => watched(port, { [when]: cutOff }));
        await convertAll(half!, otherHalf!).then(
          () => (calls = 0),
          () => (calls = cut + 2),
        );
        await write({ a: 'three', c: 'four' });
        const done = await convert();
        expect(kinds(done)).toEqual({ converted: 2 });
        expect(done.members).toBe(2);
        expect(await read()).toMatchObject({ items: { a: 'three', c: 'four' }, timeout: '1200' });
        expect(await read('/_other')).toMatchObject({ items: { b: 'two' }, timeout: '600' });
        expect(await target.client.dbsize()).toBe(4);
      }
    }
  });
});
