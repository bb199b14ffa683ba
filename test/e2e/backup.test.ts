import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { BlobServiceClient } from '@azure/storage-blob';
import type { ServerName } from '../../local/servers/server-names';
import { END, writeHead, writeKey } from '../../src/payload/file-records';
import { withFooter } from '../../src/payload/footer';
import { Output } from '../../src/payload/output';
import type { AppProcess } from '../tools/app-process';
import { checkRdb } from '../tools/check-rdb';
import { compareServers, digest, Stage, type Side } from '../tools/stage';

const snapshot = path.resolve(__dirname, '../fixtures/redis-4.0.14.rdb');
const KEYS = 18_270;
/** Of the snapshot: newer servers hash some types in another way. */
const DIGEST_FROM_8 = 'd879337160594160179d0c4e4035be985356e9e1';
const CONTAINER = 'backups';

const stage = new Stage();
let folder: string;
let backups: string;
let app: AppProcess;
let container: ReturnType<BlobServiceClient['getContainerClient']>;
let sides: { OLD: Side; NEW: Side; OTHER: Side; SIX: Side; UPGRADED: Side };

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'keyferry-backup-'));
  backups = path.join(folder, 'backups');
  await mkdir(backups);
  await copyFile(snapshot, path.join(folder, 'dump.rdb'));
  sides = {
    OLD: await stage.side('redis-6.0', { dataFolder: folder, rdb: 'dump.rdb' }),
    NEW: await stage.side('redis-8.0'),
    OTHER: await stage.side('redis-8.0'),
    SIX: await stage.side('redis-6.0'),
    UPGRADED: await stage.side('redis-7.0'),
  };
  const { connectionString } = await stage.storage();
  container = BlobServiceClient.fromConnectionString(connectionString).getContainerClient(CONTAINER);
  await container.create();
  app = await stage.app({
    ...stage.connections(sides),
    RDB_FOLDER: pathToFileURL(folder).href,
    RDB_BACKUPS: pathToFileURL(backups).href,
    RDB_BLOBS: `${connectionString};container=${CONTAINER}`,
    KEYFERRY_BIG_KEY_MIB: '1',
    KEYFERRY_MEMORY_MIB: '4',
  });
});

afterAll(async () => {
  await stage.clear();
  await rm(folder, { recursive: true, force: true });
});

/** A server that has read the file when it started. */
async function loaded(version: ServerName, file: string): Promise<Side> {
  return await stage.side(version, { dataFolder: backups, rdb: file });
}

