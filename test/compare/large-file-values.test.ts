import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { FileValues } from '../../src/compare/file-values';
import { knownValue } from '../../src/compare/known-value';
import { largeValue } from '../../src/compare/large-file-value';
import { beginningOf } from '../../src/files/pack';
import { writeKey } from '../../src/payload/file-records';
import { Output } from '../../src/payload/output';
import { FilePort } from '../../src/transfer/file-port';
import { checkRdb } from '../tools/check-rdb';
import { run } from '../tools/modes';
import { makeTestApp, type TestApp } from '../tools/test-app';
import { startTestServer, type TestServer } from '../tools/test-server';
import { startTestStorage, type TestStorage } from '../tools/test-storage';

jest.setTimeout(120_000);

let storage: TestStorage;
let folder: string;
let server: TestServer;
let app: TestApp;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'keyferry-large-values-'));
  [storage, server] = await Promise.all([
    startTestStorage(),
    startTestServer('redis-8.0', { dataFolder: folder, rdb: 'dump.rdb' }),
  ]);
  app = await makeTestApp({
    AzureWebJobsStorage: storage.connectionString,
    REDIS_OLD: server.server.url,
    REDIS_NEW: server.server.url,
    RDB_FILES: pathToFileURL(folder).href,
    KEYFERRY_BIG_KEY_MIB: '0.1',
    KEYFERRY_MEMORY_MIB: '1',
  });
}, 180_000);
afterAll(async () => {
  app.connections.close();
  await server.close();
  await storage.close();
  await rm(folder, { recursive: true, force: true });
});

const many = Array.from({ length: 12_288 }, (_, i) => i);
/** Nothing that can be packed: each value takes 1.5 MB. */
const noise = randomBytes(20_000);
const text = (i: number) => Buffer.concat([Buffer.from(`${i}:`), noise.subarray(i, i + ((i * 7_919) % 251))]);

const compare = (file: string) => run(app, { source: { rdb: 'FILES', file }, target: 'NEW', mode: 'compare' });

it('values of a file that are larger than the memory that there is are compared with those of a server, piece by piece', async () => {
  const { client } = server;
  const random = Buffer.from(many.map((i) => (i * i) % 251)).toString('hex');
  // Of full windows, and of one more, one less.
  await client.set('string', random.repeat(64).slice(0, 6 * 262_144), 'PX', 100_000_000);
  await client.set('plain', randomBytes(1_500_000));
  await client.set('packed', 'x'.repeat(110_000_000));
  await client.rpush('list', ...many.map(text));
  await client.rpush('list of more', ...many.map(text), '', '-7');
  await client.sadd('set', ...many.map(text));
  await client.hset('hash', ...many.flatMap((i) => [`field:${i}`, text(i)]));
  await client.hset('expiring', ...many.flatMap((i) => [`field:${i}`, text(i)]));
  await client.call('HPEXPIRE', 'expiring', 100_000_000, 'FIELDS', 3, 'field:0', 'field:777', 'field:12287');
  const scores = ['inf', '-inf', '-0', '1e300', '5e-324', '0.1', '3', '3', '3'];
  await client.zadd('zset', ...many.flatMap((i) => [scores[i] ?? `${i % 100}.${i % 7}`, text(i)]));
  await client.zadd('zset of less', ...many.slice(1).flatMap((i) => [i % 3, text(i)]));
  const fill = client.pipeline();
  // Of full windows with their first one's one more, and of what is pending too.
  for (const i of many.slice(0, 8 * 512 + 1))
    fill.xadd('stream', `${i + 1}-${i % 2}`, 'f', text(i), ...(i % 3 ? [] : ['g', noise.subarray(0, 900)]));
  fill.xadd('stream', '99999-0', 'f', noise);
  for (const group of ['b', 'a', 'none']) fill.xgroup('CREATE', 'stream', group, '0');
  for (const [group, consumer, count] of [
    ['a', 'two', 513],
    ['a', 'one', 1_000],
    ['b', 'one', 2_000],
    ['b', 'more', 5],
  ] as const)
    fill.xreadgroup('GROUP', group, consumer, 'COUNT', count, 'STREAMS', 'stream', '>');
  await fill.exec();
  await client.save();

  const { report, findings, messages } = await compare('dump.rdb');
  expect([findings, messages]).toEqual([[], []]);
  expect(report.counts).toMatchObject({ same: 11, extra: 0 });

  // And as they are written in pieces, and packed.
  await client.del('packed');
  const backup = await run(app, { target: { rdb: 'FILES', file: 'pieces.rdb.gz', gzip: true } });
  expect(backup.report.counts).toMatchObject({ copied: 9, failed: 1 });
  const packed = await readFile(path.join(folder, 'pieces.rdb.gz'));
  expect(beginningOf(packed.subarray(0, 4_096)).subarray(0, 9).toString()).toBe('REDIS0012');
  await writeFile(path.join(folder, 'pieces.rdb'), gunzipSync(packed));
  await checkRdb('redis-8.0', path.join(folder, 'pieces.rdb'));
  expect(await compare('pieces.rdb.gz')).toMatchObject({
    report: { counts: { same: 9 } },
    findings: ['extra expiring'],
  });

  // One element of each is another one.
  await client.setrange('string', 1_000_000, '-');
  await client.setrange('plain', 1_499_999, '-');
  await client.lset('list', 12_287, 'z');
  await client.lset('list of more', 0, 'z');
  await client.srem('set', text(5));
  await client.sadd('set', 'z');
  await client.hset('hash', 'field:5', 'z');
  await client.call('HPEXPIRE', 'expiring', 200_000_000, 'FIELDS', 1, 'field:777');
  await client.zadd('zset', 4.5, text(12_287));
  await client.zadd('zset of less', 5, text(1));
  await client.xclaim('stream', 'b', 'more', 0, '2000-1');
  const changed = await compare('dump.rdb');
  const values = ['hash', 'list', 'list of more', 'plain', 'set', 'stream', 'string', 'zset', 'zset of less'];
  expect([...changed.findings].sort()).toEqual([
    'different-field-expiry expiring',
    ...values.map((key) => `different-value ${key}`),
    'missing packed',
  ]);
});

