import type { Redis } from 'ioredis';
import type { ServerName } from '../../local/servers/server-names';
import { noise } from './odd-keys/commands';
import type { TestServer } from './test-server';

/** Lengths at which heads of strings, of elements of listpacks and ziplists, and of what stands behind them change. */
const LENGTHS = [
  ...[
    0, 1, 2, 11, 12, 19, 20, 21, 62, 63, 64, 65, 122, 123, 124, 125, 126, 127, 128, 248, 249, 250, 251, 252, 253, 254,
  ],
  ...[255, 256, 4_094, 4_095, 4_096, 4_097, 8_192, 16_378, 16_380, 16_383, 16_384, 65_535, 65_536, 66_000],
];
const COUNTS = [1, 2, 127, 128, 129, 130, 511, 512, 513, 514];

/** All numbers of 64 bits next to a power of two, and what is none although it looks like one. */
const NUMBERS = [
  ...new Set(
    Array.from({ length: 64 }, (_, bits) => 2n ** BigInt(bits)).flatMap((power) =>
      [power - 1n, power, power + 1n].flatMap((n) => [n, -n]),
    ),
  ),
].filter((n) => n >= -(2n ** 63n) && n < 2n ** 63n);
const LIKE_NUMBERS = [
  '007',
  '-0',
  ' 1',
  '1 ',
  '+1',
  '0x10',
  '9223372036854775808',
  '-9223372036854775809',
  '1.0',
  'inf',
  'nan',
];

/**
 * Fills database 0 of a server with every type at the edges of its encodings: lengths, counts, numbers of all sizes,
 * compressible and not, packed as tightly as the server can and not at all. Scores are whole, so that all servers print
 * them alike. @returns how many keys
 */
export async function fillEdges({ client, name }: TestServer): Promise<number> {
  await pack(client, name, 0);
  await fill(client, 'plain');
  await untold(client, name);
  await pack(client, name, 100_000);
  await fill(client, 'packed');
  await resetLimits(client, name);
  if (name === 'redis-6.0') return client.dbsize();
  // Elements of lists beyond this stand for themselves: otherwise only those of a gigabyte would.
  await client.call('DEBUG', 'QUICKLIST-PACKED-THRESHOLD', '200b');
  await client.rpush('alone:mixed', 'a', noise(300, 1), 'b', 'x'.repeat(5_000), '7', noise(70_000, 3));
  await client.rpush('alone:only', noise(201, 4));
  await client.call('DEBUG', 'QUICKLIST-PACKED-THRESHOLD', '0');
  return client.dbsize();
}

const LIMITS = {
  'hash-max-ziplist-entries': [512, 512],
  'hash-max-ziplist-value': [64, 64],
  'zset-max-ziplist-entries': [128, 128],
  'zset-max-ziplist-value': [64, 64],
  'set-max-listpack-entries': [128, 128],
  'set-max-listpack-value': [64, 64],
} as const;

async function pack(client: Redis, name: ServerName, limit: number): Promise<void> {
  for (const setting of settings(name)) await client.config('SET', setting, limit);
}

async function resetLimits(client: Redis, name: ServerName): Promise<void> {
  for (const setting of settings(name)) await client.config('SET', setting, LIMITS[setting][0]);
}

function settings(name: ServerName): (keyof typeof LIMITS)[] {
  const all = Object.keys(LIMITS) as (keyof typeof LIMITS)[];
  return name === 'redis-6.0' || name === 'redis-7.0' ? all.filter((each) => !each.startsWith('set-')) : all;
}

async function fill(client: Redis, prefix: string): Promise<void> {
  const pipeline = client.pipeline();
  for (const length of LENGTHS) {
    for (const [kind, text] of [
      ['noise', noise(length, length + 1)],
      ['same', Buffer.alloc(length, 'ab')],
    ] as const) {
      const key = (type: string) => `${prefix}:${type}:${kind}:${length}`;
      pipeline.set(key('string'), text);
      pipeline.rpush(key('list'), 'before', text, 'after', text);
      pipeline.sadd(key('set'), 'before', text, 'after');
      pipeline.hset(key('hash'), 'before', text, text, 'name', 'after', '1');
      pipeline.zadd(key('zset'), 1, 'before', 2, text, 3, 'after');
      pipeline.xadd(key('stream'), '1-1', 'before', text, text, 'after');
      pipeline.xadd(key('stream'), '2-1', 'before', text, text, text);
    }
  }
  for (const count of COUNTS) {
    const items = Array.from({ length: count }, (_, i) => `item${i % 10}:${i}`);
    pipeline.rpush(`${prefix}:list:${count}`, ...items);
    pipeline.sadd(`${prefix}:set:${count}`, ...items);
    pipeline.sadd(`${prefix}:intset:${count}`, ...items.map((_, i) => i * 3));
    pipeline.hset(`${prefix}:hash:${count}`, ...items.flatMap((item, i) => [item, i]));
    pipeline.zadd(`${prefix}:zset:${count}`, ...items.flatMap((item, i) => [i * 7, item]));
    for (let i = 1; i <= count; i++) pipeline.xadd(`${prefix}:stream:${count}`, `${i}-${i}`, `f${i % 3}`, i, 'g', 'x');
  }
  const numbers = [...NUMBERS.map(String), ...LIKE_NUMBERS];
  for (const [i, number] of numbers.entries()) pipeline.set(`${prefix}:number:${i}`, number);
  pipeline.rpush(`${prefix}:list:numbers`, ...numbers);
  pipeline.sadd(`${prefix}:set:numbers`, ...numbers);
  pipeline.sadd(`${prefix}:intset:numbers`, ...NUMBERS.map(String));
  pipeline.hset(`${prefix}:hash:numbers`, ...numbers.flatMap((number) => [number, number]));
  pipeline.zadd(`${prefix}:zset:numbers`, ...numbers.flatMap((number, i) => [i, number]));
  pipeline.zadd(
    `${prefix}:zset:scores`,
    ...NUMBERS.filter((n) => n === BigInt(Number(n))).flatMap((n) => [String(n), `member${n}`]),
  );
  // Beyond what is packed again for older servers.
  const large = [noise(50_000, 5), noise(50_001, 6), noise(50_002, 7)] as const;
  pipeline.zadd(`${prefix}:zset:large`, 1, large[0], -2, large[1], 3, large[2]);
  pipeline.xadd(`${prefix}:stream:numbers`, '9-9', ...numbers.flatMap((number) => [number, number]));
  for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
}

/** A packed value of more elements than its head can tell: a plain one is made, and packed by being loaded. */
async function untold(client: Redis, name: ServerName): Promise<void> {
  await client.hset('untold', ...Array.from({ length: 33_000 }, (_, i) => [i, i % 100]).flat());
  const payload = await client.dumpBuffer('untold');
  await pack(client, name, 100_000);
  await client.restore('untold', 0, payload, 'REPLACE');
}
