import type { Redis } from 'ioredis';
import { fill } from './fill';
import type { Side } from '../../tools/stage';

const YEAR_2100 = 4_102_444_800_000;
const TYPES = ['string', 'list', 'set', 'zset', 'hash', 'stream'] as const;
type KeyType = (typeof TYPES)[number];

/** Small keys of every type but streams by `fill`, and beside them streams with groups and keys of thousands of parts. */
const MORE = 60;

/** Fills a server with `count` keys; every type has at least 60 of them, some large. */
export async function fillForPlanting(side: Side, count: number): Promise<void> {
  const { client } = side;
  await fill(side, count - 2 * MORE);
  for (let i = 0; i < MORE; i++) {
    const stream = `stream:${i}`;
    for (let n = 1; n <= 5; n++) await client.xadd(stream, `${n}-${i}`, 'n', n, 'i', i);
    await client.xgroup('CREATE', stream, 'group', '0');
    await client.xreadgroup('GROUP', 'group', 'consumer', 'COUNT', 2, 'STREAMS', stream, '>');
    await make(client, `large:${i}`, TYPES[i % TYPES.length] ?? 'string', 1_500);
  }
  for (let i = 0; i < 500; i++) await client.pexpireat(`key:${i * 4}`, YEAR_2100);
}

async function make(client: Redis, key: string, type: KeyType, parts: number): Promise<void> {
  const items = Array.from({ length: parts }, (_, n) => `part ${n}`);
  if (type === 'string') await client.set(key, items.join(',').repeat(30));
  else if (type === 'list') await client.rpush(key, ...items);
  else if (type === 'set') await client.sadd(key, ...items);
  else if (type === 'zset') await client.zadd(key, ...items.flatMap((item, n) => [n / 7, item]));
  else if (type === 'hash') await client.hset(key, Object.fromEntries(items.map((item, n) => [item, n])));
  else for (const item of items) await client.xadd(key, '*', 'item', item);
}

const KINDS = [
  'missing',
  'extra',
  'different-type',
  'different-length',
  'different-value',
  'different-expiry',
] as const;

/** Changes keys of one side so that every kind of difference is there in every type, `count` in all. @returns "code key" of each */
export async function plant({ client }: Side, count: number): Promise<string[]> {
  const keys = await client.keys('*');
  const byType = new Map<string, string[]>(TYPES.map((type) => [type, []]));
  for (const key of keys.sort()) byType.get(await client.type(key))?.push(key);
  const planted: string[] = [];
  for (let n = 0; n < count; n++) {
    const kind = KINDS[n % KINDS.length] ?? 'missing';
    const type = TYPES[Math.floor(n / KINDS.length) % TYPES.length] ?? 'string';
    const key = kind === 'extra' ? `extra:${type}:${n}` : (byType.get(type)?.pop() ?? '');
    await change(client, key, type, kind);
    planted.push(`${kind} ${key}`);
  }
  return planted.sort();
}

async function change(client: Redis, key: string, type: KeyType, kind: (typeof KINDS)[number]): Promise<void> {
  switch (kind) {
    case 'missing':
      await client.del(key);
      break;
    case 'extra':
      await make(client, key, type, 3);
      break;
    case 'different-type': {
      const ttl = Number(await client.call('PTTL', key));
      await client.del(key);
      await make(client, key, type === 'list' ? 'set' : 'list', 3);
      if (ttl > 0) await client.pexpireat(key, YEAR_2100);
      break;
    }
    case 'different-length':
      await lengthen[type](client, key);
      break;
    case 'different-value':
      await alter[type](client, key);
      break;
    case 'different-expiry':
      await client.pexpireat(key, YEAR_2100 + 1_000);
  }
}

type Change = Record<KeyType, (client: Redis, key: string) => Promise<unknown>>;

const lengthen: Change = {
  string: (client, key) => client.append(key, '!'),
  list: (client, key) => client.rpush(key, 'one more'),
  set: (client, key) => client.sadd(key, 'one more'),
  zset: (client, key) => client.zadd(key, 5, 'one more'),
  hash: (client, key) => client.hset(key, 'one more', '1'),
  stream: (client, key) => client.xadd(key, '*', 'one', 'more'),
};

/** Another value of the same length. */
const alter: Change = {
  string: (client, key) => client.setrange(key, 3, '#'),
  list: (client, key) => client.lset(key, -1, 'altered'),
  set: async (client, key) => {
    await client.spop(key);
    await client.sadd(key, 'altered');
  },
  zset: async (client, key) => {
    const [member = ''] = await client.zrange(key, '0', '0');
    await client.zadd(key, -17.25, member);
  },
  hash: async (client, key) => {
    const [field = ''] = await client.hkeys(key);
    await client.hset(key, field, 'altered');
  },
  stream: async (client, key) => {
    const groups = (await client.xinfo('GROUPS', key)) as unknown[];
    if (groups.length > 0) await client.xack(key, 'group', ...(await client.xrange(key, '-', '+')).map(([id]) => id));
    else await client.xgroup('CREATE', key, 'of its own', '$');
  },
};