it('a large stream of a file whose entries are all pending in several groups is restored whole', async () => {
  const { client } = server;
  await client.flushall();
  const groups = ['a', 'b', 'c', 'd'];
  const fill = client.pipeline();
  for (let i = 1; i <= 6_000; i++) fill.xadd('stream', `${i}-0`, 'f', noise.subarray(i, i + 90));
  for (const group of groups) {
    fill.xgroup('CREATE', 'stream', group, '0');
    fill.xreadgroup('GROUP', group, 'c', 'COUNT', 6_000, 'STREAMS', 'stream', '>');
  }
  await fill.exec();
  await client.save();
  await client.flushall();
  await client.set('stream', 'what it had');

  const { report, findings } = await run(app, {
    ...{ source: { rdb: 'FILES', file: 'dump.rdb' }, target: 'NEW', onConflict: 'replace', verify: 'full' },
  });

  expect([report.state, findings]).toEqual(['completed', []]);
  expect(await client.xlen('stream')).toBe(6_000);
  for (const group of groups) expect((await client.xpending('stream', group))[0]).toBe(6_000);
});

it('a read of a file that fails once leaves no trace in what a value is', async () => {
  const { client } = server;
  await client.flushall();
  const fill = client.pipeline();
  for (let i = 1; i <= 2_000; i++) fill.xadd('stream', `${i}-0`, 'f', noise.subarray(i, i + 1_000));
  await fill.exec();
  const out = new Output();
  writeKey(out, Buffer.from('stream'), 0, (await client.callBuffer('DUMP', 'stream')) as Buffer);
  const bytes = out.copy();
  const printWithout = async (failing: number) => {
    let reads = 0;
    const port = new FilePort(
      (start, length) =>
        ++reads === failing
          ? Promise.reject(new Error('away'))
          : Promise.resolve(bytes.subarray(start, start + length)),
      () => [0, bytes.length],
    );
    const file = {
      port,
      attempt: <T>(call: () => Promise<T>) => call().catch(call),
      largeOf: () => ({ type: bytes[0] ?? 0, bytes: 2 * app.settings.bytesInFlight }),
      release: (key: Buffer) => {
        port.release(key);
      },
      readerOfWhole: { read: () => Promise.reject(new Error('It is too large for that.')) },
    };
    const noNotes = { get: () => undefined, set: () => undefined };
    const values = new FileValues(file, Date.now, app, { check: () => undefined }, noNotes);
    const key = Buffer.from('stream');
    const page = { keys: [key], payloads: ['big'], expiries: [0], bytes: 0, micros: 0 } as const;
    const [pair] = await values.pairs(page, { onTarget: (name) => name });
    return { print: pair?.known?.print().print, reads };
  };
  const whole = await printWithout(0);
  expect(whole.reads).toBeGreaterThan(2);
  for (let failing = 1; failing <= whole.reads; failing++) {
    const { print, reads } = await printWithout(failing);
    expect([print, reads]).toEqual([whole.print, failing + whole.reads]);
  }
});

