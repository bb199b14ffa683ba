import type { Redis } from 'ioredis';
import { serverNames, type ServerName } from '../../../local/servers/server-names';
import { CacheStore } from '../../../src/convert/distributed-cache/cache-store';
import { CacheConverter } from '../../../src/convert/distributed-cache/cache-converter';
import type { GroupOutcome } from '../../../src/convert/converter';
import type { RedisPort } from '../../../src/redis/redis-port';
import { run } from '../../tools/modes';
import { makeTestApp, type TestApp } from '../../tools/test-app';
import { startTestServer, type TestServer } from '../../tools/test-server';
import { startTestStorage, type TestStorage } from '../../tools/test-storage';
import { getEntry, setEntry, ticksAt } from './support/dotnet';

jest.setTimeout(120_000);

const ODD = Buffer.from([0x53, 0x3a, 0xff, 0x00, 0x0a, 0xfe]);
const BYTES = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

let storage: TestStorage;
let old: TestServer;
beforeAll(async () => {
  [storage, old] = await Promise.all([startTestStorage(), startTestServer('redis-6.0')]);
}, 180_000);
afterAll(async () => {
  await Promise.all([old.close(), storage.close()]);
});

const toStrings = { converter: 'distributed-cache', to: 'strings', instanceName: 'S:' };
const toEntries = { converter: 'distributed-cache', to: 'entries', instanceName: 'S:' };

/** When a key expires, ms of this machine's clock; -1: never. */
async function expiryOf(redis: Redis, key: string | Buffer): Promise<number> {
  for (;;) {
    const before = Date.now();
    const ttl = await redis.pttl(key);
    if (ttl < 0) return ttl;
    const after = Date.now();
    if (after - before <= 2) return after + ttl;
  }
}

async function expectSameExpiry(here: Redis, there: Redis, key: string | Buffer): Promise<void> {
  const [one, other] = [await expiryOf(here, key), await expiryOf(there, key)];
  expect(Math.abs(one - other)).toBeLessThanOrEqual(10);
}

/** Entries of all kinds below S:, and keys that are none, there and elsewhere. */
async function fillEntries(redis: Redis): Promise<void> {
  const at = Date.now() + 3_600_000;
  await setEntry(redis, 'S:plain', '{"a":1}');
  await setEntry(redis, 'S:empty', '');
  await setEntry(redis, 'S:binary', BYTES, { at });
  await setEntry(redis, ODD, 'odd', { at });
  await redis.pexpireat('S:binary', at - 123);
  await setEntry(redis, 'other:entry', 'x', { at });
  await redis.set('S:string', 'as it is', 'PX', 500_000);
  await redis.rpush('S:list', 'a', 'b');
  await redis.hset('S:hash', 'data', 'x', 'more', 'y');
}
const ENTRIES = 4;
const OTHERS = 4;

