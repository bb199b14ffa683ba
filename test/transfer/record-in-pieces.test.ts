import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeKey } from '../../src/payload/file-records';
import { Output } from '../../src/payload/output';
import { FilePort } from '../../src/transfer/file-port';
import { Crc64 } from '../../src/payload/crc64';
import { readRecord, payloadOf } from '../../src/payload/read-record';
import { ByteReader } from '../../src/payload/byte-reader';
import type { Command, RedisPort, Reply } from '../../src/redis/redis-port';
import { recordInPieces, type InPieces } from '../../src/transfer/record-in-pieces';
import { startTestServer, type TestServer } from '../tools/test-server';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer('redis-8.0');
});
afterAll(async () => {
  await server.close();
});
beforeEach(async () => {
  await server.client.flushall();
});

/** Writes a key's record; `between` is called after each reply of some elements, with how many there were. */
async function recordOf(
  key: string,
  between: (replies: number) => Promise<unknown> = () => Promise.resolve(),
  before: (command: Command) => Promise<unknown> = () => Promise.resolve(),
  version = 12,
  tampered: (command: Command, reply: Reply) => Reply = (_, reply) => reply,
) {
  const connection = await server.connect();
  let replies = 0;
  const seen = async (command: Command) => {
    if (/^(GETRANGE|LRANGE|ZRANGE|XRANGE|XPENDING|.SCAN)$/.test(command[0])) await between(++replies);
  };
  const port: RedisPort = {
    call: async (...command) => {
      const reply = await connection.call(...command);
      await seen(command);
      return reply;
    },
    pipeline: async (commands) => {
      for (const command of commands) await before(command);
      const given = await connection.pipeline(commands);
      for (const command of commands) await seen(command);
      return given.map((reply, i) => (reply instanceof Error ? reply : tampered(commands[i]!, reply)));
    },
  };
  const kept: Buffer[] = [];
  const outcome: InPieces = await recordInPieces(port, Buffer.from(key), Buffer.from(key), undefined, {
    source: { major: 8, minor: 0, valkey: false },
    version,
    chunkBytes: 10_000,
    blockBytes: 20_000,
    keep: (bytes) => {
      kept.push(bytes);
      return Promise.resolve({ number: kept.length - 1, length: bytes.length, crc: new Crc64().update(bytes).value });
    },
    step: () => undefined,
    reading: (read) => read(),
  });
  const record =
    outcome.kind === 'kept'
      ? Buffer.concat(outcome.blocks.map(({ number }) => kept[number] ?? Buffer.alloc(0)))
      : undefined;
  return { outcome, record, replies };
}

/** Restores a record under another name, and gives the digests of both keys. */
async function digests(key: string, record: Buffer | undefined): Promise<unknown> {
  if (record === undefined) throw new Error('There is no record.');
  const head = readRecord(new ByteReader(record, 0, record.length));
  if (head.kind !== 'key') throw new Error('It is no key.');
  await server.client.restore('restored', 0, payloadOf(record, head, record.length, 9), 'REPLACE');
  return await server.client.call('DEBUG', 'DIGEST-VALUE', key, 'restored');
}

const numbers = Array.from({ length: 5_000 }, (_, i) => i);

const kinds: readonly (readonly [type: string, fill: () => Promise<unknown>, change: () => Promise<unknown>])[] = [
  ['string', () => server.client.set('key', 'v'.repeat(100_000)), () => server.client.setrange('key', 0, 'other')],
  ['list', () => server.client.rpush('key', ...numbers), () => server.client.rpush('key', 'more')],
  [
    'set',
    () => server.client.sadd('key', ...numbers.map((i) => `m${i}`)),
    () => server.client.sadd('key', randomUUID()),
  ],
  [
    'hash',
    () => server.client.hset('key', ...numbers.flatMap((i) => [`f${i}`, i])),
    () => server.client.hset('key', 'f1', 'x'),
  ],
  [
    'zset',
    () => server.client.zadd('key', ...numbers.flatMap((i) => [i / 7, `m${i}`])),
    () => server.client.zincrby('key', 1, 'm1'),
  ],
  ['stream', () => fillStream(), () => server.client.xgroup('CREATECONSUMER', 'key', 'group', randomUUID())],
];