describe('a backup', () => {
  it('is one RDB file that servers of the same and of newer versions load, equal to its source', async () => {
    const report = await app.run({ source: 'OLD', target: { rdb: 'BACKUPS', file: 'before.rdb' } });

    expect(report).toMatchObject({
      state: 'completed',
      target: { name: 'BACKUPS/before.rdb', version: 'RDB 9', keysAtStart: 0, keysNow: KEYS },
      counts: { copied: KEYS, failed: 0 },
      findings: 0,
    });
    expect(await readdir(backups)).toEqual(['before.rdb']);
    await checkRdb('redis-6.0', path.join(backups, 'before.rdb'));
    expect(await digest(await loaded('redis-6.0', 'before.rdb'))).toBe(await digest(sides.OLD));
    expect(await digest(await loaded('redis-7.0', 'before.rdb'))).toBe(await digest(sides.OLD));
    expect(await digest(await loaded('redis-8.0', 'before.rdb'))).toBe(DIGEST_FROM_8);
    expect(await digest(await loaded('valkey-8.1', 'before.rdb'))).toBe(DIGEST_FROM_8);
  });

  it('of a newer server is one for an older one where that is asked for, functions and big keys and all', async () => {
    const { client } = sides.NEW;
    await client.call('FUNCTION', 'LOAD', "#!lua name=kept\nredis.register_function('kept', function() return 1 end)");
    await client.rpush('big', ...Array.from({ length: 300 }, (_, i) => `${i}`.repeat(3_000)));
    await client.set('large', Buffer.alloc(3_000_000, 'x'));
    await client.hset('hash', { a: '1', b: '2' });
    await client.select(3);
    await client.set('expiring', 'later', 'PX', 10_000_000);
    await client.zadd('scores', 1.5, 'a', -1, 'b');
    await client.select(0);

    const newer = await app.run({ source: 'NEW', target: { rdb: 'BACKUPS', file: 'newer.rdb' } });
    const older = await app.run({ source: 'NEW', target: { rdb: 'BACKUPS', file: 'older.rdb', version: 9 } });

    expect(newer).toMatchObject({ state: 'completed', counts: { copied: 5 }, warnings: [] });
    expect(older).toMatchObject({ state: 'completed', counts: { copied: 5 } });
    expect(older.warnings).toContainEqual(expect.stringContaining('function libraries'));
    await checkRdb('redis-8.0', path.join(backups, 'newer.rdb'));
    await checkRdb('redis-6.0', path.join(backups, 'older.rdb'));
    const same = await loaded('redis-8.0', 'newer.rdb');
    expect(await digest(same)).toBe(await digest(sides.NEW));
    expect(JSON.stringify(await same.client.call('FUNCTION', 'LIST'))).toContain('kept');
    const six = await loaded('redis-6.0', 'older.rdb');
    expect((await compareServers(sides.NEW, six)).differences).toEqual([]);
  });

  it('goes into a container of Blob storage', async () => {
    const report = await app.run({ source: 'OLD', target: { rdb: 'BLOBS', file: 'daily/{date}.rdb' } });

    expect(report).toMatchObject({ state: 'completed', counts: { copied: KEYS } });
    const names: string[] = [];
    for await (const { name } of container.listBlobsFlat()) names.push(name);
    const [name = ''] = names;
    expect(name).toMatch(/^daily\/\d{4}-\d\d-\d\d\.rdb$/);
    await container.getBlobClient(name).downloadToFile(path.join(backups, 'from-blob.rdb'));
    expect(await digest(await loaded('redis-6.0', 'from-blob.rdb'))).toBe(await digest(sides.OLD));
  });

  it('replaces no file unless that is asked for', async () => {
    const target = { rdb: 'BACKUPS', file: 'kept.rdb' };
    await app.run({ source: 'OLD', target });
    const before = await readFile(path.join(backups, 'kept.rdb'));

    const again = await app.refused({ source: 'OLD', target });
    expect(again.status).toBe(409);
    expect(again.body).toMatchObject({
      error: { code: 'fileExists', message: expect.stringContaining('BACKUPS/kept.rdb') as string },
    });
    expect((await readFile(path.join(backups, 'kept.rdb'))).equals(before)).toBe(true);

    const report = await app.run({ source: 'OTHER', target: { ...target, overwrite: true } });
    expect(report.state).toBe('completed');
    expect((await readFile(path.join(backups, 'kept.rdb'))).length).toBeLessThan(300);
  });
});

/** Keys of about 6 MB, of each type that goes in pieces, and their names. */
async function fillLarge({ client }: Side): Promise<string[]> {
  const text = (i: number) => `${i}:${'x'.repeat(i % 300)}`;
  const many = Array.from({ length: 40_000 }, (_, i) => i);
  await client.set('large:string', randomBytes(6_000_000), 'PX', 100_000_000);
  await client.set('large:text', randomBytes(5_000_000).toString('hex'));
  await client.rpush('large:list', ...many.map(text), '', '-7', '2147483648');
  await client.sadd('large:set', ...many.map(text), '', '007');
  await client.hset('large:hash', ...many.flatMap((i) => [`field:${i}`, text(i)]));
  const scores = ['inf', '-inf', '-0', '1e300', '5e-324', '0.1', '3'];
  await client.zadd('large:zset', ...many.flatMap((i) => [scores[i] ?? `${i}.${i}`, text(i)]));
  const fill = client.pipeline();
  for (const i of many) fill.xadd('large:stream', `${i + 1}-0`, 'field', text(i));
  for (const group of ['first', 'second']) fill.xgroup('CREATE', 'large:stream', group, '0');
  for (const [group, consumer, count] of [
    ['first', 'one', 3_000],
    ['first', 'two', 20_000],
    ['second', 'one', 10],
  ] as const)
    fill.xreadgroup('GROUP', group, consumer, 'COUNT', count, 'STREAMS', 'large:stream', '>');
  fill.xdel('large:stream', '7-0', '39999-0');
  await fill.exec();
  return await client.keys('large:*');
}

