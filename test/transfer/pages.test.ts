import type { RedisError } from '../../src/redis/errors';
import { randomBytes } from 'node:crypto';
import type { RedisPort } from '../../src/redis/redis-port';
import { setTimeout as sleep } from 'node:timers/promises';
import { Clocks, differenceWithin } from '../../src/transfer/clock-offset';
import { measureClockOffset } from '../tools/clock-offset';
import { PipelinePageReader, ScriptPageReader, type PageReader, type ReadLimits } from '../../src/transfer/page-reader';
import { PageWriter, type RestoreEntry, type WriteOptions } from '../../src/transfer/page-writer';
import { onEveryServer } from '../tools/test-server';

/** How long a key lives in databases 0 and 1, looked at in the same moment. */
const BOTH_LIVES = `
  local here = redis.call('PTTL', KEYS[1])
  redis.call('SELECT', 1)
  return { here, redis.call('PTTL', KEYS[1]) }`;

const wide: ReadLimits = { bigKeyBytes: 1_000_000, pageBytes: 10_000_000, lookAtSizes: true };

const kinds: readonly {
  readonly kind: string;
  reader(port: RedisPort, limits?: Partial<ReadLimits>): PageReader;
}[] = [
  { kind: 'by scripts', reader: (port, limits) => new ScriptPageReader(port, { ...wide, ...limits }) },
  { kind: 'by pipelines', reader: (port, limits) => new PipelinePageReader(port, { ...wide, ...limits }) },
];

/** Names that are bytes: empty, not UTF-8, with line ends, long. */
const oddKeys = [Buffer.alloc(0), Buffer.from([0xff, 0xfe, 0x00]), Buffer.from('a\r\nb'), Buffer.alloc(5_000, 0x6b)];

