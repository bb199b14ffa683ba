import type { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadedFacts } from '../../src/app/side-facts';
import { hashSlot, SLOTS } from '../../src/keyspace/hash-slot';
import { Connections } from '../../src/redis/connections';
import { EncodedCommands } from '../../src/redis/encoded-command';
import type { Command } from '../../src/redis/redis-port';
import { SlotReader } from '../../src/transfer/slot-reader';
import { keyFacts } from '../../src/compare/key-facts';
import { isUntouched, readWriteMark } from '../../src/transfer/by-commands/untouched';
import { startTestCluster, type TestCluster } from '../tools/test-cluster';

let cluster: TestCluster;
let connections: Connections;

beforeAll(async () => {
  cluster = await startTestCluster('redis-7.0', { replicas: 1, nodeTimeoutMs: 30_000 });
  await Promise.all(cluster.clients.map((client) => client.ping()));
});
beforeEach(async () => {
  const living = cluster.clients.findIndex(({ status }) => status === 'ready');
  connections = new Connections({ REDIS_C: cluster.nodes[living]?.url }, 'keyferry-test');
  await connections.get('C', 0).ready();
});
afterEach(() => {
  connections.close();
});
afterAll(() => cluster.close());

const names = (count: number, prefix = 'key') => Array.from({ length: count }, (_, i) => Buffer.from(`${prefix}:${i}`));
const sets = (keys: readonly Buffer[], value: string) => keys.map((key): Command => ['SET', key, value]);

it('every command goes to the node that owns its key, and the replies come in the order of the commands', async () => {
  const port = connections.get('C', 0);
  const keys = names(2_000);
  const replies = await port.pipeline(
    keys.flatMap((key, i): Command[] => [
      ['SET', key, String(i)],
      ['GET', key],
    ]),
  );
  expect(replies.filter((_, i) => i % 2 === 1).map(String)).toEqual(keys.map((_, i) => String(i)));
  expect(await port.call('GET', keys[7]!)).toEqual(Buffer.from('7'));
  expect(await cluster.keys()).toBe(2_000);
  // What has no key, a transaction, and a refusal.
  const [time, multi, , exec, wrong, again] = await port.pipeline([
    ['TIME'],
    ['MULTI'],
    ['INCR', 'key:1'],
    ['EXEC'],
    ['LPUSH', 'key:1', 'x'],
    ['GET', 'key:1'],
  ]);
  expect(time).toHaveLength(2);
  expect(String(multi)).toBe('OK');
  expect(exec).toEqual([2]);
  expect(wrong).toMatchObject({ kind: 'wrongType' });
  expect(String(again)).toBe('2');
  expect(port.runId).toBe('');
});

it('what is written in bulk comes to its nodes, and refusals have the places of their keys', async () => {
  const bulk = connections.bulk('C', 0);
  await bulk.ready();
  const keys = names(5_000, 'bulk');
  await connections.get('C', 0).call('LPUSH', keys[4_321]!, 'x');
  const commands = keys.map((key, i): Command => (i === 4_321 ? ['INCR', key] : ['SET', key, String(i)]));
  const refusals = await bulk.sendKeyed(keys, (places) =>
    EncodedCommands.of(places === undefined ? commands : places.map((place) => commands[place]!)),
  );
  expect([...refusals.keys()]).toEqual([4_321]);
  const values = await connections.get('C', 0).pipeline(keys.slice(0, 100).map((key): Command => ['GET', key]));
  expect(values.map(String)).toEqual(keys.slice(0, 100).map((_, i) => String(i)));
});

