import { hashSlot } from '../../src/keyspace/hash-slot';
import { Connections } from '../../src/redis/connections';
import { EncodedCommands } from '../../src/redis/encoded-command';
import type { Command } from '../../src/redis/redis-port';
import { startTestCluster } from '../tools/test-cluster';
import { startTestServer } from '../tools/test-server';

/** All nodes, and who has which flags: "T" is CLIENT NO-TOUCH. */
const flagsOf = (list: string) =>
  list
    .split('\n')
    .flatMap((line) => (line.includes('name=keyferry-way') ? (/ flags=(\S+)/.exec(line)?.[1] ?? '') : []));

it.each(['redis-6.0', 'redis-7.0', 'redis-8.0', 'valkey-8.1'] as const)(
  'a slot that is left half moved is read and written, by commands of every kind, and no node of %s is lost by it',
  async (name) => {
    const cluster = await startTestCluster(name);
    const connections = new Connections({ REDIS_C: cluster.server.url }, 'keyferry-way');
    try {
      const port = connections.get('C', 0);
      await port.ready();
      // In one slot, by their tag; half of them go.
      const keys = Array.from({ length: 10 }, (_, i) => Buffer.from(`{way}:${i}`));
      await port.pipeline(keys.map((key): Command => ['SET', key, 'x']));
      const slot = hashSlot(keys[0]!);
      const { port: owner } = port.cluster.ownerOf(slot);
      const at = cluster.nodes.findIndex((node) => node.port === owner);
      const [from, to] = [cluster.clients[at]!, cluster.clients[(at + 1) % 3]!];
      await to.cluster('SETSLOT', slot, 'IMPORTING', await from.cluster('MYID'));
      await from.cluster('SETSLOT', slot, 'MIGRATING', await to.cluster('MYID'));
      await from.call('MIGRATE', '127.0.0.1', to.options.port!, '', 0, 5_000, 'KEYS', ...keys.slice(0, 5));
      const each = async (...words: readonly string[]) =>
        await port.pipeline(keys.map((key): Command => [words[0]!, ...words.slice(1), key]));
      expect((await each('GET')).map(String)).toEqual(keys.map(() => 'x'));
      expect(await each('EXISTS')).toEqual(keys.map(() => 1));
      expect((await each('DUMP')).every((payload) => Buffer.isBuffer(payload))).toBe(true);
      expect(await each('PTTL')).toEqual(keys.map(() => -1));
      expect((await each('MEMORY', 'USAGE')).every((bytes) => Number(bytes) > 0)).toBe(true);
      const scripts = keys.map((key): Command => ['EVAL', "return redis.call('GET', KEYS[1])", '1', key]);
      expect((await port.pipeline(scripts)).map(String)).toEqual(keys.map(() => 'x'));
      const commands = keys.map((key): Command => ['APPEND', key, 'y']);
      const refusals = await connections
        .bulk('C', 0)
        .sendKeyed(keys, (places = [...keys.keys()]) => EncodedCommands.of(places.map((place) => commands[place]!)));
      expect(refusals.size).toBe(0);
      expect((await each('GET')).map(String)).toEqual(keys.map(() => 'xy'));
      // Whoever reads for itself, as for values that are large.
      const way = { name: 'C', database: 0, kind: 'replyTooLong', memory: 'held' } as const;
      const alone = await connections.alone(way, ({ connection }) =>
        connection.pipeline(keys.map((key): Command => ['GET', key])),
      );
      expect(alone.map(String)).toEqual(keys.map(() => 'xy'));
      for (const client of cluster.clients) {
        const flags = flagsOf((await client.client('LIST')) as string);
        expect(flags.filter((each) => each.includes('T'))).toEqual([]);
      }
    } finally {
      connections.close();
      await cluster.close();
    }
  },
);

it('what is read of a server that is no cluster does not count as used', async () => {
  const server = await startTestServer('redis-8.0');
  const connections = new Connections({ REDIS_S: server.server.url }, 'keyferry-way');
  try {
    const port = connections.get('S', 0);
    await port.ready();
    await port.call('PING');
    expect(flagsOf((await server.client.client('LIST')) as string)).toEqual(['T']);
  } finally {
    connections.close();
    await server.close();
  }
});