/** What a server tells of the large stream beside its entries. */
async function pastOf({ client }: Side): Promise<unknown> {
  const fields = ['last-generated-id', 'max-deleted-entry-id', 'entries-added', 'length'];
  const stream = (await client.call('XINFO', 'STREAM', 'large:stream')) as unknown[];
  const pending = async (group: string) => {
    const page = (await client.xpending('large:stream', group, '-', '+', 5)) as [string, string, number, number][];
    return [await client.xpending('large:stream', group), page.map(([id, consumer, , times]) => [id, consumer, times])];
  };
  return [
    fields.map((name) => stream[stream.indexOf(name) + 1]),
    await client.call('XINFO', 'GROUPS', 'large:stream'),
    await pending('first'),
    await pending('second'),
  ];
}

describe('keys larger than the memory that there is', () => {
  it('go into a file in pieces, equal for every server that loads it', async () => {
    await sides.NEW.client.flushall();
    const keys = await fillLarge(sides.NEW);

    const report = await app.run({ source: 'NEW', target: { rdb: 'BACKUPS', file: 'pieces.rdb' } });
    const older = await app.run({ source: 'NEW', target: { rdb: 'BACKUPS', file: 'pieces-9.rdb', version: 9 } });

    expect(report).toMatchObject({ state: 'completed', counts: { copied: keys.length, failed: 0 }, findings: 0 });
    await checkRdb('redis-8.0', path.join(backups, 'pieces.rdb'));
    const same = await loaded('redis-8.0', 'pieces.rdb');
    expect(await digest(same)).toBe(await digest(sides.NEW));
    expect(await same.client.pexpiretime('large:string')).toBe(await sides.NEW.client.pexpiretime('large:string'));
    expect(await pastOf(same)).toEqual(await pastOf(sides.NEW));
    expect(older).toMatchObject({ counts: { copied: keys.length, failed: 0 }, findings: 1 });
    expect((await app.findings(older.id)).findings).toMatchObject([{ key: 'large:stream', code: 'lost-stream-facts' }]);
    expect((await compareServers(sides.NEW, await loaded('redis-6.0', 'pieces-9.rdb'))).differences).toEqual([]);
  });
});

describe('keys of a file that are larger than the memory that there is', () => {
  it.each([
    ['pieces.rdb', 'redis-8.0', 'as it was written in pieces'],
    ['pieces.rdb', 'redis-8.0', 'as a server writes it, with fields that expire'],
    ['pieces-9.rdb', 'redis-6.0', 'as an older server writes it'],
  ] as const)('come to a server in pieces: %s of %s, %s', async (file, version, how) => {
    const same = await loaded(version, file);
    if (how.includes('expire')) {
      const fields = Array.from({ length: 40_000 }, (_, i) => `field:${i}`);
      await same.client.hset('expiring', ...fields.flatMap((field) => [field, `${field}:${'x'.repeat(150)}`]));
      for (const at of [0, 39_000])
        await same.client.call('HPEXPIREAT', 'expiring', 9e12 + at, 'FIELDS', 900, ...fields.slice(at, at + 900));
    }
    if (how.includes('server')) await same.client.save();
    await sides.OTHER.client.flushall();

    const report = await app.run({ source: { rdb: 'BACKUPS', file }, target: 'OTHER' });

    const keys = await same.client.dbsize();
    expect(report).toMatchObject({ state: 'completed', counts: { copied: keys }, findings: 0 });
    expect((await compareServers(same, sides.OTHER)).differences).toEqual([]);
    if (version === 'redis-8.0') expect(await pastOf(sides.OTHER)).toEqual(await pastOf(same));
    const ends = (side: Side, field: string) => side.client.call('HPEXPIRETIME', 'expiring', 'FIELDS', 1, field);
    if (how.includes('expire')) {
      for (const field of ['field:3', 'field:39001', 'field:5000'])
        expect(await ends(sides.OTHER, field)).toEqual(await ends(same, field));
    }
    await sides.OTHER.client.flushall();
  });
});