it('a value that needs longer than the time of one message is read over several of them, whatever its type', async () => {
  const { client } = server;
  await client.flushall();
  const some = many.slice(0, 3 * 512);
  await client.set('string', randomBytes(8 * 262_144));
  await client.set('packed', 'x'.repeat(3_000_000));
  await client.rpush('list', ...some.map(text));
  await client.rpush('list of more', ...many.slice(0, 5_000).map(text));
  await client.sadd('set', ...many.slice(0, 5_000).map(text));
  await client.hset('hash', ...many.slice(0, 5_000).flatMap((i) => [`field:${i}`, text(i)]));
  await client.hset('expiring', ...many.slice(0, 5_000).flatMap((i) => [`field:${i}`, text(i)]));
  await client.call('HPEXPIRE', 'expiring', 100_000_000, 'FIELDS', 2, 'field:0', 'field:4777');
  await client.zadd('zset', ...many.slice(0, 5_000).flatMap((i) => [`${i % 100}.${i % 7}`, text(i)]));
  await client.zadd('zset of windows', ...many.slice(0, 8 * 512).flatMap((i) => [i % 9, text(i)]));
  const fill = client.pipeline();
  for (const [name, length] of [
    ['stream', 5_000],
    ['stream of windows', 4 * 512],
    ['stream of one more', 4 * 512 + 1],
  ] as const) {
    for (const i of many.slice(0, length)) fill.xadd(name, `${i + 1}-${i % 2}`, 'f', text(i));
    for (const [group, count] of [
      ['b', 512],
      ['a', 2_000],
      ['none', 0],
    ] as const) {
      fill.xgroup('CREATE', name, group, '0');
      if (count > 0) fill.xreadgroup('GROUP', group, 'one', 'COUNT', count, 'STREAMS', name, '>');
    }
  }
  await fill.exec();

  const clock = jest.spyOn(performance, 'now');
  try {
    let time = 0;
    clock.mockImplementation(() => (time += 1_000));
    for (const name of await client.keys('*')) {
      const key = Buffer.from(name);
      const payload = (await client.callBuffer('DUMP', key)) as Buffer;
      const expected = knownValue(payload, 0, Date.now);
      const out = new Output();
      writeKey(out, key, 0, payload);
      const bytes = out.copy();
      let noted: string | undefined;
      const notes = {
        get: (): unknown => noted && JSON.parse(noted),
        set: (note: unknown) => {
          noted = JSON.stringify(note);
        },
      };
      let messages = 0;
      for (let isOver = false; !isOver; messages++) {
        // A message has the time of a few steps; all that is open is another one's.
        let left = 6;
        const goOn = () => {
          if (left-- === 0) throw new Error('deadline');
        };
        const port = new FilePort(
          (start, length) => Promise.resolve(bytes.subarray(start, start + length)),
          () => [0, bytes.length],
        );
        const type = await client.type(key);
        try {
          const value = await largeValue({ port, key, type, expiry: 0, now: Date.now, goOn, notes });
          expect([name, value.facts(), value.print(), value.fieldExpiries()]).toEqual([
            name,
            expected.facts(),
            expected.print(),
            expected.fieldExpiries(),
          ]);
          isOver = true;
        } catch (error) {
          if (!(error instanceof Error) || error.message !== 'deadline') throw error;
        }
        if (messages > 100) throw new Error(`"${name}" comes to no end.`);
      }
      expect([name, messages > 1]).toEqual([name, true]);
      // Whoever only has the target's side left to read is told at once.
      const port = new FilePort(
        () => Promise.reject(new Error('It was read.')),
        () => [0, bytes.length],
      );
      const again = { port, key, type: await client.type(key), expiry: 0, now: Date.now, goOn: () => undefined, notes };
      expect((await largeValue(again)).print()).toEqual(expected.print());
    }
  } finally {
    clock.mockRestore();
  }
});

it('of a hash no more names of expiring fields are held than there is memory for', async () => {
  const { client } = server;
  await client.flushall();
  const names = Array.from({ length: 1_700 }, (_, i) =>
    Buffer.concat([Buffer.from(`${i}:`), noise.subarray(i, i + 10_000)]),
  );
  for (const key of ['held', 'not held']) {
    const some = key === 'held' ? names.slice(0, 1_600) : names;
    await client.hset(key, ...some.flatMap((name) => [name, '']));
    await client.call('HPEXPIRE', key, 100_000_000, 'FIELDS', some.length, ...some);
  }
  await client.save();

  const { report, findings, messages } = await compare('dump.rdb');

  expect(report.counts).toMatchObject({ same: 1, extra: 0 });
  expect(findings).toEqual(['not-compared not held']);
  expect(messages[0]).toContain('more of its fields expire than can be kept in mind');
});