/** Entries of several kinds, some deleted; groups, one of them with more that is pending than comes at once. */
async function fillStream(): Promise<void> {
  const fill = server.client.pipeline();
  for (const i of numbers)
    fill.xadd('key', `${i + 1}-${i % 3}`, 'field', i * 7_919, ...(i % 5 ? [] : ['more', 'v'.repeat(i % 90)]));
  fill.xadd(
    'key',
    '18446744073709551615-1',
    'field',
    '-70000',
    '',
    '-',
    '-129',
    '9007199254740993',
    'x'.repeat(5_000),
    '-0',
  );
  fill.xadd('key', '18446744073709551615-18446744073709551614', 'field', '01');
  for (const group of ['group', 'idle', 'unknown'])
    fill.xgroup('CREATE', 'key', group, group === 'unknown' ? '77-1' : '0');
  fill.xdel('key', '1000-0', '2000-1', '4711-1');
  for (const [consumer, count] of [
    ['one', 1_200],
    ['two', 1_700],
    ['one', 30],
    ['three', 10],
  ] as const)
    fill.xreadgroup('GROUP', 'group', consumer, 'COUNT', count, 'STREAMS', 'key', '>');
  fill.xgroup('CREATECONSUMER', 'key', 'group', 'never');
  fill.xreadgroup('GROUP', 'idle', 'one', 'COUNT', 5, 'STREAMS', 'key', '>');
  fill.xreadgroup('GROUP', 'idle', 'one', 'STREAMS', 'key', '0');
  // Pending, and gone.
  fill.xdel('key', '50-1');
  for (const result of (await fill.exec()) ?? []) if (result[0] !== null) throw result[0];
}

/** All that a server tells of a stream: entries, what is pending, its past. Of consumers' times what they are about. */
async function streamFacts(key: string): Promise<string> {
  const about = (time: number) => (time > 0 ? Math.round(time / 1_000_000) : time);
  const text = (reply: unknown): unknown =>
    Array.isArray(reply)
      ? reply.map((each, i) => (/(seen|active)-time$/.test(String(reply[i - 1])) ? about(each as number) : text(each)))
      : reply;
  const full = (await server.client.call('XINFO', 'STREAM', key, 'FULL', 'COUNT', '0')) as unknown[];
  // How its tree came to be is nobody's.
  const at = full.indexOf('radix-tree-keys');
  return JSON.stringify(text([...full.slice(0, at), ...full.slice(at + 4)]), (_, value: unknown) =>
    // When it was delivered, to some ms.
    typeof value === 'number' && value > 1e12 ? Math.round(value / 1_000_000) : value,
  );
}

describe.each(kinds)('a %s', (_, fill, change) => {
  it('that is written to while it is read is read again, and is one that it was', async () => {
    await fill();
    const { record, replies } = await recordOf('key', async (reply) => {
      if (reply === 2) await change();
    });
    const [one, other] = (await digests('key', record)) as string[];
    expect(one).toBe(other);
    expect(replies).toBeGreaterThan(6);
  });

  it('that is written to all the time is told', async () => {
    await fill();
    const { outcome } = await recordOf('key', change);
    expect(outcome).toMatchObject({ kind: 'failed', finding: { code: 'changing' } });
  });

  it('that goes, or becomes another one, is never half there', async () => {
    await fill();
    const gone = await recordOf('key', (reply) => (reply === 2 ? server.client.del('key') : Promise.resolve()));
    expect(gone.outcome).toEqual({ kind: 'expired' });
    await fill();
    const other = await recordOf('key', (reply) =>
      reply === 2 ? server.client.multi().del('key').xadd('key', '*', 'f', 'v').exec() : Promise.resolve(),
    );
    const [one, now] = (await digests('key', other.record)) as string[];
    expect(one).toBe(now);
  });
});

