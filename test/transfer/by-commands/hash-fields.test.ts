import { setTimeout as sleep } from 'node:timers/promises';

import { writeKey } from '../../../src/payload/file-records';
import { Output } from '../../../src/payload/output';
import { FILE_PORT, FilePort } from '../../../src/transfer/file-port';
import { copy, copyOver, leftovers, look, startSide, stopSide, watched, type Side } from './support';

let from: Side;
let newer: Side;
let older: Side;

beforeAll(async () => {
  [from, newer, older] = await Promise.all([startSide('redis-8.0'), startSide('redis-8.0'), startSide('redis-6.0')]);
});
beforeEach(async () => {
  await Promise.all([from, newer, older].map(({ client }) => client.flushall()));
});
afterAll(async () => {
  await Promise.all([from, newer, older].map(stopSide));
});

async function ends({ client }: Side, key: string, fields: readonly string[]): Promise<unknown> {
  return client.call('HPEXPIRETIME', key, 'FIELDS', String(fields.length), ...fields);
}

async function fill(key: string, count: number): Promise<string[]> {
  const fields = Array.from({ length: count }, (_, at) => `field ${at}`);
  await from.client.hset(key, Object.fromEntries(fields.map((field) => [field, `value of ${field}`])));
  const pipeline = from.client.pipeline();
  const soon = Date.now() + 1_000_000;
  fields.forEach((field, at) => {
    if (at % 3 !== 0) pipeline.call('HPEXPIREAT', key, String(soon + (at % 50)), 'FIELDS', '1', field);
  });
  await pipeline.exec();
  return fields;
}

describe('expiries of hash fields', () => {
  it.each([20, 5_000])('are kept to the millisecond, of %d fields', async (count) => {
    const fields = await fill('hash', count);
    expect(await copy(from, newer, 'hash', { chunkBytes: 20_000 })).toMatchObject({ kind: 'copied', losses: [] });
    expect(await ends(newer, 'hash', fields)).toEqual(await ends(from, 'hash', fields));
    expect(await look(newer, 'hash')).toEqual(await look(from, 'hash'));
  });

  it('follow the clock of the target', async () => {
    await from.client.hset('hash', 'f', 'v');
    await from.client.call('HPEXPIREAT', 'hash', '4000000000000', 'FIELDS', '1', 'f');
    await copy(from, newer, 'hash', { clockOffsetMs: 250.4 });
    expect(await ends(newer, 'hash', ['f'])).toEqual([4_000_000_000_250]);
  });

  it('are counted as a loss where the target is too old', async () => {
    await fill('hash', 3_000);
    const outcome = await copy(from, older, 'hash', { chunkBytes: 20_000 });
    expect(outcome).toMatchObject({ kind: 'copied', losses: [{ kind: 'field-expiry', count: 2_000 }] });
    expect(await older.client.hlen('hash')).toBe(3_000);
  });

  it('that pass meanwhile take their fields away, and the key with the last', async () => {
    await from.client.hset('hash', 'a', '1', 'b', '2');
    await from.client.call('HPEXPIRE', 'hash', '60', 'FIELDS', '2', 'a', 'b');
    await copy(from, newer, 'hash');
    await sleep(80);
    // The server takes the empty hash away a little later; until then a copy of it finds nothing.
    expect(await newer.client.hgetall('hash')).toEqual({});
    expect(await copy(from, newer, 'hash')).toEqual({ kind: 'expired' });
  });
});

describe('a hash of a file, where nobody writes', () => {
  const fileOf = async (key: string) => {
    const out = new Output();
    writeKey(out, Buffer.from(key), 0, (await from.client.callBuffer('DUMP', key)) as Buffer);
    const bytes = out.copy();
    const port = new FilePort(
      (start, length) => Promise.resolve(bytes.subarray(start, start + length)),
      () => [0, bytes.length],
    );
    return { ...from, port, abilities: FILE_PORT };
  };
  const still = { sourceIsStill: true, chunkBytes: 20_000, scripts: { source: false, target: true } };

  it.each([
    ['keeps', () => newer],
    ['does not keep', () => older],
  ])('is whole though a target that %s expiries loses what was written last', async (_, side) => {
    await fill('hash', 3_000);
    const file = await fileOf('hash');
    const target = side();
    let writes = 0;
    const losing = watched(target.port, async (commands) => {
      if (!commands.some(([name]) => name === 'HMSET') || ++writes !== 4) return;
      const [temporary = ''] = await leftovers(target);
      await target.client.hdel(temporary, ...(await target.client.hkeys(temporary)).slice(-50));
    });
    expect(await copyOver(file, target, file.port, losing, 'hash', still)).toMatchObject({ kind: 'copied' });
    expect(await target.client.hlen('hash')).toBe(3_000);
    expect(await leftovers(target)).toEqual([]);
  });

  it('is copied without the fields whose time has come', async () => {
    await fill('hash', 3_000);
    await from.client.call('HPEXPIRE', 'hash', '300', 'FIELDS', '2', 'field 7', 'field 8');
    const file = await fileOf('hash');
    await sleep(301);
    expect(await copyOver(file, newer, file.port, newer.port, 'hash', still)).toMatchObject({
      kind: 'copied',
      losses: [],
    });
    expect(await newer.client.hlen('hash')).toBe(2_998);
  });
});
