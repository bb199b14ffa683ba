import { Connections } from '../../src/redis/connections';
import type { RoutedConnection } from '../../src/redis/routed-connection';
import { startFakeNode, slotsReply, type FakeNode, type ToldRun } from '../tools/fake-node';
import { startProxy } from '../../local/servers/proxy';

/** Nodes of a cluster that say what they should not; each answers a key's command by `toKey`. */
interface Hostile {
  readonly nodes: readonly FakeNode[];
  readonly port: RoutedConnection;
  /** CLUSTER SLOTS of all nodes; undefined: the first has all. */
  slots: readonly ToldRun[] | undefined;
  toKey: (place: number, words: readonly string[], ports: readonly number[]) => string;
}

const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function startHostile(count: number): Promise<Hostile> {
  const nodes: FakeNode[] = [];
  const ports = () => nodes.map(({ port }) => port);
  for (let place = 0; place < count; place++) {
    const node = await startFakeNode((words) => {
      const [name, word] = words.map((each) => each.toUpperCase());
      if (name === 'CLUSTER' && word === 'SLOTS') return slotsReply(hostile.slots ?? [all(ports()[0]!, 'id0')]);
      if (name === 'GET' || name === 'ASKING') return name === 'GET' ? hostile.toKey(place, words, ports()) : '+OK';
      return undefined;
    });
    nodes.push(node);
    ends.push(() => node.close());
  }
  const connections = new Connections({ REDIS_C: nodes[0]!.url }, 'keyferry-test');
  ends.push(() => {
    connections.close();
  });
  const hostile: Hostile = { nodes, port: connections.get('C', 0), slots: undefined, toKey: () => '+value' };
  return hostile;
}

const all = (port: number, id: string): ToldRun => ({ first: 0, last: 16_383, port, id });
/** Its slot is 12,182. */
const KEY = 'foo';
const SLOT = 12_182;
/** As whoever tries again does. */
const again = async (port: RoutedConnection) => {
  if (port.runId === undefined) await port.ready();
  return String(await port.call('GET', KEY));
};
const countOf = (nodes: readonly FakeNode[], word: string) =>
  nodes.reduce((sum, { asked }) => sum + asked.filter(([name]) => name === word).length, 0);

it.each([
  ['none', []],
  ['fewer than there are', [{ first: 0, last: 8_191, id: 'id0' }]],
])('slots of which a node tells %s for a while are found as soon as it tells them', async (_, told) => {
  const hostile = await startHostile(1);
  const [node] = hostile.nodes;
  hostile.slots = told.map((run) => ({ ...run, port: node!.port }));
  await hostile.port.ready();
  await expect(again(hostile.port)).rejects.toMatchObject({ kind: 'clusterDown', asks: 'retry' });
  hostile.slots = undefined;
  await expect(again(hostile.port)).resolves.toBe('value');
});

it.each<[string, Hostile['toKey']]>([
  ['sends keys on to itself', (place, _, ports) => `-MOVED ${SLOT} 127.0.0.1:${ports[place]!}`],
  ['sends keys on to itself without its host', (place, _, ports) => `-MOVED ${SLOT} :${ports[place]!}`],
  ['sends them to one that sends them back', (place, _, ports) => `-MOVED ${SLOT} 127.0.0.1:${ports[1 - place]!}`],
  [
    'says that they are on their way to one that does not expect them',
    (place, _, ports) => `-${place === 0 ? 'ASK' : 'MOVED'} ${SLOT} 127.0.0.1:${ports[1 - place]!}`,
  ],
  ['sends them to where nobody is', () => `-MOVED ${SLOT} 127.0.0.1:1`],
])('a node that %s is tried again later, and not for ever', async (_, toKey) => {
  const hostile = await startHostile(2);
  hostile.toKey = toKey;
  await hostile.port.ready();
  for (let tries = 0; tries < 3; tries++) await expect(again(hostile.port)).rejects.toMatchObject({ asks: 'retry' });
  expect(countOf(hostile.nodes, 'GET')).toBeLessThanOrEqual(3 * 6);
  hostile.toKey = () => '+value';
  const deadline = Date.now() + 10_000;
  for (;;) {
    const told = await again(hostile.port).catch((error: unknown) => error);
    if (told === 'value') break;
    expect(told).toMatchObject({ asks: 'retry' });
    expect(Date.now()).toBeLessThan(deadline);
  }
});

it('a node that tells its slots as none does is tried again', async () => {
  const hostile = await startHostile(1);
  await hostile.port.ready();
  const { cluster } = hostile.port;
  hostile.slots = [{ first: 3, last: 1, port: 1, id: 'x' }];
  await expect(cluster.refresh()).rejects.toMatchObject({ kind: 'otherNode', asks: 'retry' });
  hostile.slots = undefined;
  await expect(again(hostile.port)).resolves.toBe('value');
});

it.each([
  ['are nodes of one cluster', 'id0', 1],
  ['are nodes of two clusters', 'of another', 2],
])('a name of several servers that %s', async (_, id, met) => {
  const nodes: FakeNode[] = [];
  for (const own of ['id0', id]) {
    const node = await startFakeNode(([name, word]) =>
      name === 'CLUSTER' && word === 'SLOTS' ? slotsReply([all(nodes[0]!.port, own)]) : undefined,
    );
    nodes.push(node);
    ends.push(() => node.close());
  }
  let turn = 0;
  const proxy = await startProxy(
    () => nodes[turn++ % 2]!.port,
    (client, server) => {
      client.pipe(server);
      server.pipe(client);
    },
  );
  ends.push(() => proxy.close());
  const connections = new Connections({ REDIS_C: proxy.url }, 'keyferry-test');
  ends.push(() => {
    connections.close();
  });
  await connections.get('C', 0).ready();
  expect(await connections.metBy('C', 6)).toHaveLength(met);
});
