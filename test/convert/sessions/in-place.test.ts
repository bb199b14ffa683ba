import { SessionConverter } from '../../../src/convert/aspnet-session/session-converter';
import type { RedisConnection } from '../../../src/redis/connection';
import { onEveryServer, type TestServer } from '../../tools/test-server';
import { convertAll, justWait, kinds, options, servers, watched, type Conversion } from './support/conversion';
import { ticksNow, Version4Session, type Items } from './support/version4';
import { dataName, readVersion5, timeoutName, touchVersion5, writeVersion5 } from './support/version5';

const A = '/Shop_0a1b2c3d4e5f0a1b2c3d4e5f';

onEveryServer((server) => {
  let port: RedisConnection;
  let on: TestServer;

  beforeAll(async () => {
    on = server();
    port = await on.connect();
  });
  afterEach(async () => {
    await on.client.flushall();
  });

  const session = (appId = A) => new Version4Session(on.client, appId);
  const read = (appId = A) => readVersion5(on.client, appId);
  const conversion = (changes: Conversion['options'] = {}): Conversion => ({
    options: changes,
    servers: { inPlace: true },
  });
  const convert = (changes: Conversion['options'] = {}) => convertAll(port, port, conversion(changes));
  const write = async (items: Items, timeout = 1_200) => {
    await session().set(items, timeout);
  };
  const keys = async () => (await on.client.keys('*')).sort();
  const old = () => [session().data, session().internal];
  const fresh = [dataName(A), timeoutName(A)];

  it('a session is there in both forms, with the same life', async () => {
    await write({ a: 'one' });
    await on.client.pexpire(session().data, 300_000);
    expect(await convert()).toMatchObject({ outcomes: [{ kind: 'converted' }], members: 1, skipped: 0 });
    expect(await keys()).toEqual([...old(), ...fresh].sort());
    // Time goes on between the looks, and the old form's has gone on as long.
    const before = await on.client.pttl(session().data);
    const there = await read();
    const after = await on.client.pttl(session().data);
    expect(there).toMatchObject({ items: { a: 'one' }, timeout: '1200' });
    for (const ttl of [there?.ttl ?? 0, there?.timeoutTtl ?? 0]) {
      expect(ttl).toBeGreaterThan(after - 10);
      expect(ttl).toBeLessThan(before + 10);
    }
  });

  it('the old form is gone where it shall not be kept', async () => {
    await write({ a: 'one' });
    expect(kinds(await convert({ keepOld: false }))).toEqual({ converted: 1 });
    expect(await keys()).toEqual(fresh);
    expect(await read()).toMatchObject({ items: { a: 'one' } });
  });

  it('what version 4 changes afterwards is converted by the next run, until version 5 comes near', async () => {
    await write({ a: 'one' });
    await convert();
    await write({ a: 'two' });
    expect(kinds(await convert())).toEqual({ converted: 1 });
    expect((await read())?.items).toEqual({ a: 'two' });
    await touchVersion5(on.client, A);
    await write({ a: 'three' });
    for (const keepOld of [true, false]) expect(kinds(await convert({ keepOld }))).toEqual({ conflict: 1 });
    expect((await read())?.items).toEqual({ a: 'two' });
    expect(kinds(await convert({ force: true, keepOld: false }))).toEqual({ converted: 1 });
    expect((await read())?.items).toEqual({ a: 'three' });
    expect(await keys()).toEqual(fresh);
  });

  it('a run that keeps and a later one that deletes fit together', async () => {
    await write({ a: 'one' });
    await convert();
    await write({ a: 'two' });
    expect(kinds(await convert({ keepOld: false }))).toEqual({ converted: 1 });
    expect(await keys()).toEqual(fresh);
    expect((await read())?.items).toEqual({ a: 'two' });
  });

  it('the rest that a late request of version 4 writes does not replace the session', async () => {
    await write({ a: 'one', b: 'two' });
    await convert({ keepOld: false });
    // It had read the session before; version 4 writes only what it changed.
    await write({ b: 'three' });
    expect(kinds(await convert())).toEqual({ conflict: 1 });
    expect((await read())?.items).toEqual({ a: 'one', b: 'two' });
  });

  it('a session that version 5 has is left alone', async () => {
    await write({ a: 'one' });
    await writeVersion5(on.client, A, { a: 'five' }, 600);
    expect(kinds(await convert())).toEqual({ conflict: 1 });
    expect(await read()).toMatchObject({ items: { a: 'five' }, timeout: '600' });
    expect((await keys()).length).toBe(4);
  });

  it('a session that changes, is locked or abandoned before it is written is not written as it was', async () => {
    await write({ a: 'one', gone: 'x' });
    let times = 0;
    const change = async () => {
      if (++times !== 2) return;
      const ticks = ticksNow();
      await session().takeLock(ticks);
      await session().update(ticks, { a: 'two' }, ['gone'], 600);
    };
    const changing = await convertAll(port, watched(port, { before: change }), conversion({ keepOld: false }));
    expect(kinds(changing)).toEqual({ converted: 1 });
    expect(await on.client.exists(session().data)).toBe(0);
    expect((await read())?.items).toEqual(times >= 2 ? { a: 'two' } : { a: 'one', gone: 'x' });

    await on.client.flushall();
    await write({ a: 'one' });
    const abandoned = watched(port, { before: () => session().remove() });
    expect(kinds(await convertAll(port, abandoned, conversion()))).toEqual({ expired: 1 });
    expect(await keys()).toEqual([]);

    await write({ a: 'one' });
    const ticks = ticksNow();
    let taken = false;
    const locking = async () => {
      if (taken) return;
      taken = true;
      await session().takeLock(ticks);
      setTimeout(() => void session().update(ticks, { a: 'two' }, [], 1_200), 200);
    };
    expect(kinds(await convertAll(port, watched(port, { before: locking }), conversion()))).toEqual({ converted: 1 });
    expect((await read())?.items).toEqual({ a: 'two' });
  });

  it('nothing else is touched, also where it is called like a session', async () => {
    await on.client.hset('{cart_1}_Data', 'a', '1');
    await on.client.hset('{cart_1}_Internal', 'other', '1');
    await on.client.set('{cart_1}_Write_Lock', 'mine');
    await on.client.set('x', 'y');
    const before = await Promise.all((await keys()).map((key) => on.client.dumpBuffer(key)));
    const done = await convert({ keepOld: false });
    expect(done).toMatchObject({ outcomes: [], plain: [], members: 0, skipped: 3 });
    expect(await Promise.all((await keys()).map((key) => on.client.dumpBuffer(key)))).toEqual(before);
  });

  it.each([true, false])('work that is cut off and begun again loses nothing (keepOld %s)', async (keepOld) => {
    for (const when of ['before', 'after'] as const) {
      for (let cut = 0, finished = false; !finished; cut++) {
        await on.client.flushall();
        await write({ a: 'one' });
        await session('/_other').set({ b: 'two' }, 600);
        let count = 0;
        const cutOff = () => {
          if (count++ === cut) throw new Error('cut off');
        };
        const unsteady = watched(port, { [when]: cutOff });
        finished = await convertAll(unsteady, unsteady, conversion({ keepOld })).then(
          () => true,
          () => false,
        );
        await convert({ keepOld });
        expect(await read()).toMatchObject({ items: { a: 'one' }, timeout: '1200' });
        expect(await read('/_other')).toMatchObject({ items: { b: 'two' }, timeout: '600' });
        expect((await keys()).length).toBe(keepOld ? 8 : 4);
      }
    }
  });

  it('the same groups written twice are told the same', async () => {
    await write({ a: 'one' });
    let first = true;
    // The reply of the first writing is lost, and the caller writes the same groups again.
    const forgetful = watched(port, { after: () => (first ? Promise.reject(new Error('lost')) : undefined) });
    const converter = new SessionConverter({ ...options, keepOld: false }, { ...servers, inPlace: true });
    const source = { kind: 'server', port } as const;
    const { groups } = await converter.gather(source, [Buffer.from(session().data)]);
    const context = { source, clockOffset: 0, naming: (key: Buffer) => key, pause: justWait };
    await converter.write([], { ...context, target: port });
    for (let tries = 0; await on.client.exists(session().data); tries++) {
      expect(tries).toBeLessThan(3);
      await expect(converter.write(groups, { ...context, target: forgetful })).rejects.toThrow('lost');
    }
    first = false;
    expect(await converter.write(groups, { ...context, target: forgetful })).toMatchObject([{ kind: 'converted' }]);
  });
});