it.each([
  [12, '', undefined],
  [10, '', undefined],
  [9, 'lost-stream-facts', undefined],
  [8, '', 'payload-not-taken'],
])('a stream is the same with all that belongs to it, in a file of version %i', async (version, lost, refused) => {
  await fillStream();
  const { outcome, record } = await recordOf('key', undefined, undefined, version);
  if (outcome.kind !== 'kept') {
    expect(outcome).toMatchObject({ kind: 'failed', finding: { code: refused } });
    return;
  }
  expect(refused).toBeUndefined();
  expect(outcome.findings.map(({ code }) => code)).toEqual(lost === '' ? [] : [lost]);
  const [one, other] = (await digests('key', record)) as string[];
  expect(one).toBe(other);
  if (version === 12) expect(await streamFacts('restored')).toBe(await streamFacts('key'));
  else {
    const [there, here] = await Promise.all(
      ['restored', 'key'].map((key) => server.client.call('XINFO', 'GROUPS', key)),
    );
    const few = (groups: unknown) => (groups as unknown[][]).map((group) => group.slice(0, 8));
    expect(few(there)).toEqual(few(here));
  }
});

it('an empty stream keeps what it knows', async () => {
  await server.client.xadd('key', '5-5', 'f', 'v');
  await server.client.xdel('key', '5-5');
  const { record } = await recordOf('key');
  await digests('key', record);
  expect(await streamFacts('restored')).toBe(await streamFacts('key'));
});

it.each([
  ['few', 'three'],
  ['many', 'one'],
])('a stream is read again where another number of ids is told of a consumer than come, of %s', async (_, changed) => {
  await fillStream();
  let times = 0;
  const { outcome, record } = await recordOf('key', undefined, undefined, 12, (command, reply) => {
    if (command[1] !== 'CONSUMERS' || !Array.isArray(reply)) return reply;
    return reply.map((consumer) => {
      if (!Array.isArray(consumer) || String(consumer[1]) !== changed || times++ > 0) return consumer;
      return consumer.map((value, i) => (String(consumer[i - 1]) === 'pending' ? Number(value) + 1 : value));
    });
  });
  expect(outcome).toMatchObject({ kind: 'kept' });
  expect(times).toBeGreaterThan(1);
  const [one, other] = (await digests('key', record)) as string[];
  expect(one).toBe(other);
});

it('a stream with a number that cannot be told exactly is told', async () => {
  await server.client.xadd('key', '1-1', 'f', 'v');
  await server.client.xgroup('CREATE', 'key', 'g', '0');
  await server.client.xreadgroup('GROUP', 'g', 'c', 'STREAMS', 'key', '>');
  await server.client.call('XCLAIM', 'key', 'g', 'c', '0', '1-1', 'RETRYCOUNT', '9007199254740993', 'JUSTID');
  const { outcome } = await recordOf('key');
  expect(outcome).toMatchObject({ kind: 'failed', finding: { code: 'too-large' } });
  const payload = (await server.client.callBuffer('DUMP', 'key')) as Buffer;
  const out = new Output();
  writeKey(out, Buffer.from('key'), 0, payload);
  const bytes = out.copy();
  const port = new FilePort(
    (start, length) => Promise.resolve(bytes.subarray(start, start + length)),
    () => [0, bytes.length],
  );
  await expect(port.call('XLEN', 'key')).rejects.toThrow('greater than 2^53');
});

