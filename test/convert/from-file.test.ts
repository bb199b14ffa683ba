import { randomBytes } from 'node:crypto';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { gzipSync } from 'node:zlib';
import type { Redis } from 'ioredis';
import { readSurveyReport } from '../../src/api/read-survey-report';
import { readCollection } from '../../src/convert/aspnet-session';
import { FileCache } from '../../src/convert/distributed-cache/file-cache';
import { writeKey } from '../../src/payload/file-records';
import { Output } from '../../src/payload/output';
import type { SourceFile } from '../../src/payload/source-file';
import { FileReader } from '../../src/transfer/file-reader';
import { compareServers } from '../tools/compare-servers';
import { run, type Outcome } from '../tools/modes';
import { redis4Snapshot } from '../tools/redis-servers';
import { makeTestApp, type TestApp } from '../tools/test-app';
import { startTestServer, type TestServer } from '../tools/test-server';
import { startTestStorage, type TestStorage } from '../tools/test-storage';
import { setEntry } from './distributed-cache/support/dotnet';
import { streamOf, ticksNow, Version4Session } from './sessions/support/version4';
import { readVersion5, writeVersion5 } from './sessions/support/version5';

jest.setTimeout(120_000);

const SESSIONS = 170;
const COLLECTION = '_SessionStateItemCollection';
const EMPTY = Buffer.alloc(0);

let storage: TestStorage;
let folder: string;
let app: TestApp;
/** What was converted from server to server, and from its file. */
let old: TestServer;
let [byServer, byFile]: TestServer[] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'keyferry-from-file-'));
  [storage, old] = await Promise.all([
    startTestStorage(),
    startTestServer('redis-7.0', { dataFolder: folder, rdb: 'dump.rdb' }),
  ]);
  [byServer, byFile] = await Promise.all([startTestServer('redis-8.0'), startTestServer('redis-8.0')]);
  app = await makeTestApp({
    AzureWebJobsStorage: storage.connectionString,
    REDIS_OLD: old.server.url,
    REDIS_NEW: server(byServer).server.url,
    REDIS_RESTORED: server(byFile).server.url,
    RDB_FILES: pathToFileURL(folder).href,
    KEYFERRY_BIG_KEY_MIB: '0.05',
  });
}, 180_000);
afterEach(async () => {
  await Promise.all([old, server(byServer), server(byFile)].map(({ client }) => client.flushall()));
});
afterAll(async () => {
  app.connections.close();
  await Promise.all([old, server(byServer), server(byFile)].map((each) => each.close()));
  await storage.close();
  await rm(folder, { recursive: true, force: true });
});

function server(of: TestServer | undefined): TestServer {
  if (of === undefined) throw new Error('It was not started.');
  return of;
}

/** Restores the file that the old server writes now. */
async function restore(request: Record<string, unknown>): Promise<Outcome> {
  await old.client.save();
  return await run(app, { source: { rdb: 'FILES', file: 'dump.rdb' }, target: 'RESTORED', ...request });
}

/** Converts both ways, and expects the same of both but for what a plan tells of sources. */
async function expectSame(request: Record<string, unknown>): Promise<Outcome> {
  const served = await run(app, request);
  const restored = await restore(request);
  expect(restored.report.counts).toEqual({ ...served.report.counts, bytes: restored.report.counts.bytes });
  expect([...restored.findings].sort()).toEqual([...served.findings].sort());
  expect(restored.report.state).toBe(served.report.state);
  await expectSameTargets();
  return restored;
}

/** Equal, but for the order of a session's items: that of a hash of many fields, each server has its own. */
async function expectSameTargets(): Promise<void> {
  const [one, other] = [server(byServer), server(byFile)];
  const { differences, total } = await compareServers(one.server, other.server, { limit: 1_000 });
  const real: string[] = [];
  for (const { database, key, kind, text } of differences) {
    // Of a session that nobody gave an end it is counted from when it is converted.
    if (kind === 'expiry' && key.includes('/Forever_1')) continue;
    const items: unknown[] = [];
    for (const { client } of [one, other]) {
      await client.select(database);
      const blob = kind === 'value' && key.toString().endsWith(COLLECTION) ? await client.getBuffer(key) : undefined;
      await client.select(0);
      if (!blob) continue;
      const read = readCollection(blob).items.map((item) => item.read());
      items.push(read.sort((a, b) => Buffer.compare(a.name ?? EMPTY, b.name ?? EMPTY)));
    }
    if (items.length === 0 || !isDeepStrictEqual(items[0], items[1])) real.push(text);
  }
  expect(real).toEqual([]);
  expect(differences).toHaveLength(total);
}