describe('a backup whose app is killed', () => {
  it('is the same file once it goes on, without a key twice', async () => {
    const id = await app.migrate({
      source: 'OLD',
      target: { rdb: 'BACKUPS', file: 'killed.rdb' },
      limits: { keysPerSecond: 3_000 },
    });
    for (const keys of [3_000, 8_000]) {
      await app.reportWhen(id, ({ counts }) => counts.copied > keys);
      await app.kill();
      expect(await readdir(backups)).not.toContain('killed.rdb');
      await app.begin();
    }

    const report = await app.finished(id);

    expect(report).toMatchObject({ state: 'completed', counts: { copied: KEYS, repeats: 0 } });
    expect(await digest(await loaded('redis-6.0', 'killed.rdb'))).toBe(await digest(sides.OLD));
  });

  it('leaves nothing when it is cancelled', async () => {
    const target = { rdb: 'BACKUPS', file: 'cancelled.rdb' };
    const id = await app.migrate({ source: 'OLD', target, limits: { keysPerSecond: 3_000 } });
    await app.reportWhen(id, ({ counts }) => counts.copied > 1_000);
    await app.request('DELETE', `/api/migrations/${id}`);

    expect(await app.finished(id)).toMatchObject({ state: 'cancelled', target: { keysNow: null } });
    // It has ended before what it left is removed.
    const left = async () => (await readdir(backups)).filter((name) => !name.endsWith('.rdb'));
    for (let tries = 0; tries < 100 && (await left()).length > 0; tries++) await sleep(100);
    expect(await left()).toEqual([]);
    expect(await readdir(backups)).not.toContain('cancelled.rdb');
  });
});

