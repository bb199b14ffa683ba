import { setTimeout as sleep } from 'node:timers/promises';

import { copy, look, startSide, stopSide, type Side } from './support';

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