/** Sessions of all sorts, and keys that look like theirs. */
async function fillSessions(redis: Redis): Promise<void> {
  const session = (appId: string, braced = true) => new Version4Session(redis, appId, braced);
  for (let i = 0; i < 300; i++) await session(`/Shop_${i}`).set({ cart: `cart ${i}`, user: 'x'.repeat(i) }, 1_200);
  await session('/Other_1').set({ a: 'x'.repeat(70_000).slice(0, 16_000), b: 'one' }, 600);
  const large = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`item${i}`, `${i}`.repeat(8_000)]));
  await session('/Large_1').set(large, 600);
  await session('/Names_1').set({ cart: 'one', Cart: 'two', other: 'x' }, 60);
  await session('/Old_1', false).set({ a: 'x' }, 60);
  await session('/Old_2', false).set({ a: 'old' }, 60);
  await session('/Old_2').set({ a: 'new' }, 60);
  await session('/Forever_1').set({ a: 'x' }, 1_200);
  await redis.persist(session('/Forever_1').data);
  await session('/Newer_1').set({ a: 'of 4' }, 600);
  await writeVersion5(redis, '/Newer_1', { a: 'of 5' }, 600);
  await writeVersion5(redis, '/Only_5', { a: 'of 5' }, 600);
  await session('/Text_1').set({ a: 'x' }, 600);
  await redis.hset(session('/Text_1').internal, 'SessionTimeout', '20 minutes');
  await session('/Digits_1').set({ a: 'x' }, 600);
  await redis.hset(session('/Digits_1').internal, 'SessionTimeout', '99999999999');
  await session('/Bad_1').set({ a: 'x' }, 600);
  await redis.hset(session('/Bad_1').data, 'b', '<xml/>');
  const stream = streamOf('x');
  const others: readonly (readonly [string, ...(string | Buffer)[]])[] = [
    ['HSET', '{a_alone}_Data', 'f', stream],
    ['HSET', '{a_b}_Internal', 'SessionTimeout', '1200'],
    ['HSET', '{a_soon}_Internal', 'SessionTimeout', 'soon'],
    ['HSET', '{a_zero}_Internal', 'SessionTimeout', '0'],
    ['SET', '{c_d}_Write_Lock', ticksNow()],
    ['SET', '{a_string}_Data', 'x'],
    ['HSET', '{a_plain}_Data', 'f', 'x'],
    ['SET', '{a_plain}_Write_Lock', ticksNow()],
    ['HSET', '{a_more}_Internal', 'SessionTimeout', '1', 'more', '2'],
    ['HSET', '{a_family}_Data', 'f', stream],
    ['HSET', '{a_family}_Internal', 'f', 'x'],
    ['RPUSH', '{a_list}_Internal', 'x'],
    ['SET', '{a_1}_Write_Lock', '1'],
    ['HSET', '{a_2}_Write_Lock', 'f', 'x'],
    ['HSET', '{_b}_Data', 'f', stream],
    ['SET', 'else', 'x'],
  ];
  for (const [name, ...args] of others) await redis.call(name, ...args);
}

