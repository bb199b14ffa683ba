import { fillServer } from '../../demo/generate';
import { compareServers } from './compare-servers';
import { fillOdd } from './fill-odd';
import type { RunningServer } from './redis-servers';
import { flush, redis4Snapshot, serverStartTimeout, useTestServers } from './redis-servers';

const servers = useTestServers();

let left: RunningServer, right: RunningServer;
beforeAll(async () => {
  [left, right] = await Promise.all([servers.start('redis-8.0'), servers.start('redis-8.0')]);
}, serverStartTimeout);
beforeEach(() => Promise.all([flush(left), flush(right)]));

type Words = (string | number | Buffer)[];
/** Runs commands, written as words, on both servers or on one. */
async function run(where: RunningServer[], ...commands: Words[]): Promise<void> {
  for (const server of where) {
    const redis = servers.client(server);
    for (const [name, ...args] of commands) await redis.call(String(name), ...args);
  }
}

/** Every way to differ that is planted alone: what both get, what only one of them gets, and the line that must come out. */
const planted: [string, { both?: Words[]; left?: Words[]; right?: Words[]; says: RegExp }][] = [
  ['a missing key', { left: [['SET', 'k', 'v']], says: /^db0 "k": missing: string is not on the right$/ }],
  [
    'an extra key',
    { right: [['SET', Buffer.from([0xff]), 'v']], says: /^db0 "\\xff": extra: string is only on the right$/ },
  ],
  ['another type', { left: [['SET', 'k', '1']], right: [['RPUSH', 'k', '1']], says: /type: string ≠ list$/ }],
  [
    'another byte',
    {
      left: [['SET', 'k', Buffer.from([0xc3])]],
      right: [['SET', 'k', Buffer.from([0xc4])]],
      says: /value: item 0: "\\xc3" ≠ "\\xc4"$/,
    },
  ],
  [
    'a byte deep in a long string',
    {
      both: [['SET', 'k', 'x'.repeat(3e6)]],
      right: [['SETRANGE', 'k', 2_500_000, 'y']],
      says: /value: item 2: "x+…\(1048576 bytes\)"|value: item 2/,
    },
  ],
  [
    'another order of a list',
    { left: [['RPUSH', 'k', 'a', 'b']], right: [['RPUSH', 'k', 'b', 'a']], says: /value: item 0: "a" ≠ "b"$/ },
  ],
  [
    'a shorter list',
    { left: [['RPUSH', 'k', 'a']], right: [['RPUSH', 'k', 'a', 'b']], says: /value: 1 items ≠ 2 items$/ },
  ],
  [
    'the end of a long list',
    {
      both: [['RPUSH', 'k', ...Array(9_000).keys()]],
      right: [['LSET', 'k', -1, 'x']],
      says: /value: item 8999: "8999" ≠ "x"$/,
    },
  ],
  [
    'a field of a hash',
    { both: [['HSET', 'k', 'a', '1', 'b', '2']], right: [['HSET', 'k', 'b', '3']], says: /value: "b": "2" ≠ "3"$/ },
  ],
  [
    'a field too many',
    { both: [['HSET', 'k', 'a', '1']], right: [['HSET', 'k', 'b', '3']], says: /value: "b": nothing ≠ "3"$/ },
  ],
  [
    'a member of a large set',
    { both: [['SADD', 'k', ...Array(9_000).keys()]], right: [['SREM', 'k', 77]], says: /value: "77": "" ≠ nothing$/ },
  ],
  [
    'a score',
    {
      left: [['ZADD', 'k', '0.1', 'm']],
      right: [['ZADD', 'k', '0.10000000000000002', 'm']],
      says: /"m": "0.1" ≠ "0.10000000000000002"$/,
    },
  ],
  [
    'an expiry only here',
    { both: [['SET', 'k', 'v']], left: [['PEXPIRE', 'k', 1e6]], says: /expiry: expiry 20\S+ ≠ none$/ },
  ],
  [
    'an expiry only there',
    { both: [['SET', 'k', 'v']], right: [['PEXPIRE', 'k', 1e6]], says: /expiry: expiry none ≠ 20\S+$/ },
  ],
  [
    'an expiry 20 ms off',
    {
      left: [['SET', 'k', 'v', 'PXAT', 4e12]],
      right: [['SET', 'k', 'v', 'PXAT', 4e12 - 20]],
      says: /expiry: expires (19|20)\.\d ms earlier|expires 2[01]\.\d ms earlier/,
    },
  ],
  [
    'a field’s expiry',
    {
      both: [['HSET', 'k', 'a', '1', 'b', '2']],
      left: [['HPEXPIREAT', 'k', 4e12, 'FIELDS', 1, 'b']],
      says: /field-expiry: "b": expiry 20\S+ ≠ none$/,
    },
  ],
  [
    'an entry of a stream',
    { left: [['XADD', 'k', '1-1', 'a', 'b']], right: [['XADD', 'k', '1-1', 'a', 'c']], says: /value: "1-1": .* ≠ / },
  ],
  [
    'a last id',
    {
      both: [['XADD', 'k', '1-1', 'a', 'b']],
      right: [['XSETID', 'k', '2-1']],
      says: /stream: last-generated-id: 1-1 ≠ 2-1$/,
    },
  ],
  [
    'how many were added',
    {
      both: [['XADD', 'k', '1-1', 'a', 'b']],
      right: [['XSETID', 'k', '1-1', 'ENTRIESADDED', 5, 'MAXDELETEDID', '0-0']],
      says: /stream: entries-added: 1 ≠ 5$/,
    },
  ],
  [
    'a group',
    {
      both: [['XADD', 'k', '1-1', 'a', 'b']],
      left: [['XGROUP', 'CREATE', 'k', 'g', '0']],
      says: /stream: group g last-delivered-id: 0-0 ≠ nothing$/,
    },
  ],
  [
    'where a group is',
    {
      both: [
        ['XADD', 'k', '1-1', 'a', 'b'],
        ['XGROUP', 'CREATE', 'k', 'g', '0'],
      ],
      left: [['XGROUP', 'SETID', 'k', 'g', '1-0']],
      says: /stream: group g last-delivered-id: 1-0 ≠ 0-0$/,
    },
  ],
  [
    'a consumer',
    {
      both: [
        ['XADD', 'k', '1-1', 'a', 'b'],
        ['XGROUP', 'CREATE', 'k', 'g', '0'],
      ],
      right: [['XGROUP', 'CREATECONSUMER', 'k', 'g', 'c']],
      says: /group g consumer c: nothing ≠ 0 pending$/,
    },
  ],
  [
    'a delivery count',
    {
      both: [
        ['XADD', 'k', '1-1', 'a', 'b'],
        ['XGROUP', 'CREATE', 'k', 'g', '0'],
        ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'k', '>'],
      ],
      right: [['XCLAIM', 'k', 'g', 'c', 0, '1-1', 'RETRYCOUNT', 9]],
      says: /group g pending 1-1: of c, delivered 1 times ≠ of c, delivered 9 times$/,
    },
  ],
  [
    'an idle time',
    {
      both: [
        ['XADD', 'k', '1-1', 'a', 'b'],
        ['XGROUP', 'CREATE', 'k', 'g', '0'],
        ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'k', '>'],
      ],
      right: [['XCLAIM', 'k', 'g', 'c', 0, '1-1', 'RETRYCOUNT', 1, 'IDLE', 60_000]],
      says: /group g pending 1-1: idle \d+ ms ≠ 6\d{4} ms$/,
    },
  ],
];