onEveryServer((at) => {
  describe.each(kinds)('pages read $kind', ({ reader }) => {
    async function writer(_target: RedisPort, options: Partial<WriteOptions> = {}): Promise<PageWriter> {
      const port = await at().connect(1);
      const { targetNow } = await measureClockOffset(port, port);
      return new PageWriter(await at().bulk(1), { replace: true, absoluteExpiry: true, ...options }, targetNow);
    }

    beforeEach(async () => {
      await at().client.flushall();
    });

    async function readAll(limits?: Partial<ReadLimits>, keys?: readonly Buffer[]) {
      const source = reader(await at().connect(), limits);
      return keys === undefined ? (await source.scanAndRead(0n, 1_000)).page : await source.read(keys);
    }

    /** Each key's payload by its name. */
    const byName = ({ keys, payloads }: Awaited<ReturnType<typeof readAll>>) =>
      new Map(keys.map((key, i) => [key.toString('latin1'), payloads[i]]));

    it('carry every key, with odd names and values, from one database into another', async () => {
      const { client } = at();
      for (const [i, key] of oddKeys.entries()) await client.set(key, Buffer.from([i, 0xff, 0x0d, 0x0a]));
      await client.rpush('list', 'a', 'b');
      await client.set('empty value', '');
      const page = await readAll();
      expect(page.bytes).toBe(page.payloads.reduce((sum, p) => sum + (Buffer.isBuffer(p) ? p.length : 0), 0));
      const entries = page.keys.map((key, i): RestoreEntry => ({
        key,
        expiry: 0,
        payload: page.payloads[i] as Buffer,
      }));
      const target = await at().connect(1);
      expect(await (await writer(target)).write(entries)).toEqual([]);
      expect(await target.call('DBSIZE')).toBe(oddKeys.length + 2);
      for (const key of page.keys) {
        const [here, there] = [await client.dumpBuffer(key), await target.call('DUMP', key)];
        expect(there).toEqual(here);
        expect(await target.call('PTTL', key)).toBe(-1);
      }
    });

    it('keep expiries to 10 ms, near and far, and no expiry as none', async () => {
      const { client } = at();
      const now = Date.now();
      const times = [now + 60_000, now + 3_600_123, 4_102_444_800_000, 0];
      for (const [i, time] of times.entries()) {
        if (time === 0) await client.set(`key:${i}`, 'x');
        else await client.set(`key:${i}`, 'x', 'PX', time - Date.now());
      }
      const page = await readAll();
      const target = await at().connect(1);
      const entries = page.keys.map((key, i): RestoreEntry => ({
        key,
        expiry: page.expiries[i] ?? -1,
        payload: page.payloads[i] as Buffer,
      }));
      for (const absoluteExpiry of [true, false]) {
        const writing = await writer(target, { absoluteExpiry });
        const began = Date.now();
        expect(await writing.write(entries)).toEqual([]);
        // A time to live counts from when it arrives.
        const late = absoluteExpiry ? 0 : Date.now() - began;
        for (const [i, time] of times.entries()) {
          const [here, there] = (await client.eval(BOTH_LIVES, 1, `key:${i}`)) as [number, number];
          if (time === 0) expect(there).toBe(-1);
          else expect(Math.abs(there - here)).toBeLessThanOrEqual(10 + late);
        }
      }
    });

    it('carry keys whose expiry is the latest that a server takes, which never become immortal', async () => {
      const { client } = at();
      const times = [
        '9007199254740991',
        '9007199254740992',
        '9007199254740994',
        '4611686018427387904',
        '9223372036854775807',
      ];
      for (const time of times) {
        await client.set(time, 'x');
        await client.call('PEXPIREAT', time, time).catch(() => client.del(time));
      }
      const page = await readAll();
      expect(page.keys.length).toBeGreaterThanOrEqual(3);
      const target = await at().connect(1);
      const entries = page.keys.map((key, i): RestoreEntry => ({
        key,
        expiry: Math.min(Number.MAX_SAFE_INTEGER, page.expiries[i] ?? -1),
        payload: page.payloads[i] as Buffer,
      }));
      expect(await (await writer(target)).write(entries)).toEqual([]);
      for (const key of page.keys) expect(Number(await target.call('PTTL', key))).toBeGreaterThan(8e15);
    });

    it('tell keys that are gone or expired, and never make one immortal', async () => {
      const { client } = at();
      await client.set('stays', 'x');
      await client.set('short', 'x', 'PX', 1);
      await new Promise((resolve) => setTimeout(resolve, 5));
      const page = await readAll({}, [Buffer.from('stays'), Buffer.from('short'), Buffer.from('never was')]);
      expect(page.payloads.map((payload) => (Buffer.isBuffer(payload) ? 'read' : payload))).toEqual([
        'read',
        'gone',
        'gone',
      ]);
      const payload = page.payloads[0] as Buffer;
      const target = await at().connect(1);
      const past = Date.now() - 1_000;
      const entries = [1, past, past].map((expiry, i) => ({ key: Buffer.from(`late:${i}`), expiry, payload }));
      const refusals = await (
        await writer(target)
      ).write([...entries, { key: Buffer.from('alive'), expiry: 0, payload }]);
      expect([...refusals].sort((a, b) => a.index - b.index)).toEqual(
        [0, 1, 2].map((index) => ({ index, kind: 'expired' })),
      );
      expect(await target.call('DBSIZE')).toBe(1);
    });

    it.each([true, false])('mark big keys and read the others (sizes asked first: %s)', async (lookAtSizes) => {
      const { client } = at();
      await client.set('big', randomBytes(50_000));
      await client.set('small', 'x');
      const found = byName(await readAll({ bigKeyBytes: 10_000, lookAtSizes }));
      expect(found.get('big')).toBe('big');
      expect(Buffer.isBuffer(found.get('small'))).toBe(true);
    });

    it('leave for later what is more than a page may have, and always read something', async () => {
      const { client } = at();
      const names = Array.from({ length: 50 }, (_, i) => Buffer.from(`key:${i}`));
      for (const name of names) await client.set(name, randomBytes(2_000));
      let open: readonly Buffer[] = names;
      const read: Buffer[] = [];
      for (let round = 0; open.length > 0; round++) {
        const page = await readAll({ pageBytes: 5_000 }, open);
        const now = page.keys.filter((_, i) => Buffer.isBuffer(page.payloads[i]));
        expect(now.length).toBeGreaterThan(0);
        expect(now.length).toBeLessThan(6);
        read.push(...now);
        open = page.keys.filter((_, i) => page.payloads[i] === 'later');
      }
      expect(new Set(read.map(String)).size).toBe(50);
    });

    it('replace what is there, or keep it and say so, never merge', async () => {
      const { client } = at();
      await client.rpush('list', 'new');
      const page = await readAll();
      const target = await at().connect(1);
      await target.call('RPUSH', 'list', 'old 1', 'old 2');
      const entries = [{ key: Buffer.from('list'), expiry: 0, payload: page.payloads[0] as Buffer }];
      const kept = await (await writer(target, { replace: false })).write(entries);
      expect(kept).toEqual([expect.objectContaining({ index: 0, kind: 'keyExists' })]);
      expect(await target.call('LLEN', 'list')).toBe(2);
      expect(await (await writer(target)).write(entries)).toEqual([]);
      expect(await target.call('LRANGE', 'list', '0', '-1')).toEqual([Buffer.from('new')]);
    });

    it('write the others when one payload is refused', async () => {
      await at().client.set('good', 'x');
      const page = await readAll();
      const payload = page.payloads[0] as Buffer;
      const broken = Buffer.from(payload);
      broken[broken.length - 1]! ^= 1;
      const target = await at().connect(1);
      const result = await (
        await writer(target)
      ).write([
        { key: Buffer.from('a'), expiry: 0, payload },
        { key: Buffer.from('b'), expiry: 0, payload: broken },
        { key: Buffer.from('c'), expiry: 0, payload },
      ]);
      expect(result).toEqual([expect.objectContaining({ index: 1, kind: 'payloadVersion' })]);
      expect(await target.call('EXISTS', 'a', 'b', 'c')).toBe(2);
    });

    it('say OOM when the target is full, as a whole or key by key', async () => {
      const { client } = at();
      await client.set('good', Buffer.alloc(100));
      const page = await readAll();
      const entries = [{ key: Buffer.from('new'), expiry: 0, payload: page.payloads[0] as Buffer }];
      const target = await writer(await at().connect(1));
      await client.config('SET', 'maxmemory', '1');
      try {
        const said = await target.write(entries).then(
          (refusals) => refusals[0]?.kind,
          (error: unknown) => (error as RedisError).kind,
        );
        expect(said).toBe('outOfMemory');
      } finally {
        await client.config('SET', 'maxmemory', '0');
      }
      expect(await target.write(entries)).toEqual([]);
    });

    it('say READONLY when the target has become a replica, as a whole or key by key', async () => {
      const { client } = at();
      await client.set('good', 'x');
      const page = await readAll();
      const target = await writer(await at().connect(1));
      await client.replicaof('127.0.0.1', '1');
      try {
        const said = await target
          .write([{ key: Buffer.from('new'), expiry: 0, payload: page.payloads[0] as Buffer }])
          .then(
            (refusals) => refusals[0]?.kind,
            (error: unknown) => (error as RedisError).kind,
          );
        expect(said).toBe('readOnly');
      } finally {
        await client.replicaof('NO', 'ONE');
      }
    });

    it('name keys with their types, one cursor after the other to the end', async () => {
      const { client } = at();
      await client
        .pipeline()
        .set('s', 'x')
        .rpush('l', 'x')
        .sadd('e', 'x')
        .zadd('z', 1, 'x')
        .hset('h', 'f', 'x')
        .xadd('x', '*', 'f', 'v')
        .exec();
      const source = reader(await at().connect());
      const types = new Map<string, string>();
      let cursor = 0n;
      do {
        const page = await source.scan(cursor, 1, true);
        page.keys.forEach((key, i) => types.set(String(key), page.types[i] ?? ''));
        cursor = page.next;
      } while (cursor !== 0n);
      expect(Object.fromEntries(types)).toEqual({
        s: 'string',
        l: 'list',
        e: 'set',
        z: 'zset',
        h: 'hash',
        x: 'stream',
      });
      expect((await source.scan(0n, 10, false)).types).toEqual([]);
    });
  });

  it('has a clock whose distance to itself is nothing, and whose time is told', async () => {
    const [a, b] = [await at().connect(), await at().connect()];
    const { targetMinusSource, targetNow } = await measureClockOffset(a, b);
    expect(Math.abs(targetMinusSource)).toBeLessThan(5);
    expect(Math.abs(targetNow() - Date.now())).toBeLessThan(20);
  });
});