it('a process is two clients to each master, one to each replica, and at most two more to the node that its connection names', async () => {
  const own = new Connections({ REDIS_C: cluster.server.url }, 'keyferry-few');
  const clients = async () =>
    await Promise.all(
      cluster.clients.map(async (client) => {
        const list = (await client.client('LIST')) as string;
        return list.split('\n').filter((line) => line.includes(' name=keyferry-few')).length;
      }),
    );
  try {
    const keys = names(300, 'few');
    for (let i = 0; i < 6; i++) {
      const [port, bulk] = [own.get('C', 0), own.bulk('C', 0)];
      await Promise.all([port.ready(), bulk.ready(), own.get('C', 0).ready()]);
      await bulk.sendKeyed(keys, (places = [...keys.keys()]) =>
        EncodedCommands.of(places.map((place): Command => ['SET', keys[place]!, 'x'])),
      );
      await port.pipeline(keys.map((key): Command => ['GET', key]));
      await port.servers();
      await own.roomOf('C');
    }
    expect(await clients()).toEqual([4, 2, 2, 1, 1, 1]);
    // Where others have taken all but what that needs, it still works, and the room is that of the fullest node.
    const [, second] = cluster.clients;
    const taken = Number(/connected_clients:(\d+)/.exec(await second!.info('clients'))?.[1]);
    await second!.config('SET', 'maxclients', taken);
    await own
      .bulk('C', 0)
      .sendKeyed(keys, (places = [...keys.keys()]) =>
        EncodedCommands.of(places.map((place): Command => ['SET', keys[place]!, 'y'])),
      );
    expect(await own.roomOf('C')).toBe(0);
  } finally {
    await cluster.clients[1]!.config('SET', 'maxclients', 10_000);
    own.close();
  }
});

it('a node whose connection names it otherwise than it announces itself is not connected to anew each time it is asked', async () => {
  const named = new Connections({ REDIS_C: cluster.nodes[0]!.url.replace('127.0.0.1', 'localhost') }, 'keyferry-named');
  const { cluster: known } = named.get('C', 0);
  const received = async () =>
    Number(/total_connections_received:(\d+)/.exec(await cluster.clients[0]!.info('stats'))?.[1] ?? NaN);
  try {
    await named.get('C', 0).ready();
    await known.refresh();
    const before = await received();
    for (let i = 0; i < 5; i++) await known.refresh();
    expect(await received()).toBe(before);
  } finally {
    named.close();
  }
});

it('expiries are told by the clock of the node that has the key, and whether it was written to by that node', async () => {
  const port = connections.get('C', 0);
  const keys = names(300, 'expiring');
  const at = Date.now() + 3_600_000;
  await port.pipeline(keys.map((key): Command => ['SET', key, 'x', 'PXAT', String(at)]));
  expect(port.byServer(keys)).toHaveLength(3);
  const facts = await keyFacts({ port, scripts: false }, keys);
  expect(facts.every((fact) => Math.abs((fact?.expiry ?? 0) - at) < 50)).toBe(true);

  for (const key of port.byServer(keys).map(([place = 0]) => keys[place]!)) {
    const first = await readWriteMark(port, key);
    expect(isUntouched({ ...first!, savedAt: 0 }, { ...(await readWriteMark(port, key))!, savedAt: 0 })).toBe(true);
    await port.call('APPEND', key, 'y');
    expect(isUntouched({ ...first!, savedAt: 0 }, { ...(await readWriteMark(port, key))!, savedAt: 0 })).toBe(false);
  }
});

it('slots that move meanwhile, and such that are on their way, lose no command', async () => {
  const port = connections.get('C', 0);
  const bulk = connections.bulk('C', 0);
  await bulk.ready();
  const owned = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
  const writing = async () => {
    for (let round = 0; round < 30; round++) {
      const keys = names(600, `moving:${round}`);
      const commands = sets(keys, 'x');
      const refusals = await bulk.sendKeyed(keys, (places) =>
        EncodedCommands.of(places === undefined ? commands : places.map((place) => commands[place]!)),
      );
      expect(refusals.size).toBe(0);
      const replies = await port.pipeline(keys.map((key): Command => ['APPEND', key, 'y']));
      expect(replies.every((reply) => reply === 2)).toBe(true);
    }
  };
  await Promise.all([writing(), cluster.moveSlots(0, 1, owned(0, 300))]);
  const there = await Promise.all(
    Array.from({ length: 30 }, async (_, round) => {
      const replies = await port.pipeline(names(600, `moving:${round}`).map((key): Command => ['GET', key]));
      return replies.filter((reply) => String(reply) === 'xy').length;
    }),
  );
  expect(there).toEqual(there.map(() => 600));
});