describe.each(serverNames)('into %s', (name: ServerName) => {
  let neu: TestServer;
  let app: TestApp;
  beforeAll(async () => {
    neu = await startTestServer(name);
    app = await makeTestApp({
      AzureWebJobsStorage: storage.connectionString,
      REDIS_OLD: old.server.url,
      REDIS_NEW: neu.server.url,
    });
  }, 180_000);
  afterEach(() => Promise.all([old.client.flushall(), neu.client.flushall()]));
  afterAll(async () => {
    app.connections.close();
    await neu.close();
  });

  it('entries become strings with their values and lives; what is none is copied as it is', async () => {
    await fillEntries(old.client);
    const request = { convert: [toStrings], verify: 'full' };
    const { report, findings } = await run(app, request);
    expect(findings).toEqual([]);
    expect(report).toMatchObject({
      state: 'completed',
      counts: { converted: ENTRIES, copied: OTHERS, failed: 0 },
      conversions: [{ name: 'distributed-cache', facts: { entries: ENTRIES, sliding: 0, complete: true } }],
      warnings: [],
    });
    expect(await neu.client.get('S:plain')).toBe('{"a":1}');
    expect(await neu.client.get('S:empty')).toBe('');
    expect((await neu.client.getBuffer('S:binary'))?.equals(BYTES)).toBe(true);
    expect(await neu.client.get(ODD)).toBe('odd');
    for (const key of ['S:plain', 'S:binary', ODD, 'S:string']) await expectSameExpiry(old.client, neu.client, key);
    expect(await neu.client.lrange('S:list', 0, -1)).toEqual(['a', 'b']);
    expect(await neu.client.hgetall('S:hash')).toEqual({ data: 'x', more: 'y' });
    expect((await getEntry(neu.client, 'other:entry')).data?.toString()).toBe('x');
    expect(await neu.client.dbsize()).toBe(ENTRIES + OTHERS);
    // Again it is the same.
    expect((await run(app, request)).report).toMatchObject({ state: 'completed', counts: { converted: ENTRIES } });
    expect(await neu.client.get('S:plain')).toBe('{"a":1}');
  });

  it('strings become entries that .NET reads, and come back the same', async () => {
    const end = Date.now() + 3_600_000;
    await old.client.set('S:a', 'one');
    await old.client.set('S:b', BYTES, 'PX', 3_600_000);
    await old.client.pexpireat('S:b', end);
    await old.client.set('S:far', 'x');
    await old.client.pexpireat('S:far', Date.UTC(20_000, 0, 1));
    await old.client.set('else', 'x');
    await old.client.sadd('S:set', 'a');
    const { report } = await run(app, { convert: [toEntries], verify: 'full' });
    expect(report).toMatchObject({ state: 'completed', counts: { converted: 3, copied: 2 } });
    expect(await getEntry(neu.client, 'S:a')).toEqual({
      absolute: undefined,
      sliding: undefined,
      data: Buffer.from('one'),
    });
    const timed = await getEntry(neu.client, 'S:b');
    expect(timed.data?.equals(BYTES)).toBe(true);
    expect(Math.abs(Number(timed.absolute! - BigInt(ticksAt(end))))).toBeLessThanOrEqual(100_000);
    await expectSameExpiry(old.client, neu.client, 'S:b');
    // .NET has no moment so late: the key alone keeps it.
    expect((await getEntry(neu.client, 'S:far')).absolute).toBeUndefined();
    await expectSameExpiry(old.client, neu.client, 'S:far');
    expect(await neu.client.get('else')).toBe('x');

    const back = await run(app, { source: 'NEW', target: 'OLD', convert: [toStrings], verify: 'full' });
    expect(back.report).toMatchObject({ state: 'completed', counts: { converted: 3, copied: 2 } });
    expect((await old.client.getBuffer('S:b'))?.equals(BYTES)).toBe(true);
    await expectSameExpiry(old.client, neu.client, 'S:b');
  });

  it('a sliding expiration is not dropped unasked', async () => {
    await setEntry(old.client, 'S:slides', 'x', { slidingSeconds: 1_200 });
    await setEntry(old.client, 'S:both', 'y', { at: Date.now() + 600_000, slidingSeconds: 1_200 });
    const refused = await run(app, { convert: [toStrings] });
    expect(refused.report).toMatchObject({
      state: 'completedWithDifferences',
      counts: { failed: 2, converted: 0 },
      conversions: [{ facts: { entries: 2, sliding: 2 } }],
    });
    expect(refused.findings).toEqual(['cache-sliding S:both', 'cache-sliding S:slides']);
    expect(await neu.client.dbsize()).toBe(0);
    const asked = await run(app, { convert: [{ ...toStrings, sliding: 'expire' }], verify: 'full' });
    expect(asked.report).toMatchObject({ state: 'completed', counts: { failed: 0, converted: 2 } });
    for (const key of ['S:slides', 'S:both']) await expectSameExpiry(old.client, neu.client, key);
  });

  it('a value, or a form, that is another one in the end is seen', async () => {
    await setEntry(old.client, 'S:a', 'one');
    await setEntry(old.client, 'S:b', 'one');
    const afterPhase = async (phase: string) => {
      if (phase === 'copy') await neu.client.multi().set('S:a', 'another').del('S:b').hset('S:b', 'data', 'one').exec();
    };
    const { report, findings } = await run(app, { convert: [toStrings], verify: 'full' }, { afterPhase });
    expect(report).toMatchObject({ state: 'completedWithDifferences', counts: { converted: 2 } });
    expect(findings).toEqual(['different-type S:b', 'different-value S:a']);
  });

  it('is refused before it begins where the target lets no entries be written', async () => {
    await neu.client.call('ACL', 'SETUSER', 'limited', 'on', '>word', '~*', '+@all', '-hset');
    const limited = await makeTestApp({
      AzureWebJobsStorage: storage.connectionString,
      REDIS_OLD: old.server.url,
      REDIS_NEW: neu.server.url.replace('redis://', 'redis://limited:word@'),
    });
    try {
      await expect(run(limited, { convert: [toEntries] })).rejects.toMatchObject({ code: 'scriptsNeeded' });
    } finally {
      limited.connections.close();
      await neu.client.call('ACL', 'DELUSER', 'limited');
    }
    expect(await neu.client.dbsize()).toBe(0);
  });

  it('a full target refuses every value, and loses none that it has', async () => {
    const store = new CacheStore(await neu.connect(), 128, 'entries');
    const value = { key: Buffer.from('S:a'), data: Buffer.from('new'), expiry: 0, absexp: '-1', sldexp: '-1' };
    await neu.client.rpush('S:a', 'there');
    await neu.client.config('SET', 'maxmemory', '1');
    try {
      await expect(store.write([value], 'replace')).rejects.toMatchObject({ kind: 'outOfMemory' });
      expect(await neu.client.lrange('S:a', 0, -1)).toEqual(['there']);
    } finally {
      await neu.client.config('SET', 'maxmemory', '0');
    }
    expect(await store.write([value], 'replace')).toEqual(['written']);
  });

  it('hostile entries are findings, and stay what they are', async () => {
    await old.client.hset('S:no data', 'absexp', '-1', 'sldexp', '-1');
    await old.client.hset('S:more', 'absexp', '-1', 'sldexp', '-1', 'data', 'x', 'mine', 'y');
    await old.client.hset('S:words', 'absexp', 'soon', 'sldexp', '-1', 'data', 'x');
    await old.client.hset('S:late', 'absexp', '9999999999999999999', 'sldexp', '-1', 'data', 'x');
    await old.client.hset('S:binary', 'absexp', BYTES, 'sldexp', BYTES, 'data', BYTES);
    await setEntry(old.client, 'S:fine', 'x');
    await neu.client.set('S:more', 'what the target had');
    const { report, findings } = await run(app, { convert: [toStrings] });
    expect(report).toMatchObject({ state: 'completedWithDifferences', counts: { failed: 5, converted: 1 } });
    expect(findings).toEqual([
      'cache-bad-expiration S:binary',
      'cache-bad-expiration S:late',
      'cache-bad-expiration S:words',
      'cache-more-fields S:more',
      'cache-no-data S:no data',
    ]);
    expect(await neu.client.get('S:more')).toBe('what the target had');
    expect(await old.client.dbsize()).toBe(6);
  });

  it('what the target has is replaced, or stays; its own work is no conflict', async () => {
    await setEntry(old.client, 'S:a', 'new', { at: Date.now() + 600_000 });
    await setEntry(old.client, 'S:b', 'new');
    await neu.client.rpush('S:a', 'there', 'before');
    const skipping = { convert: [toStrings], onConflict: 'skip', verify: 'none' };
    const first = await run(app, skipping);
    expect(first.report.counts).toMatchObject({ converted: 1, skippedByConflict: 1 });
    expect(await neu.client.type('S:a')).toBe('list');
    expect((await run(app, skipping)).report.counts).toMatchObject({ converted: 1, skippedByConflict: 1 });
    expect((await run(app, { convert: [toStrings] })).report.counts).toMatchObject({ converted: 2 });
    expect(await neu.client.get('S:a')).toBe('new');
    await expectSameExpiry(old.client, neu.client, 'S:a');
  });

  it('goes with prefixes and rename, and is looked for under the names that keys get', async () => {
    await setEntry(old.client, 'S:a', 'one');
    await old.client.set('x:1', 'y');
    const request = {
      databases: { 0: 'p:' },
      rename: [{ from: '^S:', to: 'T:' }],
      convert: [toStrings],
      verify: 'full',
    };
    expect((await run(app, request)).report).toMatchObject({ state: 'completed', counts: { converted: 1, copied: 1 } });
    expect((await neu.client.keys('*')).sort()).toEqual(['p:T:a', 'p:x:1']);
    expect(await neu.client.get('p:T:a')).toBe('one');
  });

  it('a dry run foresees it and writes nothing', async () => {
    await fillEntries(old.client);
    const { report } = await run(app, { mode: 'dry-run', convert: [toStrings] });
    expect(report).toMatchObject({ state: 'completed', counts: { converted: ENTRIES, copied: OTHERS } });
    expect(await neu.client.dbsize()).toBe(0);
  });

  it('a comparison sees values, forms and expiries of what was converted, and what is only called so', async () => {
    await fillEntries(old.client);
    await old.client.set('S:count', '7');
    const request = { convert: [toStrings] };
    await run(app, request);
    const compare = { mode: 'compare', ...request };
    expect((await run(app, compare)).report).toMatchObject({ state: 'completed', counts: { same: 9, different: 0 } });
    await neu.client.set('S:plain', 'another');
    await neu.client.pexpire('S:binary', 1_000_000);
    await neu.client.del('S:empty');
    await neu.client.rpush('S:list', 'more');
    await neu.client.del('S:count');
    await setEntry(neu.client, 'S:count', '7');
    await neu.client.del(ODD);
    await setEntry(neu.client, ODD, 'odd');
    await neu.client.set('S:extra', 'x');
    const { report, findings } = await run(app, compare);
    expect(report.state).toBe('completedWithDifferences');
    expect(findings).toEqual([
      `different-expiry S:binary`,
      'different-length S:list',
      'different-type S:count',
      `different-type ${ODD.toString('base64')}`,
      'different-value S:plain',
      'extra S:extra',
      'missing S:empty',
    ]);
  });

  it('a sync brings it up to date, and deletes only what has no origin', async () => {
    await fillEntries(old.client);
    const sync = { mode: 'sync', convert: [toStrings], deleteExtra: true, force: true };
    await run(app, sync);
    await neu.client.set('S:plain', 'another');
    await neu.client.set('S:extra', 'x');
    await setEntry(old.client, 'S:new', 'x');
    const { report } = await run(app, sync);
    expect(report).toMatchObject({ state: 'completed', counts: { converted: ENTRIES + 1, deleted: 1 } });
    expect(await neu.client.get('S:plain')).toBe('{"a":1}');
    expect(await neu.client.dbsize()).toBe(ENTRIES + OTHERS + 1);
  });
});

