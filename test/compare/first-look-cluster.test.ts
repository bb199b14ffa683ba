import type { Comparison, Pair } from '../../src/compare/examine';
import { lookAtPage, type Sorted } from '../../src/compare/first-look';
import { keyFacts, type AskedSide } from '../../src/compare/key-facts';
import { hashSlot } from '../../src/keyspace/hash-slot';
import { Connections } from '../../src/redis/connections';
import type { Command } from '../../src/redis/redis-port';
import { readKeyFacts } from '../../src/survey/key-facts';
import type { Side } from '../../src/transfer/side';
import { fillOdd } from '../e2e/support/fill-odd';
import { startTestCluster, type TestCluster } from '../tools/test-cluster';
import { startTestServer, type TestServer } from '../tools/test-server';

describe.each(['redis-6.0', 'redis-8.0'] as const)('%s: a look at keys of a cluster', (name) => {
  let server: TestServer;
  let cluster: TestCluster;
  let connections: Connections;
  let keys: Buffer[];
  let sides: Record<'server' | 'cluster' | 'byCommands', Side>;

  beforeAll(async () => {
    [server, cluster] = await Promise.all([startTestServer(name), startTestCluster(name)]);
    await fillOdd(server);
    for (let i = 0; i < 1_500; i++) await server.client.set(`plain:${i}`, `value ${i}`, 'PX', 3_600_000 + i);
    keys = await server.client.keysBuffer('*');
    connections = new Connections({ REDIS_S: server.server.url, REDIS_C: cluster.server.url }, 'keyferry-look');
    const [alone, port] = [connections.get('S', 0), connections.get('C', 0)];
    await Promise.all([alone.ready(), port.ready()]);
    const payloads = await Promise.all(keys.map((key) => server.client.dumpBuffer(key)));
    const times = await Promise.all(keys.map((key) => server.client.pttl(key)));
    await port.pipeline(keys.map((key, i): Command => ['RESTORE', key, String(Math.max(0, times[i]!)), payloads[i]!]));
    const attempt: Side['attempt'] = (call) => call();
    sides = {
      server: { port: alone, scripts: true, attempt },
      cluster: { port, scripts: false, nodeScripts: true, attempt },
      byCommands: { port, scripts: false, attempt },
    };
  });
  afterAll(async () => {
    connections.close();
    await Promise.all([server.close(), cluster.close()]);
  });

  const comparison = (source: Side, target: Side, depth: Comparison['depth']): Comparison => ({
    ...{ source, target, depth, targetMinusSource: 0 },
    expiriesAgree: (one, other) => (one === 0 ? other === 0 : Math.abs(one - other) < 2_000),
    budget: { take: () => Promise.resolve(), correct: () => undefined, give: () => undefined },
    goOn: () => undefined,
  });
  const pairs = (): Pair[] => keys.map((key) => ({ source: key, target: key }));
  const inOrder = (look: Sorted) =>
    Object.fromEntries(
      Object.entries<readonly number[]>({ ...look }).map(([what, places]) => [what, [...places].sort((a, b) => a - b)]),
    );
  const ways = [
    ['cluster', 'cluster'],
    ['server', 'cluster'],
    ['cluster', 'server'],
  ] as const;

  it.each(ways)('out of a %s into a %s tells the same as key by key, by a script for each node', async (from, to) => {
    for (const depth of ['quick', 'full'] as const) {
      const eachKey = (side: 'server' | 'cluster') => (side === 'server' ? sides.server : sides.byCommands);
      const expected = await lookAtPage(pairs(), undefined, comparison(eachKey(from), eachKey(to), depth));
      expect(expected.same).toHaveLength(keys.length);
      const look = await lookAtPage(pairs(), undefined, comparison(sides[from], sides[to], depth));
      expect(inOrder(look)).toEqual(inOrder(expected));
    }
  });

  it('finds what differs, is missing, is gone, and what expires at another time', async () => {
    const { port } = sides.cluster;
    const [gone, missing, value, expiry] = ['plain:1', 'plain:2', 'plain:3', 'plain:4'].map((text) =>
      keys.findIndex((key) => key.toString() === text),
    );
    await server.client.del('plain:1');
    await port.pipeline([
      ['DEL', 'plain:2'],
      ['SET', 'plain:3', 'another value', 'KEEPTTL'],
      ['PERSIST', 'plain:4'],
    ]);
    const look = await lookAtPage(pairs(), undefined, comparison(sides.server, sides.cluster, 'full'));
    expect(look).toMatchObject({ gone: [gone], missing: [missing], different: [value], otherExpiry: [expiry] });
    expect(look.same).toHaveLength(keys.length - 4);
  });

  it('is as right where a key is on its way to another node', async () => {
    const { port } = connections.get('C', 0).cluster.ownerOf(hashSlot(keys[0]!));
    const at = cluster.nodes.findIndex((node) => node.port === port);
    const [from, to] = [cluster.clients[at]!, cluster.clients[(at + 1) % 3]!];
    const slot = hashSlot(keys[0]!);
    await to.cluster('SETSLOT', slot, 'IMPORTING', await from.cluster('MYID'));
    await from.cluster('SETSLOT', slot, 'MIGRATING', await to.cluster('MYID'));
    await from.call('MIGRATE', '127.0.0.1', String(to.options.port), keys[0]!, '0', '5000');
    const look = await lookAtPage(pairs(), undefined, comparison(sides.server, sides.cluster, 'full'));
    expect(look.same).toHaveLength(keys.length - 4);
    const plain = (side: AskedSide) => keyFacts(side, keys).then((facts) => facts.map((fact) => fact?.type));
    expect(await plain(sides.cluster)).toEqual(await plain(sides.byCommands));
    const options = { memoryUsage: true, lookForFieldExpiries: false, bigKeyBytes: 1e6 };
    const surveyed = await readKeyFacts(sides.cluster, keys, options);
    const byCommands = await readKeyFacts(sides.byCommands, keys, options);
    const told = (facts: typeof surveyed) => facts.map((fact) => fact && [fact.type, fact.encoding, fact.bytes]);
    expect(told(surveyed)).toEqual(told(byCommands));
  });
});