it('a slot that is left half moved is written to and read', async () => {
  const [from, to] = await Promise.all([cluster.clients[2]!.cluster('MYID'), cluster.clients[1]!.cluster('MYID')]);
  const slot = SLOTS - 1;
  const keys = names(400_000)
    .filter((key) => hashSlot(key) === slot)
    .slice(0, 12);
  const port = connections.get('C', 0);
  await port.pipeline(sets(keys.slice(0, 6), 'old'));
  await cluster.clients[1]!.cluster('SETSLOT', slot, 'IMPORTING', from);
  await cluster.clients[2]!.cluster('SETSLOT', slot, 'MIGRATING', to);
  try {
    const bulk = connections.bulk('C', 0);
    await bulk.ready();
    const commands = sets(keys, 'new');
    const refusals = await bulk.sendKeyed(keys, (places) =>
      EncodedCommands.of(places === undefined ? commands : places.map((place) => commands[place]!)),
    );
    expect(refusals.size).toBe(0);
    const replies = await port.pipeline(keys.flatMap((key): Command[] => [['MULTI'], ['GET', key], ['EXEC']]));
    expect(replies.filter((_, i) => i % 3 === 2).map(String)).toEqual(keys.map(() => 'new'));
    expect(await cluster.clients[1]!.call('ASKING')).toBe('OK');
    // What has left, or is nowhere, keeps nothing else of the node from being read.
    const neighbour = names(2_000).find((key) => hashSlot(key) > 12_000 && hashSlot(key) < slot)!;
    const nowhere = Buffer.concat([Buffer.from('{'), keys[0]!, Buffer.from('}:nowhere')]);
    await port.call('SET', neighbour, 'x');
    for (const lookAtSizes of [true, false]) {
      const limits = { bigKeyBytes: 1_000_000, pageBytes: 1_000_000, lookAtSizes };
      const reader = new SlotReader(port.cluster, { index: 0, bits: 0 }, limits);
      const { payloads } = await reader.read([nowhere, ...keys, neighbour]);
      expect(payloads[0]).toBe('gone');
      expect(payloads.slice(1).map((payload) => Buffer.isBuffer(payload))).toEqual(
        [...keys, neighbour].map(() => true),
      );
    }
  } finally {
    for (const client of cluster.clients.slice(0, 3)) await client.cluster('SETSLOT', slot, 'STABLE');
  }
});

it('numbers of keys are uncertain while slots are on their way, and where some went while nodes were asked', async () => {
  const slotsMoved = async () => (await loadedFacts('C', { connections })).slotsMoved;
  expect(await slotsMoved()).toBeUndefined();
  const [to, from] = await Promise.all([cluster.clients[0]!.cluster('MYID'), cluster.clients[1]!.cluster('MYID')]);
  await cluster.clients[0]!.cluster('SETSLOT', 6_000, 'IMPORTING', from);
  await cluster.clients[1]!.cluster('SETSLOT', 6_000, 'MIGRATING', to);
  expect(await slotsMoved()).toBe(true);
  for (const client of cluster.clients.slice(0, 2)) await client.cluster('SETSLOT', 6_000, 'STABLE');
  expect(await slotsMoved()).toBeUndefined();
  const { cluster: known } = connections.get('C', 0);
  const agreement = known.agreement.bind(known);
  jest.spyOn(known, 'agreement').mockImplementationOnce(async () => {
    await cluster.moveSlots(1, 0, [6_001]);
    return await agreement();
  });
  expect(await slotsMoved()).toBe(true);
  expect(await slotsMoved()).toBeUndefined();
});