test.each(planted)('finds %s', async (_, { both = [], left: here = [], right: there = [], says }) => {
  await run([left, right], ...both, ['SET', 'same', 'same']);
  await run([left], ...here);
  await run([right], ...there);
  const result = await compareServers(left, right);
  expect(result.differences[0]?.text).toMatch(says);
  expect(new Set(result.differences.map(({ key }) => key.toString('latin1'))).size).toBe(1);
});

test('expiries a few ms apart are the same, and keys that expire meanwhile do not matter', async () => {
  await run([left], ['SET', 'k', 'v', 'PXAT', 4e12], ['SET', 'short', 'v', 'PX', 20]);
  await run([right], ['SET', 'k', 'v', 'PXAT', 4e12 + 6]);
  await new Promise((resolve) => setTimeout(resolve, 40));
  expect((await compareServers(left, right)).differences).toEqual([]);
  expect((await compareServers(left, right, { toleranceMs: 2 })).byKind).toEqual({ expiry: 1 });
});

test('databases are compared by number, differences are counted beyond the limit', async () => {
  await fillServer({ port: left.port, keys: 3_000, databases: [0, 4] });
  await fillServer({ port: right.port, keys: 3_000, databases: [0, 5] });
  // The two were filled one after the other.
  const result = await compareServers(left, right, { limit: 10, toleranceMs: 3_600_000, idleToleranceMs: 3_600_000 });
  expect(result.keys).toEqual({ left: { 0: 1500, 4: 1500 }, right: { 0: 1500, 5: 1500 } });
  expect(result.byKind).toEqual({ missing: 1500, extra: 1500 });
  expect([result.total, result.differences.length, result.compared]).toEqual([3000, 10, 3000]);
});

test('keys can be expected elsewhere, or nowhere', async () => {
  await run([left], ['SET', 'old:a', '1'], ['SET', 'old:b', '2'], ['SET', 'temporary', '3']);
  await run([right], ['SELECT', 2], ['SET', 'new:a', '1'], ['SET', 'new:b', 'x']);
  const result = await compareServers(left, right, {
    expectedAt: (_, key) => {
      const name = key.toString();
      return name.startsWith('old:') ? { database: 2, key: Buffer.from(name.replace('old', 'new')) } : undefined;
    },
  });
  expect(result.differences.map(({ text }) => text)).toEqual(['db0 "old:b": value: item 0: "2" ≠ "x"']);
});

test('the Redis 4 snapshot is the same on the oldest and the newest server', async () => {
  const [old, fresh] = [await servers.startWithSnapshot('redis-6.0'), await servers.startWithSnapshot('valkey-8.1')];
  const result = await compareServers(old, fresh);
  expect(result.differences).toEqual([]);
  expect(result.compared).toBe(redis4Snapshot.total);
});

test('odd keys that were filled in twice differ in nothing but their moments', async () => {
  const [one, other] = [await servers.start('redis-6.0'), await servers.start('redis-7.0')];
  const counts = await fillOdd(one);
  await fillOdd(other);
  const result = await compareServers(one, other, { toleranceMs: 60_000, idleToleranceMs: 60_000 });
  expect(result.keys.left).toEqual(counts);
  // What only the newer server can do.
  const unlike = new Set(result.differences.map(({ key }) => key.toString()));
  expect([...unlike].sort()).toEqual(['stream:counters', 'stream:created-consumer']);
});