/** Ms since 1970 by a clock that nobody sets while the tests run, and that stands while the machine sleeps. */
const steadyNow = () => performance.timeOrigin + performance.now();

/** A server whose clock is ahead by so many ms, and the way to it, and back, that takes its time. */
const clock = (ahead: number, thereMs = 0, backMs = 0): RedisPort => ({
  call: async () => {
    await sleep(thereMs);
    const micros = BigInt(Math.round((steadyNow() + ahead) * 1_000));
    await sleep(backMs);
    return [Buffer.from(String(micros / 1_000_000n)), Buffer.from(String(micros % 1_000_000n))];
  },
  pipeline: () => Promise.reject(new Error('not here')),
});

it.each([
  ['to the target', clock(0), clock(0, 120, 0)],
  ['from the target', clock(0), clock(0, 0, 120)],
  ['to the source', clock(0, 120, 0), clock(0)],
])(
  'takes clocks for equal that may be where a way is slow (%s), and says how well it knows',
  async (_, source, target) => {
    const { targetMinusSource, uncertaintyMs, targetNow } = await measureClockOffset(source, target);
    expect(targetMinusSource).toBe(0);
    expect(uncertaintyMs).toBeGreaterThan(100);
    expect(uncertaintyMs).toBeLessThan(160);
    expect(Math.abs(targetNow() - steadyNow())).toBeLessThan(30);
  },
);