it('tells the use of keys with their values, read slot by slot or by name', async () => {
  const port = connections.get('C', 0);
  const keys = names(200, 'used');
  await port.pipeline(keys.map((key): Command => ['SET', key, 'x']));
  for (const use of [undefined, 'IDLETIME'] as const) {
    const limits = { bigKeyBytes: 1_000_000, pageBytes: 1_000_000, lookAtSizes: true, use };
    const reader = new SlotReader(port.cluster, { index: 0, bits: 0 }, limits);
    const { page } = await reader.scanAndRead(0n, 100);
    const named = await reader.read(keys.slice(0, 20));
    expect(page.keys.length).toBeGreaterThan(0);
    for (const { payloads, uses } of [page, named]) {
      expect(payloads.every((payload) => Buffer.isBuffer(payload))).toBe(true);
      const told = use === undefined ? -1 : 0;
      expect((uses ?? []).every((number) => (told < 0 ? number === -1 : number >= 0 && number < 600))).toBe(true);
    }
  }
});

it('what is suspected while it is read is read again', async () => {
  const { cluster: known } = connections.get('C', 0);
  expect(known.isKnown).toBe(true);
  const reading = known.refresh();
  known.suspect();
  await reading;
  expect(known.isKnown).toBe(false);
  await known.ready();
  expect(known.isKnown).toBe(true);
});

it('a master that takes connections and never answers keeps nobody from asking the others who owns what', async () => {
  const { cluster: known } = connections.get('C', 0);
  await Promise.all(known.masters.map((master) => known.lane(master)));
  const { pid } = cluster.nodes[0]!;
  process.kill(pid, 'SIGSTOP');
  try {
    const late = sleep(5_000, 'late', { ref: false });
    expect(await Promise.race([known.refresh().then(() => 'told'), late])).toBe('told');
    // Also where nothing is known of it but its address.
    const others = new Connections({ REDIS_C: cluster.nodes[1]!.url }, 'keyferry-test');
    expect(
      await Promise.race([
        others
          .get('C', 0)
          .ready()
          .then(() => 'told'),
        late,
      ]),
    ).toBe('told');
    others.close();
  } finally {
    process.kill(pid, 'SIGCONT');
  }
});

it('a master that is gone is told, and its replica is found', async () => {
  const port = connections.get('C', 0);
  const keys = names(300, 'failover');
  await port.pipeline(sets(keys, 'x'));
  await cluster.clients[0]!.call('WAIT', 1, 5_000);
  const replica = await cluster.replicaOf(0);
  await cluster.nodes[0]!.kill();
  await expect(port.pipeline(sets(keys, 'y'))).rejects.toMatchObject({ asks: 'retry', connection: 'C' });
  // No node is taken for gone because the machine is busy: whoever takes another one's place is told to.
  await replica.client.cluster('FAILOVER', 'FORCE');
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      await port.ready();
      const replies = await port.pipeline(sets(keys, 'z'));
      if (replies.every((reply) => String(reply) === 'OK')) break;
    } catch (error) {
      expect(error).toMatchObject({ asks: 'retry' });
    }
    expect(Date.now()).toBeLessThan(deadline);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});

