import { compareServers } from './compare-servers';
import { fillOdd } from './fill-odd';
import type { ServerName } from './redis-servers';
import { digest, keyCounts, serverNames, serverStartTimeout, useTestServers } from './redis-servers';

const servers = useTestServers();
jest.setTimeout(serverStartTimeout);

const listpack = (name: ServerName): string => (name === 'redis-6.0' ? 'ziplist' : 'listpack');
const setPack = (name: ServerName): string =>
  name === 'redis-8.0' || name === 'valkey-8.1' ? 'listpack' : 'hashtable';

test.each(serverNames)('%s takes every odd key, in the encodings that are meant', async (name) => {
  const server = await servers.start(name);
  const counts = await fillOdd(server);
  expect(counts).toEqual(await keyCounts(server));
  expect(counts[1]).toBeGreaterThan(450);
  const redis = servers.client(server);
  const encodings = {
    'string:int': 'int',
    'string:embstr': 'embstr',
    'string:raw': 'raw',
    'list:long': 'quicklist',
    'hash:small': listpack(name),
    'hash:long-value': 'hashtable',
    'hash:many': 'hashtable',
    'set:intset16': 'intset',
    'set:ints-many': 'hashtable',
    'set:small': setPack(name),
    'zset:scores': listpack(name),
    'zset:many': 'skiplist',
    'stream:long': 'stream',
  };
  const found: Record<string, string> = {};
  for (const key of Object.keys(encodings)) found[key] = String(await redis.object('ENCODING', key));
  expect(found).toEqual(encodings);
  if (name === 'redis-8.0') expect(await redis.call('OBJECT', 'ENCODING', 'hash:field-expiry')).toBe('listpackex');
  expect(await redis.get('')).toBe('value 0');
  expect(await redis.xlen('stream:empty-with-groups')).toBe(0);
});

test('a copy made by DUMP and RESTORE is equal, big values included', async () => {
  const [from, to] = [await servers.start('redis-8.0'), await servers.start('redis-8.0')];
  const counts = await fillOdd(from, { big: true, databases: [0, 7] });
  for (const database of [0, 7]) {
    const [source, target] = [servers.client(from, database), servers.client(to, database)];
    for (const key of await source.keysBuffer('*')) {
      const at = Number(await source.call('PEXPIRETIME', key));
      const value = await source.dumpBuffer(key);
      await target.call('RESTORE', key, Math.max(at, 0), value, 'ABSTTL');
    }
  }
  const result = await compareServers(from, to);
  expect(result.differences.map(({ text }) => text)).toEqual([]);
  expect(result.keys).toEqual({ left: counts, right: counts });
  expect(await digest(to)).toBe(await digest(from));
});