it('where large entries follow small ones, replies are soon small again', async () => {
  const fill = server.client.pipeline();
  for (let i = 1; i <= 8_000; i++) fill.xadd('key', `${i}-0`, 'f', i > 6_000 ? 'x'.repeat(2_000) : 'v');
  await fill.exec();
  const asked: number[] = [];
  const { outcome } = await recordOf('key', undefined, (command) => {
    if (command[0] === 'XRANGE') asked.push(Number(command[5]));
    return Promise.resolve();
  });
  expect(outcome.kind).toBe('kept');
  // 10,000 bytes are aimed at.
  expect(Math.max(...asked)).toBeLessThanOrEqual(1_000);
  expect(asked.slice(-100).every((count) => count < 10)).toBe(true);
});

it('a table that grows and shrinks under its readers gives no element twice', async () => {
  await server.client.hset('key', ...numbers.flatMap((i) => [`f${i}`, i]));
  await server.client.hdel('key', ...numbers.slice(0, 4_800).map((i) => `f${i}`));
  const { record } = await recordOf('key');
  const [one, other] = (await digests('key', record)) as string[];
  expect(one).toBe(other);
});

it('a key that became another one before its length was asked for is read again', async () => {
  await server.client.rpush('key', ...numbers);
  let isFirst = true;
  const { outcome, record } = await recordOf('key', undefined, async (command) => {
    if (command[0] !== 'LLEN' || !isFirst) return;
    isFirst = false;
    await server.client.multi().del('key').sadd('key', 'a', 'b').exec();
  });
  expect(outcome).toMatchObject({ kind: 'kept' });
  const [one, other] = (await digests('key', record)) as string[];
  expect(one).toBe(other);
});

it('a sorted set stands from its last member to its first, as servers write it', async () => {
  await server.client.zadd('key', ...numbers.flatMap((i) => [i % 50, `m${i}`]));
  const { record } = await recordOf('key');
  const payload = (await server.client.callBuffer('DUMP', 'key')) as Buffer;
  // Behind the name, and before the footer.
  expect(record?.subarray(5).equals(payload.subarray(1, -10))).toBe(true);
});

describe('a hash of whose fields some have expired, and are there still', () => {
  beforeEach(async () => {
    await server.client.call('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
    await server.client.hset('key', ...numbers.flatMap((i) => [`f${i}`, i]));
  });
  afterEach(() => server.client.call('DEBUG', 'SET-ACTIVE-EXPIRE', '1'));

  const expire = async (fields: readonly string[]) => {
    await server.client.call('HPEXPIRE', 'key', '1', 'FIELDS', fields.length, ...fields);
    await sleep(5);
  };

  it('is told as one whose fields expire', async () => {
    await expire(['f1', 'f4999']);
    const { outcome } = await recordOf('key');
    expect(outcome).toMatchObject({ kind: 'failed', finding: { code: 'too-large' } });
  });

  it('is not mistaken for a whole one where another field comes twice', async () => {
    await expire(['f1']);
    let isFirst = true;
    const { outcome } = await recordOf('key', undefined, undefined, 12, (command, reply) => {
      if (command[0] !== 'HSCAN' || !isFirst || !Array.isArray(reply) || !Array.isArray(reply[1])) return reply;
      isFirst = false;
      return [reply[0] ?? null, [...reply[1], ...reply[1].slice(0, 2)]];
    });
    expect(outcome).toMatchObject({ kind: 'failed', finding: { code: 'too-large' } });
  });

  it('is gone with the last of them', async () => {
    await expire(numbers.map((i) => `f${i}`));
    expect(await server.client.hlen('key')).toBe(numbers.length);
    expect((await recordOf('key')).outcome).toEqual({ kind: 'expired' });
  });
});

it('a hash with fields that expire is told, for it would lose them', async () => {
  await server.client.hset('key', ...numbers.flatMap((i) => [`f${i}`, i]));
  await server.client.call('HPEXPIRE', 'key', '1000000', 'FIELDS', '1', 'f4999');
  const { outcome } = await recordOf('key');
  expect(outcome).toMatchObject({ kind: 'failed', finding: { code: 'too-large' } });
});