it('a master that does not hear of its successor is not believed, whoever is asked first', async () => {
  const living = cluster.clients.filter(({ status }) => status === 'ready');
  const nodes = (await living[0]!.cluster('NODES')) as string;
  const [, nextId = '', port = '', id = ''] = /^(\S+) \S+?:(\d+)@\S+ slave (\S+) .* connected$/m.exec(nodes) ?? [];
  const byId = new Map<string, Redis>();
  for (const client of living) byId.set((await client.call('CLUSTER', 'MYID')) as string, client);
  const [stale, next] = [byId.get(id)!, byId.get(nextId)!];
  const { cluster: seen } = connections.get('C', 0);
  const before = await seen.agreement();
  expect(before.doubt).toBeNull();
  expect(before.topology.masters.map((master) => master.id)).toContain(id);
  await stale.cluster('FORGET', nextId);
  await next.cluster('FAILOVER', 'TAKEOVER');
  // Asked alone it tells that nothing has happened, and takes what is its successor's.
  expect(await stale.cluster('NODES')).toMatch(new RegExp(`^${id} .* myself,master - .* \\d+-\\d+`, 'm'));
  const seed = `redis://127.0.0.1:${stale.options.port!}`;
  const others = new Connections({ REDIS_C: seed }, 'keyferry-test');
  try {
    await others.get('C', 0).ready();
    await seen.refresh({ host: '127.0.0.1', port: stale.options.port! });
    for (const each of [seen, others.get('C', 0).cluster]) {
      const { doubt, topology, slots } = await each.agreement();
      expect(doubt).toBeNull();
      const ids = topology.masters.map((master) => master.id);
      expect(ids).toContain(nextId);
      expect(ids).not.toContain(id);
      expect(slots).not.toBe(before.slots);
    }
    const [key] = names(2_000).filter((name) => seen.ownerOf(hashSlot(name)).port === Number(port));
    await others.get('C', 0).call('SET', key!, 'sent to whoever is right');
    expect(await next.get(key!)).toBe('sent to whoever is right');
  } finally {
    others.close();
  }
});

it('a node that was taken out, and answers first, makes nothing forgotten of its cluster', async () => {
  const living = cluster.clients.flatMap((client, i) => (client.status === 'ready' ? [{ client, i }] : []));
  const roles = await Promise.all(
    living.map(async ({ client }) => String(((await client.call('ROLE')) as unknown[])[0])),
  );
  const out = living[roles.indexOf('slave')]!;
  const { url, port } = cluster.nodes[out.i]!;
  const left = new Connections({ REDIS_C: url }, 'keyferry-test');
  const fresh = new Connections({ REDIS_C: url }, 'keyferry-test');
  const last = new Connections({ REDIS_C: url }, 'keyferry-test');
  try {
    await left.get('C', 0).ready();
    await last.get('C', 0).ready();
    const seen = left.get('C', 0).cluster;
    const ids = () => seen.masters.map((master) => master.id);
    const before = ids();
    expect(before).toHaveLength(3);
    const id = await out.client.call('CLUSTER', 'MYID');
    const others = living.filter(({ i }) => i !== out.i);
    for (const { client } of others) await client.call('CLUSTER', 'FORGET', id as string);
    await out.client.call('CLUSTER', 'RESET', 'HARD');
    await seen.refresh({ host: '127.0.0.1', port });
    expect(ids()).toEqual(before);
    expect((await seen.agreement()).doubt).toBeNull();
    // Not even where it claims all slots, and later than they do.
    await out.client.call('CLUSTER', 'SET-CONFIG-EPOCH', '1000');
    await out.client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    await seen.refresh({ host: '127.0.0.1', port });
    expect(ids()).toEqual(before);
    expect((await seen.agreement()).doubt).toBeNull();
    await out.client.call('CLUSTER', 'FLUSHSLOTS');
    // Who knows of nothing else has no masters to ask.
    await fresh.get('C', 0).ready();
    await expect(fresh.get('C', 0).eachServer()).rejects.toMatchObject({ kind: 'clusterDown' });
    // It alone is there: what it says is nothing of what there was.
    for (const { i } of others) await cluster.nodes[i]!.kill();
    const { cluster: alone } = last.get('C', 0);
    await expect(alone.refresh()).rejects.toMatchObject({ kind: 'clusterDown' });
    expect(alone.masters.map((master) => master.id)).toEqual(before);
    expect(alone.isKnown).toBe(false);
    await expect(alone.agreement()).rejects.toMatchObject({ asks: 'retry' });
  } finally {
    left.close();
    fresh.close();
    last.close();
  }
});
