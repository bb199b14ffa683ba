import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { forEveryPair } from './pairs';
import { copy, leftovers, look } from './support';

/** When a key expires by the server's clock, ms since 1970. */
const END_OF_LIFE = `
  local time = redis.call('TIME')
  return string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000) + redis.call('PTTL', KEYS[1]))`;

const anyBytes = Buffer.from(Array.from({ length: 256 }, (_, at) => at));

forEveryPair((sides) => {
  const copied = async (key: string | Buffer, chunkBytes?: number): Promise<number> => {
    const { from, to } = sides();
    const outcome = await copy(from, to, key, chunkBytes === undefined ? {} : { chunkBytes });
    expect(outcome).toMatchObject({ kind: 'copied', losses: [] });
    expect(await look(to, key)).toEqual(await look(from, key));
    expect(await leftovers(to)).toEqual([]);
    return outcome.kind === 'copied' ? outcome.bytes : -1;
  };

  it.each([
    ['empty', Buffer.alloc(0)],
    ['number', Buffer.from('1234')],
    ['all bytes', anyBytes],
    ['exactly one chunk', randomBytes(1_000)],
    ['many chunks', randomBytes(50_001)],
  ])('string: %s', async (_, value) => {
    await sides().from.client.set('string', value);
    expect(await copied('string', 1_000)).toBe(value.length);
  });

  it('string of 20 MiB', async () => {
    await sides().from.client.set('big', randomBytes(20 * 1024 * 1024));
    await copied('big');
  });

  it('lists in order, from one byte to a megabyte an element', async () => {
    const { client } = sides().from;
    await client.rpush('short', 'b', '', anyBytes, 'a', 'a');
    await client.rpush('long', ...Array.from({ length: 25_000 }, (_, at) => String(at % 1_000)));
    await client.rpush('mixed', ...Array.from({ length: 60 }, (_, at) => randomBytes(at % 20 === 0 ? 1_000_000 : at)));
    await copied('short');
    await copied('long', 20_000);
    await copied('mixed', 100_000);
  });

  it('sets of numbers, of few and of many members', async () => {
    const { client } = sides().from;
    await client.sadd('numbers', 1, 2, -5, 900_000);
    await client.sadd('few', '', 'a', anyBytes);
    await client.sadd('many', ...Array.from({ length: 20_000 }, (_, at) => `member ${at}`));
    await client.sadd('large', ...Array.from({ length: 30 }, () => randomBytes(200_000)));
    for (const key of ['numbers', 'few', 'many', 'large']) await copied(key, 50_000);
  });

  it('hashes of few, many and large fields', async () => {
    const { client } = sides().from;
    await client.hset('few', '', '', anyBytes, anyBytes, 'a', '1');
    await client.hset(
      'many',
      Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`field ${at}`, `value ${at}`])),
    );
    for (let at = 0; at < 12; at++) await client.hset('large', `f${at}`, randomBytes(500_000));
    for (const key of ['few', 'many', 'large']) await copied(key, 50_000);
  });

  it('sorted sets with scores exact to the last bit', async () => {
    const { client } = sides().from;
    const odd = [0, 0.1, 1 / 3, Math.PI, 1e21, -1e-7, 5e-324, 1.7976931348623157e308, 2 ** 53 + 2, -(2 ** 63), 1.5, 17];
    await client.zadd('few', ...odd.flatMap((score, at) => [score, `m${at}`]), 'inf', 'most', '-inf', 'least');
    const many = Array.from({ length: 20_000 }, (_, at) => [Math.random() * 10 ** ((at % 40) - 20), `member ${at}`]);
    await client.zadd('many', ...many.flat());
    await client.zadd('many', 'inf', 'most', '-inf', 'least');
    await client.zadd('many', ...odd.flatMap((score, at) => [score, `odd ${at}`]));
    await copied('few');
    await copied('many', 50_000);
  });

  it('keys of odd names', async () => {
    const { client } = sides().from;
    for (const name of ['', ' ', '{tag}x', '{}x', 'a}b', '{', 'new\nline', '*', '-']) {
      await client.rpush(name, 'value', name);
      await copied(name);
    }
    await client.rpush(anyBytes, 'value');
    await copied(anyBytes);
  });

  it('under another name, replacing what was there, and never touching the source', async () => {
    const { from, to } = sides();
    await from.client.rpush('old', 'a', 'b');
    await to.client.sadd('new', 'something else');
    const before = await from.client.pttl('old');
    expect(await copy(from, to, 'old', { targetKey: Buffer.from('new') })).toMatchObject({ kind: 'copied', bytes: 2 });
    expect(await to.client.lrange('new', 0, -1)).toEqual(['a', 'b']);
    expect(await to.client.exists('old')).toBe(0);
    expect(await from.client.keys('*')).toEqual(['old']);
    expect(await from.client.pttl('old')).toBe(before);
  });

  it('skips a name that is taken', async () => {
    const { from, to } = sides();
    await from.client.set('key', 'from');
    await to.client.set('key', 'to');
    expect(await copy(from, to, 'key', { onConflict: 'skip' })).toEqual({ kind: 'conflict' });
    expect(await to.client.get('key')).toBe('to');
    await to.client.del('key');
    expect(await copy(from, to, 'key', { onConflict: 'skip' })).toMatchObject({ kind: 'copied' });
    expect(await to.client.get('key')).toBe('from');
    expect(await leftovers(to)).toEqual([]);
  });

  it('keeps expiries to the millisecond, and shifts them by the difference of the clocks', async () => {
    const { from, to } = sides();
    const ends: number[] = [];
    for (const key of ['string', 'list', 'hash']) {
      if (key === 'string') await from.client.set(key, 'x');
      if (key === 'list') await from.client.rpush(key, ...Array<string>(5_000).fill('x'));
      if (key === 'hash') await from.client.hset(key, 'f', 'v');
      const at = Date.now() + 100_000 + ends.length * 777;
      await from.client.pexpireat(key, at);
      await copy(from, to, key, { chunkBytes: 500, clockOffsetMs: key === 'hash' ? 5_000 : 0 });
      const seen = String(await to.client.eval(END_OF_LIFE, 1, key));
      ends.push(Number(seen) - at);
    }
    expect(Math.abs(ends[0]!)).toBeLessThanOrEqual(10);
    expect(Math.abs(ends[1]!)).toBeLessThanOrEqual(10);
    expect(Math.abs(ends[2]! - 5_000)).toBeLessThanOrEqual(10);
  });

  it('counts what is gone as expired', async () => {
    const { from, to } = sides();
    expect(await copy(from, to, 'nothing')).toEqual({ kind: 'expired' });
    await from.client.set('brief', 'x', 'PX', 1);
    await sleep(5);
    expect(await copy(from, to, 'brief')).toEqual({ kind: 'expired' });
    await from.client.set('past by the other clock', 'x', 'PX', 5_000);
    expect(await copy(from, to, 'past by the other clock', { clockOffsetMs: -60_000 })).toEqual({ kind: 'expired' });
    expect(await to.client.dbsize()).toBe(0);
  });
});