it('takes the middle where clocks cannot be equal, or are known well', () => {
  const near = { lowest: 0, highest: 1 };
  expect(differenceWithin(near, { lowest: 30, highest: 271 })).toEqual({ targetMinusSource: 150, uncertaintyMs: 121 });
  expect(differenceWithin(near, { lowest: -4, highest: 11 })).toEqual({ targetMinusSource: 3, uncertaintyMs: 8 });
});

it('finds the distance of two clocks that do not agree', async () => {
  const { targetMinusSource } = await measureClockOffset(clock(-5_000), clock(90_000));
  expect(Math.abs(targetMinusSource - 95_000)).toBeLessThan(2);
});

it('asks no longer than a second of a server that answers late, and not again a moment later', async () => {
  let calls = 0;
  const slow: RedisPort = {
    ...clock(0),
    call: (...command) => {
      calls++;
      // More than 400 ms together, also where timers are early.
      return clock(0, 205, 205).call(...command);
    },
  };
  const side = { name: 'OLD', connection: Object.assign(slow, { runId: 'one' }) };
  const clocks = new Clocks();
  const [{ uncertaintyMs }] = await Promise.all([clocks.offset(side, side), clocks.offset(side, side)]);
  expect(uncertaintyMs).toBeGreaterThanOrEqual(400);
  expect(calls).toBeLessThanOrEqual(3);
  await clocks.offset(side, side);
  expect(calls).toBeLessThanOrEqual(3);
  clocks.forget(side);
  await clocks.offset(side, side);
  expect(calls).toBeGreaterThan(3);
  calls = 0;
  await clocks.offset(side, { ...side, connection: { ...slow, runId: 'another' } });
  expect(calls).toBeGreaterThan(0);
});
