import type { Redis } from 'ioredis';
import type { Side } from '../../tools/stage';

const YEAR_2100 = 4_102_444_800_123;

/** Every type in every encoding, and names and values as they should not be. Returns how many keys. */
export async function fillOdd({ client }: Side): Promise<number> {
  const version = Number(/redis_version:(\d+\.\d+)/.exec(await client.info('server'))?.[1]);
  await strings(client);
  await lists(client);
  await sets(client);
  await sortedSets(client);
  await hashes(client);
  await streams(client, version >= 6.2);
  await names(client);
  await expiries(client);
  return client.dbsize();
}

/** Hashes whose fields expire one by one: from 7.4. */
export async function fillFieldExpiries({ client }: Side): Promise<void> {
  for (const [name, fields] of [
    ['small', 10],
    ['large', 1_500],
  ] as const) {
    const key = `fields:${name}`;
    await client.hset(key, numbered(fields, (i) => [`f${i}`, `v${i}`]).flat());
    for (let i = 0; i < fields; i += 3) {
      await client.call('HPEXPIREAT', key, YEAR_2100 + i, 'FIELDS', 1, `f${i}`);
    }
  }
  await client.hset('fields:and-key', 'a', 1, 'b', 2);
  await client.call('HPEXPIREAT', 'fields:and-key', YEAR_2100, 'FIELDS', 1, 'a');
  await client.call('PEXPIREAT', 'fields:and-key', YEAR_2100 + 5);
}

function numbered<T>(count: number, make: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i));
}

const allBytes = Buffer.from(numbered(256, (i) => i));

async function strings(client: Redis): Promise<void> {
  await client.mset({
    'string:empty': '',
    'string:int': '12345',
    'string:int-shared': '7',
    'string:int-max': '9223372036854775807',
    'string:int-min': '-9223372036854775808',
    'string:not-an-int': '0123',
    'string:embedded': 'x'.repeat(44),
    'string:raw': 'x'.repeat(45),
    'string:compressible': 'abc'.repeat(100_000),
  });
  await client.set('string:bytes', allBytes);
  await client.set('string:incompressible', Buffer.from(numbered(200_000, (i) => (i * 2_654_435_761) >>> 24)));
  await client.setbit('string:bitmap', 100_003, 1);
  await client.pfadd('hyperloglog:sparse', 'a', 'b', 'c');
  for (let i = 0; i < 20; i++) await client.pfadd('hyperloglog:dense', ...numbered(500, (n) => `${i}-${n}`));
}

async function lists(client: Redis): Promise<void> {
  await client.rpush('list:small', '1', 'two', '', allBytes);
  await client.rpush('list:ints', ...numbered(300, (i) => String(i * 1_000_003)));
  await client.rpush('list:long', ...numbered(5_000, (i) => `element ${i}`));
  await client.rpush('list:wide', ...numbered(20, (i) => String(i).repeat(10_000)));
}

async function sets(client: Redis): Promise<void> {
  await client.sadd('set:int16', ...numbered(50, String));
  await client.sadd('set:int32', ...numbered(50, (i) => String(i * 100_000)));
  await client.sadd('set:int64', ...numbered(50, (i) => String(BigInt(i) * 10_000_000_000n)));
  await client.sadd('set:small', 'a', '', allBytes);
  await client.sadd('set:large', ...numbered(3_000, (i) => `member ${i}`));
}

async function sortedSets(client: Redis): Promise<void> {
  await client.zadd(
    'zset:small',
    1,
    'one',
    0.1,
    'tenth',
    '-inf',
    'least',
    '+inf',
    'most',
    1e300,
    'huge',
    5e-324,
    'tiny',
  );
  await client.zadd('zset:equal', ...numbered(200, (i) => [0, `member ${i}`]).flat());
  await client.zadd('zset:large', ...numbered(3_000, (i) => [i / 7, `member ${i}`]).flat());
  await client.zadd('zset:bytes', 3, allBytes, 4, '');
  await client.geoadd('zset:geo', 13.361389, 38.115556, 'Palermo', 15.087269, 37.502669, 'Catania');
}

async function hashes(client: Redis): Promise<void> {
  await client.hset('hash:small', 'field', 'value', '', 'no name', 'no value', '', allBytes, allBytes);
  await client.hset('hash:large', numbered(3_000, (i) => [`field ${i}`, `value ${i}`]).flat());
  await client.hset('hash:wide', numbered(20, (i) => [`field ${i}`, 'v'.repeat(10_000)]).flat());
}

async function streams(client: Redis, idleConsumers: boolean): Promise<void> {
  const add = async (key: string, from: number, to: number) => {
    for (let i = from; i <= to; i++) await client.xadd(key, `1700000000${String(i).padStart(3, '0')}-${i % 3}`, 'n', i);
  };
  await add('stream:plain', 1, 500);
  await add('stream:holes', 1, 100);
  await client.xdel('stream:holes', '1700000000001-1', '1700000000050-2', '1700000000100-1');
  await add('stream:emptied', 1, 3);
  await client.xtrim('stream:emptied', 'MAXLEN', 0);
  await client.xadd('stream:shapes', '5-1', 'a', '1');
  await client.xadd('stream:shapes', '5-2', 'a', '1', 'b', '2', 'a', 'twice');
  await client.xadd('stream:shapes', '5-3', allBytes, allBytes);
  await add('stream:groups', 1, 60);
  await client.xgroup('CREATE', 'stream:groups', 'from-start', '0');
  await client.xgroup('CREATE', 'stream:groups', 'from-end', '$');
  await client.xgroup('CREATE', 'stream:groups', 'never-read', '0');
  const read = async (consumer: string, count: number) =>
    client.xreadgroup('GROUP', 'from-start', consumer, 'COUNT', count, 'STREAMS', 'stream:groups', '>');
  await read('alice', 20);
  await read('bob', 15);
  await client.xack('stream:groups', 'from-start', '1700000000002-2', '1700000000021-0');
  await client.xclaim('stream:groups', 'from-start', 'bob', 0, '1700000000003-0', 'RETRYCOUNT', 7);
  await client.xgroup('CREATE', 'stream:only-group', 'waiting', '$', 'MKSTREAM');
  if (idleConsumers) await client.xgroup('CREATECONSUMER', 'stream:groups', 'from-start', 'idle');
}

async function names(client: Redis): Promise<void> {
  const odd = ['', ' ', 'a b', '"quoted"', "it's", 'line\r\nbreak', '{tag}:x', '*?[a]', '\\', 'ключ', '鍵', '🔑'];
  for (const name of odd) await client.set(name, `value of ${name}`);
  await client.set(allBytes, 'all bytes');
  await client.set(Buffer.from([0xff, 0xfe, 0x80]), 'not UTF-8');
  await client.set(Buffer.from([0]), 'zero');
  await client.set('n'.repeat(20_000), 'long name');
}

async function expiries(client: Redis): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const key = `expiring:${i}`;
    if (i % 2 === 0) await client.set(key, i);
    else await client.hset(key, 'field', i);
    await client.pexpireat(key, YEAR_2100 + i);
  }
  await client.set('expiring:in-an-hour', 'x', 'PX', 3_600_000);
}