describe('a restore', () => {
  /** A server that was emptied, as a target. */
  async function emptied(name: 'NEW' | 'OTHER'): Promise<Side> {
    await sides[name].client.flushall();
    return sides[name];
  }

  it('brings back what a backup, or a server, has written into a file', async () => {
    const target = await emptied('OTHER');

    const report = await app.run({ source: { rdb: 'FOLDER', file: 'dump.rdb' }, target: 'OTHER' });

    expect(report).toMatchObject({
      state: 'completed',
      source: { name: 'FOLDER/dump.rdb', keysAtStart: KEYS },
      counts: { scanned: KEYS, copied: KEYS, failed: 0 },
      tally: { sourceKeys: KEYS, accountedKeys: KEYS, missing: 0 },
      findings: 0,
      warnings: [],
    });
    expect(await digest(target)).toBe(DIGEST_FROM_8);
  });

  it('fills the cache that took the place of the one that was backed up', async () => {
    const source = { rdb: 'BACKUPS', file: 'before.rdb' };

    const report = await app.run({ source, target: 'UPGRADED', onConflict: 'fail' });

    expect(report).toMatchObject({ state: 'completed', counts: { copied: KEYS }, findings: 0 });
    expect(await digest(sides.UPGRADED)).toBe(await digest(sides.OLD));
    const again = await app.run({ source, target: 'UPGRADED', onConflict: 'fail' });
    expect(again).toMatchObject({ state: 'failed', cause: expect.stringContaining(`has ${KEYS} keys`) as string });
  });

  it('reads the file of another database, part of it, into others and under other names, from Blob storage', async () => {
    const target = await emptied('OTHER');
    await container.getBlockBlobClient('up/loaded.rdb').uploadFile(path.join(folder, 'dump.rdb'));

    const report = await app.run({
      source: { rdb: 'BLOBS', file: 'up/loaded.rdb' },
      target: 'OTHER',
      databases: { 1: 7, 15: 'of15:' },
    });

    expect(report).toMatchObject({ state: 'completed', counts: { copied: 701 } });
    expect(await target.client.info('keyspace')).toMatch(/db0:keys=1,[^]*db7:keys=700,/);
  });

  it('reads a file that is packed, with a large key and several databases, from Blob storage', async () => {
    const { client } = await emptied('NEW');
    await client.set('large', randomBytes(3_000_000));
    await client.rpush('big', ...Array.from({ length: 400 }, (_, i) => `${i}`.repeat(3_000)));
    await client.select(3);
    await client.hset('hash', { a: '1', b: '2' });
    await client.select(0);
    await app.run({ source: 'NEW', target: { rdb: 'BACKUPS', file: 'to-pack.rdb' } });
    const packed = await promisify(gzip)(await readFile(path.join(backups, 'to-pack.rdb')));
    await container.getBlockBlobClient('export.rdb.gz').uploadData(packed);
    await emptied('OTHER');

    const report = await app.run({
      source: { rdb: 'BLOBS', file: 'export.rdb.gz' },
      target: 'OTHER',
      verify: 'count',
    });

    expect(report).toMatchObject({ state: 'completed', counts: { copied: 3 }, findings: 0 });
    expect(await digest(sides.OTHER)).toBe(await digest(sides.NEW));
  });

  it('of a large key takes it whole, also to an older server', async () => {
    const { client } = sides.NEW;
    await client.flushall();
    await client.rpush('big', ...Array.from({ length: 400 }, (_, i) => `${i}`.repeat(3_000)));
    await client.set('large', Buffer.alloc(3_000_000, 'x'));
    await client.hset('hash', { a: '1', b: '2' });
    await client.set('expiring', 'later', 'PX', 10_000_000);
    await app.run({ source: 'NEW', target: { rdb: 'BACKUPS', file: 'large.rdb' } });
    await sides.SIX.client.flushall();

    const report = await app.run({ source: { rdb: 'BACKUPS', file: 'large.rdb' }, target: 'SIX' });

    expect(report).toMatchObject({ state: 'completed', counts: { copied: 4 } });
    expect((await compareServers(sides.NEW, sides.SIX)).differences).toEqual([]);
  });

  it('loads the function libraries of the file where the target knows them, and tells of each that it does not take', async () => {
    const { client } = await emptied('OTHER');
    await client.call('FUNCTION', 'FLUSH');
    const library = (name: string, ...functions: string[]) =>
      `#!lua name=${name}\n${functions.map((each) => `redis.register_function('${each}', function() return '${name}' end)`).join('\n')}`;
    for (const [name, of] of [
      ['kept', 'kept'],
      ['older', 'older'],
      ['taken', 'shared'],
    ] as const)
      await client.call('FUNCTION', 'LOAD', library(name, of));
    await client.set('key', 'value');
    await app.run({ source: 'OTHER', target: { rdb: 'BACKUPS', file: 'libraries.rdb' } });
    const kept = await client.call('FUNCTION', 'LIST', 'LIBRARYNAME', 'kept', 'WITHCODE');
    await client.call('FUNCTION', 'FLUSH');
    await client.call('FUNCTION', 'LOAD', library('older', 'another'));
    await client.call('FUNCTION', 'LOAD', library('own', 'shared'));
    const source = { rdb: 'BACKUPS', file: 'libraries.rdb' };

    const report = await app.run({ source, target: 'OTHER' });

    expect(report).toMatchObject({ state: 'completedWithDifferences', counts: { copied: 1, failed: 0 }, findings: 1 });
    expect((await app.findings(report.id)).findings).toEqual([
      expect.objectContaining({ key: 'taken', code: 'library-not-loaded' }),
    ]);
    expect(await client.call('FUNCTION', 'LIST', 'LIBRARYNAME', 'older')).toEqual([expect.arrayContaining(['older'])]);
    expect(await client.call('FCALL', 'older', '0')).toBe('older');
    expect(await client.call('FUNCTION', 'LIST', 'LIBRARYNAME', 'kept', 'WITHCODE')).toEqual(kept);

    await client.call('FUNCTION', 'FLUSH');
    expect(await app.run({ source, target: 'OTHER' })).toMatchObject({
      state: 'completed',
      warnings: [expect.any(String)],
    });
    const part = await app.run({ source, target: 'OTHER', select: { match: ['k*'] } });
    expect(part.warnings.join(' ')).toContain('3 function libraries in the file are not restored: "select"');
    const older = await app.run({ source, target: 'SIX' });
    expect(older.warnings.join(' ')).toContain('the target (6.0.16) knows none');
    await client.call('FUNCTION', 'FLUSH');
  });

  it('of a damaged file brings what is good, and is not called complete', async () => {
    const target = await emptied('OTHER');
    const bytes = await readFile(path.join(folder, 'dump.rdb'));
    await writeFile(path.join(backups, 'cut.rdb'), bytes.subarray(0, 2_000_000));

    const report = await app.run({ source: { rdb: 'BACKUPS', file: 'cut.rdb' }, target: 'OTHER' });

    expect(report.state).toBe('completedWithDifferences');
    expect(report.warnings.join(' ')).toMatch(/damaged at byte \d+ of 2000000/);
    expect(report.counts.copied).toBeGreaterThan(1_000);
    expect(await target.client.dbsize()).toBe(report.counts.copied);
  });

  it('sends nothing to an old server that might end it', async () => {
    await sides.SIX.client.flushall();
    const out = new Output();
    writeHead(out, 9, []);
    const bad = [Buffer.from([13, 4, 1, 2, 3, 4]), Buffer.from([4, 1, 1, 102, 0xc3, 3, 40, 1, 2, 3])];
    const good = Buffer.from([0, 1, 118]);
    for (const [i, value] of [...bad, good].entries()) {
      writeKey(out, Buffer.from(`key${i}`), 0, withFooter(value, value.length, 9));
    }
    out.byte(END);
    out.int64(0n);
    await writeFile(path.join(backups, 'hostile.rdb'), out.copy());

    const report = await app.run({ source: { rdb: 'BACKUPS', file: 'hostile.rdb' }, target: 'SIX' });

    expect(report).toMatchObject({ state: 'completedWithDifferences', counts: { copied: 1, failed: 2 }, findings: 2 });
    expect(await sides.SIX.client.keys('*')).toEqual(['key2']);
  });

  it('says what is wrong with a file that is none', async () => {
    await writeFile(path.join(backups, 'none.rdb'), 'something else');
    const none = await app.refused({ source: { rdb: 'BACKUPS', file: 'none.rdb' }, target: 'OTHER' });
    expect([none.status, none.body.error.code]).toEqual([400, 'noSuchFile']);
    const missing = await app.refused({ source: { rdb: 'BACKUPS', file: 'missing.rdb' }, target: 'OTHER' });
    expect(missing.body.error.message).toBe('File store "BACKUPS/missing.rdb": there is no such file.');
    const store = await app.refused({ source: { rdb: 'NONE', file: 'x.rdb' }, target: 'OTHER' });
    expect(store.body.error.details[0]?.message).toContain('RDB_NONE');
  });
});
