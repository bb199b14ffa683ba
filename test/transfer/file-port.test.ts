import { randomBytes } from 'node:crypto';
import { writeKey } from '../../src/payload/file-records';
import { Output } from '../../src/payload/output';
import type { Extent, SourceFile } from '../../src/payload/source-file';
import { FilePort } from '../../src/transfer/file-port';
import { FileReader } from '../../src/transfer/file-reader';
import { startTestServer, type TestServer } from '../tools/test-server';

let servers: readonly TestServer[];

beforeAll(async () => {
  servers = await Promise.all([startTestServer('redis-6.0'), startTestServer('redis-8.0')]);
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
});

/** The record of a server's key in a file, behind other bytes, asked by commands. */
async function portOf({ client }: TestServer, key: string) {
  const payload = (await client.callBuffer('DUMP', key)) as Buffer;
  const out = new Output();
  out.raw(Buffer.alloc(1_000, 'before'), 0, 1_000);
  writeKey(out, Buffer.from(key), 5_000, payload);
  const bytes = Buffer.concat([out.copy(), Buffer.alloc(1_000, 'behind')]);
  let read = 0;
  const port = new FilePort(
    (start, length) => {
      read += length;
      return Promise.resolve(bytes.subarray(start, start + length));
    },
    (of) => (of.toString() === key ? [1_000, bytes.length - 1_000] : undefined),
  );
  return { port, readBytes: () => read, size: bytes.length - 2_000 };
}

/** Arrays of buffers, without Jest's slow way. */
function areSame(one: unknown, other: readonly Buffer[]): boolean {
  return Array.isArray(one) && one.length === other.length && other.every((each, i) => each.equals(one[i] as Buffer));
}

const many = Array.from({ length: 30_000 }, (_, i) => i);
const text = (i: number) => (i % 3 === 0 ? String(i) : `${i}:${'x'.repeat(i % 200)}`);