describe('sessions of a file become what those of its server become', () => {
  it.each<[string, Record<string, unknown>]>([
    ['those without braces too, over those of version 5', { braceless: true, force: true }],
    ['of one application', { applications: ['/Shop', '/Newer'], defaultTimeoutSeconds: 60 }],
    ['of values of Json.NET, and with streams kept', { customSerializer: 'json', nativeTypes: false }],
  ])('%s', async (_, options) => {
    await fillSessions(old.client);
    const convert = [{ converter: 'aspnet-session-v5', ...options }];

    const { report } = await expectSame({ convert });

    expect(report.counts.converted).toBeGreaterThan(600);
    expect(report.conversions).toMatchObject([{ name: 'aspnet-session-v5', facts: { complete: true } }]);
  });

  it('once more without harm', async () => {
    await fillSessions(old.client);
    const convert = ['aspnet-session-v5'];
    const { report } = await expectSame({ convert });
    const again = await restore({ convert });
    expect(again.report.counts).toEqual({ ...report.counts, bytes: again.report.counts.bytes });
    await expectSameTargets();
  });

  it('under other names, in other databases, and where the target has some', async () => {
    await fillSessions(old.client);
    for (const { client } of [server(byServer), server(byFile)]) {
      await writeVersion5(client, '/Shop_1', { a: 'its own' }, 600);
      await client.select(3);
      await writeVersion5(client, '/Shop_1', { a: 'its own' }, 600);
      await client.select(0);
    }
    const convert = ['aspnet-session-v5'];
    await expectSame({ convert, onConflict: 'skip' });
    await expectSame({ convert, databases: { 0: 3 }, select: { exclude: ['{/Shop_2*'] } });
    await expectSame({ convert, databases: { 0: 'p:' }, rename: [{ from: '^else', to: 'renamed' }] });
  });

  it('of a real server, packed or not, and a comparison of file and server finds them', async () => {
    await copyFile(redis4Snapshot.file, path.join(folder, 'real.rdb'));
    await writeFile(path.join(folder, 'real.rdb.gz'), gzipSync(await readFile(redis4Snapshot.file)));
    const convert = ['aspnet-session-v5'];
    await run(app, { source: { rdb: 'FILES', file: 'real.rdb' }, target: 'OLD' });
    await run(app, { convert });
    const source = { rdb: 'FILES', file: 'real.rdb.gz' };
    const { report } = await run(app, { source, target: 'RESTORED', convert });
    expect(report).toMatchObject({
      state: 'completed',
      counts: { copied: redis4Snapshot.total - 2 * SESSIONS, converted: 2 * SESSIONS, failed: 0 },
      conversions: [{ facts: { sessions: SESSIONS, complete: true } }],
    });
    await expectSameTargets();
    const [one = ''] = await server(byFile).client.keys(`*${COLLECTION}`);
    await server(byFile).client.del(one);
    const files = { source: { rdb: 'FILES', file: 'real.rdb' }, target: 'RESTORED', convert };
    const compare = await run(app, { ...files, mode: 'compare' });
    expect(compare.report).toMatchObject({ counts: { same: redis4Snapshot.total - 1, extra: 0 } });
    expect(compare.findings).toEqual([`missing ${one.replace(COLLECTION, '_Data')}`]);
    const dryRun = await run(app, { ...files, mode: 'dry-run' });
    expect(dryRun.report).toMatchObject({ state: 'completed', counts: { scanned: redis4Snapshot.total } });
    // With those that are to be converted.
    const typesOf = async ({ report: { id } }: Outcome) =>
      (await readSurveyReport(id, app))?.types.map(({ type, keys }) => `${type} ${keys}`).sort();
    expect(await typesOf(dryRun)).toEqual(await typesOf(await run(app, { convert, mode: 'dry-run' })));
  });

  it('a lock in a file is nobody’s any more', async () => {
    const session = new Version4Session(old.client, '/Shop_1');
    await session.set({ a: 'x' }, 600);
    await session.takeLock(ticksNow());
    const { report } = await restore({ convert: ['aspnet-session-v5'] });
    expect(report).toMatchObject({ state: 'completed', counts: { converted: 2, skippedByFilter: 1, failed: 0 } });
    expect(await readVersion5(server(byFile).client, '/Shop_1')).toMatchObject({ items: { a: 'x' }, timeout: '600' });
  });
});