/** A converter of one server to strings; `scripts`: these may touch any keys. */
function inPlace(scripts: boolean): CacheConverter {
  const side = { scripts, memoryUsage: true };
  return new CacheConverter(
    { converter: 'distributed-cache', to: 'strings', instanceName: 'S:', sliding: 'refuse' },
    { inPlace: true, follows: false, onConflict: 'replace', source: side, target: side },
  );
}

describe.each(serverNames)('in place on %s', (name: ServerName) => {
  let server: TestServer;
  let app: TestApp;
  beforeAll(async () => {
    server = await startTestServer(name);
    app = await makeTestApp({ AzureWebJobsStorage: storage.connectionString, REDIS_OLD: server.server.url });
  }, 180_000);
  afterEach(() => server.client.flushall());
  afterAll(async () => {
    app.connections.close();
    await server.close();
  });

  it('entries become strings and come back, and nothing else is touched', async () => {
    await fillEntries(server.client);
    const before = await expiryOf(server.client, 'S:binary');
    const there = await run(app, { target: 'OLD', convert: [toStrings] });
    expect(there.report).toMatchObject({ state: 'completed', counts: { converted: ENTRIES, copied: 0, failed: 0 } });
    expect((await server.client.getBuffer('S:binary'))?.equals(BYTES)).toBe(true);
    expect(Math.abs((await expiryOf(server.client, 'S:binary')) - before)).toBeLessThanOrEqual(5);
    expect(await server.client.hgetall('S:hash')).toEqual({ data: 'x', more: 'y' });
    expect(await server.client.dbsize()).toBe(ENTRIES + OTHERS);
    const again = await run(app, { target: 'OLD', convert: [toStrings] });
    expect(again.report).toMatchObject({ state: 'completed', counts: { converted: 0, failed: 0 } });

    const back = await run(app, { target: 'OLD', convert: [toEntries] });
    expect(back.report).toMatchObject({ state: 'completed', counts: { converted: ENTRIES + 1 } });
    expect((await getEntry(server.client, 'S:binary')).data?.equals(BYTES)).toBe(true);
    expect(Math.abs((await expiryOf(server.client, 'S:binary')) - before)).toBeLessThanOrEqual(5);
  });

  it('a key that is written to in between is converted as it is then, or stays', async () => {
    await setEntry(server.client, 'S:a', 'first', { at: Date.now() + 600_000 });
    await setEntry(server.client, 'S:b', 'first');
    const port = await server.connect();
    let reads = 0;
    const watched: RedisPort = {
      call: async (...command) => {
        const reply = await port.call(...command);
        reads++;
        // After the first reading one is set anew, and the other becomes something else.
        if (reads === 2) {
          await setEntry(server.client, 'S:a', 'second', { at: Date.now() + 900_000 });
          await server.client.del('S:b');
          await server.client.rpush('S:b', 'x');
        }
        return reply;
      },
      pipeline: (commands) => port.pipeline(commands),
    };
    const converter = inPlace(true);
    const { groups } = await converter.gather({ kind: 'server', port: watched }, [
      Buffer.from('S:a'),
      Buffer.from('S:b'),
    ]);
    const outcomes: readonly GroupOutcome[] = await converter.write(groups, {
      source: { kind: 'server', port: watched },
      target: port,
      clockOffset: 0,
      naming: (key) => key,
      pause: () => Promise.resolve(),
    });
    expect(outcomes.map(({ kind }) => kind)).toEqual(['converted', 'converted']);
    expect(await server.client.get('S:a')).toBe('second');
    expect(await server.client.ttl('S:a')).toBeGreaterThan(800);
    expect(await server.client.lrange('S:b', 0, -1)).toEqual(['x']);
  });

  it('goes key by key where scripts may touch one slot only, and leaves out what is too large', async () => {
    const keys = Array.from({ length: 40 }, (_, i) => Buffer.from(`S:${i}`));
    for (const key of keys) await setEntry(server.client, key, key);
    await setEntry(server.client, 'S:large', 'x');
    await server.client.call('EVAL', "redis.call('HSET', KEYS[1], 'data', string.rep('x', 67108865))", '1', 'S:large');
    const port = await server.connect();
    const converter = inPlace(false);
    const source = { kind: 'server', port } as const;
    const { groups } = await converter.gather(source, [...keys, Buffer.from('S:large')]);
    const context = { source, target: port, clockOffset: 0, naming: (key: Buffer) => key };
    const outcomes = await converter.write(groups, { ...context, pause: () => Promise.resolve() });
    expect(outcomes.filter(({ kind }) => kind === 'converted')).toHaveLength(40);
    expect(outcomes.at(-1)).toMatchObject({ kind: 'failed', code: 'cache-large' });
    expect(await server.client.get('S:39')).toBe('S:39');
    expect(await server.client.hstrlen('S:large', 'data')).toBe(67_108_865);
  });
});