describe.each([0, 1])('a record of server %i', (place) => {
  const server = () => servers[place]!;

  it('gives a list by windows, forward, from the middle and back', async () => {
    const { client } = server();
    await client.rpush('list', ...many.map(text), '', 'y'.repeat(100_000));
    const { port, readBytes, size } = await portOf(server(), 'list');

    expect(await port.call('LLEN', 'list')).toBe(many.length + 2);
    const before = readBytes();
    for (let at = 0; at < many.length + 2; at += 777) {
      const window = await port.call('LRANGE', 'list', String(at), String(at + 776));
      expect(areSame(window, await client.lrangeBuffer('list', at, at + 776))).toBe(true);
    }
    // Its one window is read anew from the beginning, and forward from there.
    expect(readBytes() - before).toBeLessThan(2 * size);
    for (const [start, stop] of [
      [29_990, 40_000],
      [5, 5],
      [12_345, 12_350],
      [12_348, 12_349],
      [40_000, 40_001],
    ]) {
      const window = await port.call('LRANGE', 'list', String(start), String(stop));
      expect(areSame(window, await client.lrangeBuffer('list', start ?? 0, stop ?? 0))).toBe(true);
    }
  });

  it('gives no more of a list at once than there is memory for, and all of it in turn', async () => {
    const { client } = server();
    const elements = Array.from({ length: 40 }, (_, i) => (i % 4 === 0 ? Buffer.from(`${i}`) : randomBytes(300_000)));
    await client.rpush('large elements', ...elements);
    const { port, readBytes, size } = await portOf(server(), 'large elements');

    const told: Buffer[] = [];
    for (;;) {
      const window = (await port.call('LRANGE', 'large elements', String(told.length), '100')) as Buffer[];
      if (window.length === 0) break;
      expect(window.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(1_048_576 + 300_000);
      told.push(...window);
    }
    expect(areSame(told, elements)).toBe(true);
    expect(readBytes()).toBeLessThan(2 * size);
  });

  it.each([
    ['packed', Buffer.from(many.map((i) => `${i * 7_919}`).join(','))],
    ['plain', Buffer.from(many.map((i) => (i * 2_654_435_761) & 255))],
  ])('gives a %s string by ranges, forward and back', async (_, bytes) => {
    const { client } = server();
    await client.set('string', bytes);
    const { port } = await portOf(server(), 'string');

    expect(await port.call('STRLEN', 'string')).toBe(bytes.length);
    for (const [start, end] of [
      [0, 9],
      [10, 200_000],
      [199_990, 1_000_000],
      [3, 3],
      [bytes.length - 1, bytes.length + 5],
      [bytes.length, bytes.length + 1],
    ] as const) {
      const range = (await port.call('GETRANGE', 'string', String(start), String(end))) as Buffer;
      expect(range.equals(bytes.subarray(start, end + 1))).toBe(true);
    }
    expect(
      await port.pipeline([
        ['TYPE', 'string'],
        ['PEXPIRETIME', 'string'],
        ['EXISTS', 'string'],
      ]),
    ).toEqual([Buffer.from('string'), 5_000, 1]);
  });

  it('gives sets, hashes and sorted sets page by page, each element once', async () => {
    const { client } = server();
    const scores = ['inf', '-inf', '-0', '1e300', '5e-324', '0.1'];
    await client.sadd('set', ...many.map(text));
    await client.hset('hash', ...many.flatMap((i) => [`f${i}`, text(i)]));
    await client.zadd('zset', ...many.flatMap((i) => [scores[i] ?? `${i}.${i}`, text(i)]));
    for (const [key, command, length, width] of [
      ['set', 'SSCAN', 'SCARD', 1],
      ['hash', 'HSCAN', 'HLEN', 2],
      ['zset', 'ZSCAN', 'ZCARD', 2],
    ] as const) {
      const { port } = await portOf(server(), key);
      const told = await port.call(length, key);
      const found: Buffer[] = [];
      let cursor = '0';
      do {
        const [next, page] = (await port.call(command, key, cursor, 'COUNT', '700')) as [Buffer, Buffer[]];
        found.push(...page);
        cursor = next.toString();
      } while (cursor !== '0');
      expect(told).toBe(found.length / width);
      await client.del('built');
      const values = found.map((_, i) => (key === 'zset' ? found[i ^ 1] : found[i])!);
      await client.call(key === 'set' ? 'SADD' : key === 'hash' ? 'HSET' : 'ZADD', 'built', ...values);
      const [one, other] = (await client.call('DEBUG', 'DIGEST-VALUE', key, 'built')) as string[];
      expect(one).toBe(other);
    }
  });

  it('gives a stream with groups and what is pending, forward, from the middle and back', async () => {
    const { client } = server();
    const add = client.pipeline();
    for (const i of many.slice(0, 5_000))
      add.xadd('stream', `${i + 1}-${i % 3}`, 'field', text(i), ...(i % 7 ? [] : ['more', '']));
    add.xdel('stream', '10-0', '4000-0', '5000-1');
    add.xgroup('CREATE', 'stream', 'group', '0');
    add.xgroup('CREATE', 'stream', 'idle', '7-0');
    add.xgroup('CREATE', 'stream', 'other', '0');
    for (const [consumer, count] of [
      ['one', 1_500],
      ['two', 2_000],
      ['one', 700],
      ['three', 1],
    ] as const)
      add.xreadgroup('GROUP', 'group', consumer, 'COUNT', count, 'STREAMS', 'stream', '>');
    add.xreadgroup('GROUP', 'other', 'one', 'COUNT', 900, 'STREAMS', 'stream', '>');
    // Pending, and gone.
    add.xdel('stream', '100-0', '101-1');
    add.xack('stream', 'group', '3-2', '4-0');
    await add.exec();
    const { port, readBytes, size } = await portOf(server(), 'stream');
    const asked = async (...command: [string, ...string[]]) => [
      await port.call(...command),
      await client.callBuffer(...command),
    ];

    const [length, lengthThere] = await asked('XLEN', 'stream');
    expect(length).toBe(lengthThere);
    const before = readBytes();
    for (let from = '0-0'; ;) {
      const [page, there] = await asked('XRANGE', 'stream', from, '5000-9', 'COUNT', '333');
      expect(page).toEqual(there);
      const last = (page as [Buffer, Buffer[]][]).at(-1)?.[0].toString();
      if (last === undefined) break;
      from = last.replace(/\d+$/, (seq) => String(Number(seq) + 1));
    }
    expect(readBytes() - before).toBeLessThan(2 * size + 4_194_304);
    for (const [from, to, count] of [
      ['4500-0', '4510-0', '5'],
      ['2-0', '8-0', '100'],
      ['4900-0', '9999-0', '9999'],
      ['0-0', '0-1', '1'],
    ] as const) {
      const [page, there] = await asked('XRANGE', 'stream', from, to, 'COUNT', count);
      expect(page).toEqual(there);
    }
    const info = async (what: string, ...group: string[]) => {
      const [here, there] = await asked('XINFO', what, 'stream', ...group);
      return [here, there].map((reply) => (what === 'STREAM' ? [reply] : (reply as unknown[])).map(fieldsOf));
    };
    for (const [what, group] of [['STREAM'], ['GROUPS'], ['CONSUMERS', 'group'], ['CONSUMERS', 'idle']] as const) {
      const [here, there] = await info(what, ...(group === undefined ? [] : [group]));
      expect(here).toEqual(
        there?.map((fields, i) => Object.fromEntries(Object.keys(here?.[i] ?? {}).map((name) => [name, fields[name]]))),
      );
    }
    // Back to before what was told last, too.
    for (const from of ['0-0', '1000-0', '2500-1', '90-0'])
      for (const group of ['group', 'other', 'idle']) {
        const [page, there] = await asked('XPENDING', 'stream', group, from, '9999-0', '600');
        const told = (reply: unknown) =>
          (reply as [Buffer, Buffer, number, number][]).map(([id, consumer, , times]) => [
            String(id),
            String(consumer),
            times,
          ]);
        expect(told(page)).toEqual(told(there));
      }
    const time = (page: unknown) => (page as [Buffer, Buffer, number][])[0]?.[2] ?? 0;
    expect(
      Math.abs(Date.now() + time(await port.call('XPENDING', 'stream', 'group', '0-0', '9999-0', '1'))),
    ).toBeLessThan(60_000);
  });
});

describe('a stream in a file', () => {
  const ids = (reply: unknown) =>
    (reply as [Buffer, Buffer[]][]).map(([id, parts]) => `${String(id)} ${String(parts)}`);
  /** A small number that does not follow from the one before, always the same ones. */
  let state = 1;
  const some = (most: number) => (state = (state * 48_271) % 2_147_483_647) % most;

  it('gives the same page again, and any other from anywhere, as a server does', async () => {
    const { client } = servers[1]!;
    const fill = client.pipeline();
    for (let i = 1; i <= 3_000; i++) fill.xadd('entries', `${i * 3}-${i % 4}`, 'f', text(i));
    for (let i = 1; i <= 3_000; i += 7) fill.xdel('entries', `${i * 3}-${i % 4}`);
    await fill.exec();
    const { port } = await portOf(servers[1]!, 'entries');
    const both = async (from: string, to: string, count: number) => {
      const command = ['XRANGE', 'entries', from, to, 'COUNT', String(count)] as const;
      const [here, there] = await Promise.all([port.call(...command), client.callBuffer(...command)]);
      expect(ids(here)).toEqual(ids(there));
      return ids(here).length;
    };
    for (const count of [1_000, 1_000, 1, 1_000]) expect(await both('0-0', '+', count)).toBe(count);
    for (let i = 0; i < 150; i++) {
      const from = some(9_200);
      await both(`${from}-${some(4)}`, i % 3 ? '+' : `${from + some(900)}-${some(4)}`, 1 + some(i % 5 ? 40 : 900));
    }
  });

  it('is none where it has not as many entries as it says, however its pages overlap', async () => {
    const { client } = servers[1]!;
    const fill = client.pipeline();
    for (let i = 1; i <= 500; i++) fill.xadd('few', `${i}-0`, 'f', text(i));
    await fill.exec();
    const payload = (await client.callBuffer('DUMP', 'few')) as Buffer;
    // How many there are stands behind the nodes, before the last id.
    const at = payload.lastIndexOf(Buffer.from([0x41, 0xf4, 0x41, 0xf4, 0]));
    payload[at + 1]! += 1;
    const out = new Output();
    writeKey(out, Buffer.from('few'), 0, payload);
    const bytes = out.copy();
    const port = new FilePort(
      (start, length) => Promise.resolve(bytes.subarray(start, start + length)),
      () => [0, bytes.length],
    );
    const page = (from: string, count: string) => port.call('XRANGE', 'few', from, '+', 'COUNT', count);
    await page('0-0', '200');
    await page('150-0', '100');
    await page('200-0', '100');
    await expect(page('250-0', '900')).rejects.toThrow('not as many entries as it says');
  });

  it('gives no more at once than there is memory for', async () => {
    const { client } = servers[1]!;
    const large = Buffer.alloc(300_000, 'json ');
    for (let i = 1; i <= 12; i++) await client.xadd('large entries', `${i}-0`, 'f', large);
    const { port } = await portOf(servers[1]!, 'large entries');
    const pages: number[] = [];
    for (let from = 1; ;) {
      const page = (await port.call('XRANGE', 'large entries', `${from}-0`, '+', 'COUNT', '512')) as unknown[];
      if (page.length === 0) break;
      from += page.length;
      pages.push(page.length);
    }
    expect(pages).toEqual([4, 4, 4]);
  });

  it('with many consumers is read in few readings, in a packed file nothing twice; one with too much pending there is told', async () => {
    const { client } = servers[1]!;
    const fill = client.pipeline();
    for (let i = 1; i <= 3_000; i++) fill.xadd('consumers', `${i}-0`, 'f', 'v');
    fill.xgroup('CREATE', 'consumers', 'group', '0');
    for (let i = 0; i < 3_000; i++)
      fill.xreadgroup('GROUP', 'group', `consumer-${i}`, 'COUNT', 1, 'STREAMS', 'consumers', '>');
    await fill.exec();
    let reads = 0;
    const packed = async () => {
      const out = new Output();
      writeKey(out, Buffer.from('consumers'), 0, (await client.callBuffer('DUMP', 'consumers')) as Buffer);
      const bytes = out.copy();
      const read = (start: number, length: number) => {
        reads++;
        return Promise.resolve(bytes.subarray(start, start + length));
      };
      return (forward: boolean) => new FilePort(read, () => [0, bytes.length], forward);
    };
    const port = (await packed())(true);
    const pending = async (from: string) =>
      ((await port.call('XPENDING', 'consumers', 'group', from, '+', '1000')) as unknown[]).length;
    for (const from of ['-', '1001-0', '2001-0']) expect(await pending(from)).toBe(1_000);
    expect(reads).toBeLessThan(5);

    // Names that take more than what is held of groups.
    const more = client.pipeline();
    for (let i = 0; i < 900; i++) more.xgroup('CREATECONSUMER', 'consumers', 'group', randomBytes(5_000));
    await more.exec();
    const larger = await packed();
    await expect(larger(true).call('XLEN', 'consumers')).rejects.toThrow('in a packed file: unpack the file first');
    reads = 0;
    const page = (await larger(false).call('XPENDING', 'consumers', 'group', '-', '+', '3000')) as unknown[];
    expect(page.map((one) => String((one as Buffer[])[1]))).toEqual(many.slice(0, 3_000).map((i) => `consumer-${i}`));
    expect(reads).toBeLessThan(30);
  });
});

it('knows when fields expire until the key is released, whatever else is read, and never guesses', async () => {
  const { client } = servers[1]!;
  const time = 1_900_000_000_000;
  await client.hset('expiring', ...many.flatMap((i) => [`f${i}`, i]));
  const expiring = many.filter((i) => i % 2 === 0).map((i) => `f${i}`);
  await client.call('HPEXPIREAT', 'expiring', time, 'FIELDS', expiring.length, ...expiring);
  const payload = (await client.callBuffer('DUMP', 'expiring')) as Buffer;
  const out = new Output();
  writeKey(out, Buffer.from('expiring'), 0, payload);
  const bytes = out.copy();
  const port = new FilePort(
    (start, length) => Promise.resolve(bytes.subarray(start, start + length)),
    () => [0, bytes.length],
  );
  const pageOf = async (cursor: string) => {
    const [next, page] = (await port.call('HSCAN', 'expiring', cursor, 'COUNT', '100')) as [Buffer, Buffer[]];
    return { next: next.toString(), fields: page.filter((_, i) => i % 2 === 0) };
  };
  const askFor = (fields: readonly Buffer[]) =>
    port.call('HPEXPIRETIME', 'expiring', 'FIELDS', String(fields.length), ...fields);
  const timesOf = (fields: readonly Buffer[]) =>
    fields.map((field) => (Number(field.toString().slice(1)) % 2 === 0 ? time : -1));

  const first = await pageOf('0');
  const second = await pageOf(first.next);
  for (const i of many.slice(0, 40)) await port.call('TYPE', `other${i}`);
  for (const { fields } of [first, second]) expect(await askFor(fields)).toEqual(timesOf(fields));
  await expect(askFor([Buffer.from('unknown')])).rejects.toThrow('not of the pages');
  port.release(Buffer.from('expiring'));
  await expect(askFor(second.fields)).rejects.toThrow('not of the pages');
});

it('gives elements that are packed to a small part of what they are', async () => {
  const { client } = servers[0]!;
  const large = Buffer.alloc((16 << 20) + 1, 'json ');
  const small = Buffer.alloc(600_000, 'json ');
  await client.hset('packed', ...[1, 2, 3, 4].flatMap((i) => [`small${i}`, small]), 'large', large);
  await client.rpush('packed list', small, large);
  const hash = await portOf(servers[0]!, 'packed');
  const found = new Map<string, Buffer>();
  let cursor = '0';
  do {
    const [next, page] = (await hash.port.call('HSCAN', 'packed', cursor, 'COUNT', '700')) as [Buffer, Buffer[]];
    for (let i = 0; i < page.length; i += 2) found.set(String(page[i]), page[i + 1]!);
    // It is not all of them in one page.
    expect(page.length).toBeLessThanOrEqual(4);
    cursor = next.toString();
  } while (cursor !== '0');
  expect([...found.keys()].sort()).toEqual(['large', 'small1', 'small2', 'small3', 'small4']);
  expect(found.get('large')?.equals(large)).toBe(true);
  expect(found.get('small4')?.equals(small)).toBe(true);

  const list = await portOf(servers[0]!, 'packed list');
  expect(areSame(await list.port.call('LRANGE', 'packed list', '0', '5'), [small, large])).toBe(true);
});

it('of a damaged value says that it is damaged', async () => {
  const bytes = Buffer.from([2, 1, 107, 0x80, 0, 0, 0, 9, 200, 1]);
  const port = new FilePort(
    (start, length) => Promise.resolve(bytes.subarray(start, start + length)),
    () => [0, bytes.length],
  );
  await expect(port.call('SSCAN', 'k', '0', 'COUNT', '10')).rejects.toThrow('Its value in the file is damaged');
});

it.each([
  [true, [['small', 'large'], ['larger'], ['last']]],
  [false, [['small', 'large', 'larger', 'last']]],
])('a page of a file ends behind a large key where that is asked for: %s', async (endsBehindLarge, expected) => {
  const out = new Output();
  const large: Extent[] = [];
  for (const name of ['small', 'large', 'larger', 'last']) {
    const start = out.length;
    // A short string with its footer.
    writeKey(out, Buffer.from(name), 0, Buffer.concat([Buffer.from([0, 1, 120]), Buffer.alloc(10)]));
    if (name.startsWith('large')) large.push([start, out.length]);
  }
  const bytes = out.copy();
  const read = (_: string, __: string, start: number, length: number) =>
    Promise.resolve(bytes.subarray(start, start + length));
  const reader = new FileReader(
    { store: { read }, file: 'file', source: { large, version: 12, etag: '' } as unknown as SourceFile },
    { index: 0, bits: 0 },
    [[0, bytes.length]],
    { pageBytes: 1_000, endsBehindLarge },
  );
  const pages: string[][] = [];
  let cursor = 0n;
  do {
    const { next, page } = await reader.scanAndRead(cursor, 100);
    pages.push(page.keys.map(String));
    cursor = next;
  } while (cursor !== 0n);
  expect(pages).toEqual(expected);
});

/** A flat list of names and values, by their names. */
function fieldsOf(reply: unknown): Record<string, unknown> {
  const list = reply as unknown[];
  return Object.fromEntries(list.flatMap((name, i) => (i % 2 === 0 ? [[String(name), list[i + 1]]] : [])));
}