describe('entries of a cache in a file become what those of its server become', () => {
  beforeEach(async () => {
    const redis = old.client;
    const at = Date.now() + 3_600_000;
    for (let i = 0; i < 500; i++) await setEntry(redis, `S:${i}`, `value ${i}`, i % 2 === 0 ? { at } : {});
    await setEntry(redis, 'S:large', 'x'.repeat(200_000), { at });
    await setEntry(redis, 'S:sliding', 'x', { slidingSeconds: 600 });
    await setEntry(redis, 'S:bad', 'x');
    await redis.hset('S:bad', 'absexp', 'never');
    await redis.hset('S:no data', 'absexp', '-1');
    await redis.hset('S:more', 'absexp', '-1', 'data', 'x', 'else', 'y');
    await redis.hset('S:hash', 'data', 'x');
    await redis.hset('S:large hash', Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`field ${i}`, 'x'])));
    await redis.set('S:string', 'as it is', 'PX', 500_000);
    await redis.set('S:large string', 'x'.repeat(100_000));
    await redis.rpush('S:list', 'a', 'b');
    await redis.set('T:string', 'x');
  });

  it.each(['strings', 'entries'])('to %s', async (to) => {
    const convert = [{ converter: 'distributed-cache', to, instanceName: 'S:', sliding: 'expire' }];
    const { report } = await expectSame({ convert });
    expect(report.counts.converted).toBe(to === 'strings' ? 502 : 2);

    const another = to === 'strings' ? 'S:7' : 'T:string';
    await server(byFile).client.set(another, 'y'.repeat(another === 'S:7' ? 7 : 1));
    const compare = await restore({ convert, mode: 'compare' });
    expect(compare.report.counts).toMatchObject({ same: report.counts.converted + report.counts.copied - 1, extra: 0 });
    expect(compare.findings).toContain(`different-value ${another}`);
  });
});

it('of what is too large to be read from a file only entries are taken for some', async () => {
  const { client } = server(byServer);
  const [long, value] = [Buffer.alloc(100_000, 'name'), randomBytes(100_000)];
  await client.hset('entry', 'absexp', '-1', 'sldexp', '-1', 'data', value);
  await client.hset('sliding', 'data', value, 'sldexp', '7');
  await client.hset('expiring', 'data', value, 'sldexp', '7', 'absexp', '-1');
  await client.call('HPEXPIRE', 'expiring', 100_000_000, 'FIELDS', 1, 'sldexp');
  await client.hset('expired', 'data', value, 'sldexp', '7', 'else', 'x');
  await client.call('HPEXPIRE', 'expired', 1_000_000, 'FIELDS', 1, 'sldexp');
  await client.hset('hash', 'data', value, long, 'x'.repeat(100_000), '7', '7');
  await client.hset('of one', 'else', value);
  await client.hset('of four', 'absexp', '-1', 'data', value, 'a', '', 'b', '');
  await client.set('string', value);
  const names = ['entry', 'sliding', 'expiring', 'expired', 'hash', 'of one', 'of four', 'string', 'of Valkey'];
  const out = new Output();
  for (const name of names.slice(0, -1)) {
    writeKey(out, Buffer.from(name), 0, await client.dumpBuffer(name));
  }
  // Its field and value, and when it expires: never.
  const ofValkey = Buffer.concat([
    Buffer.from([22, 1, 6]),
    Buffer.from('sldexp'),
    Buffer.from([0x80, 0, 1, 0x86, 0xa0]),
  ]);
  writeKey(out, Buffer.from('of Valkey'), 0, Buffer.concat([ofValkey, value, Buffer.alloc(8, 0xff), Buffer.alloc(10)]));
  const bytes = out.copy();
  const read = (_: string, __: string, start: number, length: number) =>
    Promise.resolve(bytes.subarray(start, start + length));
  const source = { large: [], version: 12, etag: '' } as unknown as SourceFile;
  const reader = new FileReader({ store: { read }, file: 'file', source }, { index: 0, bits: 0 }, [[0, bytes.length]], {
    pageBytes: Infinity,
    readsAgain: () => true,
    wantsValue: () => false,
  });
  const { keys } = await reader.scan(0n, 100, false);
  expect(keys.map(String)).toEqual(names);

  const now = Date.now() + 10_000_000;
  const file = {
    kind: 'file',
    now: () => now,
    read: reader.readAgain.bind(reader),
    notes: () => Promise.resolve([]),
  } as const;
  const claimed = async (to: 'strings' | 'entries') => {
    const kinds = await new FileCache(file, to, 50_000).kinds(keys);
    const taken = names.filter((_, i) => kinds[i] !== 'plain');
    for (const kind of kinds.filter((each) => each !== 'plain')) {
      expect(kind).toBeGreaterThan(value.length);
      expect(kind).toBeLessThan(value.length + 100);
    }
    return taken;
  };
  expect(await claimed('strings')).toEqual(['entry', 'sliding', 'expiring', 'of Valkey']);
  expect(await claimed('entries')).toEqual(['string']);
});
