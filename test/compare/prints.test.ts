import { fieldExpiries } from '../../src/compare/field-expiries';
import { keyFacts } from '../../src/compare/key-facts';
import { knownValue } from '../../src/compare/known-value';
import { commandWindows, spelled } from '../../src/compare/command-windows';
import { scriptWindows, scriptWindowsByKey, scriptWindowsByNode } from '../../src/compare/script-windows';
import { valuePrints } from '../../src/compare/value-prints';
import { hashSlot } from '../../src/keyspace/hash-slot';
import { Connections } from '../../src/redis/connections';
import { fillFieldExpiries, fillOdd } from '../e2e/support/fill-odd';
import { startTestCluster } from '../tools/test-cluster';
import { startTestServer, type TestServer } from '../tools/test-server';

let servers: TestServer[];

beforeAll(async () => {
  servers = await Promise.all((['redis-6.0', 'redis-8.0', 'valkey-8.1'] as const).map((name) => startTestServer(name)));
});
afterAll(() => Promise.all(servers.map((server) => server.close())));

it('are the same on every server and in every encoding, and by script and by commands', async () => {
  const all = await Promise.all(
    servers.map(async (server) => {
      const { client } = server;
      await client.flushall();
      await fillOdd(server);
      // What 6.0 does not have.
      await client.xgroup('DELCONSUMER', 'stream:groups', 'from-start', 'idle');
      const keys = (await client.keysBuffer('*')).sort(Buffer.compare);
      const port = await server.connect();
      return [await valuePrints(scriptWindows(port), keys), await valuePrints(commandWindows({ port }), keys)];
    }),
  );
  const [first, ...others] = all.flat();
  for (const other of others) expect(other).toEqual(first);
  expect(new Set(first!.map(({ print }) => print)).size).toBeGreaterThan(60);
});

it('are the same in a cluster: by node, key by key, and by commands', async () => {
  const [server] = servers;
  await server!.client.flushall();
  await fillOdd(server!);
  const keys = await server!.client.keysBuffer('*');
  const expected = await valuePrints(scriptWindows(await server!.connect()), keys);
  const cluster = await startTestCluster('redis-6.0', { masters: 2 });
  const connections = new Connections({ REDIS_CLUSTER: cluster.server.url }, 'keyferry-test-prints');
  try {
    const port = connections.get('CLUSTER', 0);
    await port.ready();
    const payloads = await Promise.all(keys.map((key) => server!.client.dumpBuffer(key)));
    await port.pipeline(keys.map((key, i) => ['RESTORE', key, '0', payloads[i]!]));
    const never = () => Promise.reject(new Error('Asked for by another way.'));
    const byKey = scriptWindowsByKey(port, never);
    for (const windows of [scriptWindowsByNode(port, never), byKey, commandWindows({ port })]) {
      expect(await valuePrints(windows, keys)).toEqual(expected);
    }
    // Of a slot that is on its way a node has not all keys for itself.
    const [first, second] = cluster.clients;
    const [key] = keys;
    const slot = hashSlot(key!);
    const owns = (await first!.call('EXISTS', key!).catch(() => 0)) === 1;
    const [from, to] = owns ? [first!, second!] : [second!, first!];
    await to.cluster('SETSLOT', slot, 'IMPORTING', await from.cluster('MYID'));
    await from.cluster('SETSLOT', slot, 'MIGRATING', await to.cluster('MYID'));
    await from.call('MIGRATE', '127.0.0.1', String(to.options.port), key!, '0', '5000');
    expect(await valuePrints(scriptWindowsByNode(port, byKey), keys)).toEqual(expected);
  } finally {
    connections.close();
    await cluster.close();
  }
});

it('are the same of a payload as of the key that it is of, whatever the server and the encoding', async () => {
  for (const server of servers) {
    const { client } = server;
    await client.flushall();
    await fillOdd(server);
    await fillEdges(server);
    const keys = await client.keysBuffer('*');
    const port = await server.connect();
    const prints = await valuePrints(scriptWindows(port), keys);
    const facts = await keyFacts({ port, scripts: false }, keys);
    await client.pexpire(keys[0]!, 3_600_000);
    await client.pexpireat(keys[1]!, 4_102_444_800_123);
    const names = [...keys, Buffer.from('of no key'), Buffer.alloc(0)];
    const [byScript, byCommands] = [
      await keyFacts({ port, scripts: true }, names),
      await keyFacts({ port, scripts: false }, names),
    ];
    for (const told of [byScript, byCommands]) {
      expect(Math.abs(told[1]!.expiry - 4_102_444_800_123)).toBeLessThan(50);
      expect(Math.abs(told[0]!.expiry - byCommands[0]!.expiry)).toBeLessThan(50);
    }
    const unexpiring = (told: typeof byScript) => told.map((fact) => fact && { ...fact, expiry: fact.expiry > 0 });
    expect(unexpiring(byScript)).toEqual(unexpiring(byCommands));
    await Promise.all([client.persist(keys[0]!), client.persist(keys[1]!)]);
    for (const [i, key] of keys.entries()) {
      const known = knownValue(await client.dumpBuffer(key), facts[i]!.expiry, Date.now);
      expect([key.toString('latin1'), known.print()]).toEqual([key.toString('latin1'), prints[i]]);
      expect(known.facts()).toEqual(facts[i]);
    }
  }
});

it('of hashes whose fields expire are those of the fields that are alive', async () => {
  const server = servers[1]!;
  await server.client.flushall();
  await fillFieldExpiries(server);
  const port = await server.connect();
  for (const key of await server.client.keysBuffer('*')) {
    const [print] = await valuePrints(scriptWindows(port), [key]);
    const expiries = await fieldExpiries(port, key);
    let now = Date.now();
    const known = knownValue(await server.client.dumpBuffer(key), 0, () => now);
    expect(known.print()).toEqual(print);
    expect(known.fieldExpiries()).toEqual(expiries);
    const all = known.facts()!.length!;
    now = Number.MAX_SAFE_INTEGER;
    expect(known.facts()?.length ?? 0).toBe(all - expiries.size);
    expect(known.print().expiringFields).toBe(0);
  }
});

/** Values as long as a window, and a little shorter and longer. */
async function fillEdges({ client }: TestServer): Promise<void> {
  for (const length of [1, 511, 512, 513, 1_024, 1_025]) {
    const texts = Array.from({ length }, (_, i) => `item ${i}`);
    await client.rpush(`edge:list:${length}`, ...texts);
    await client.sadd(`edge:set:${length}`, ...texts);
    await client.zadd(`edge:zset:${length}`, ...texts.flatMap((text, i) => [i % 7 === 0 ? 1 : i / 3, text]));
    await client.hset(`edge:hash:${length}`, ...texts.flatMap((text) => [text, text]));
    const adds = client.pipeline();
    for (const text of texts) adds.xadd(`edge:stream:${length}`, '*', 'field', text, length % 2 ? 'a' : text, '');
    await adds.exec();
    await client.xgroup('CREATE', `edge:stream:${length}`, 'readers', 0);
    await client.xreadgroup('GROUP', 'readers', 'me', 'COUNT', length, 'STREAMS', `edge:stream:${length}`, '>');
  }
  for (const length of [0, 262_143, 262_144, 262_145, 524_288])
    await client.set(`edge:text:${length}`, 'x'.repeat(length));
}

it('count the fields of a hash that expire by themselves', async () => {
  const server = servers[1]!;
  await server.client.flushall();
  await fillFieldExpiries(server);
  const port = await server.connect();
  const keys = ['fields:and-key', 'fields:large', 'fields:small'].map((key) => Buffer.from(key));
  for (const windows of [scriptWindows(port), commandWindows({ port })]) {
    const prints = await valuePrints(windows, keys);
    expect(prints.map(({ expiringFields }) => expiringFields)).toEqual([1, 500, 4]);
  }
});

it.each([
  [0, '0'],
  [-0, '0'],
  [0.1, '0.10000000000000001'],
  [-1.5, '-1.5'],
  [1e300, '1.0000000000000001e+300'],
  [5e-324, '4.9406564584124654e-324'],
  [123456789012345680, '1.2345678901234568e+17'],
  [12345678901234568, '12345678901234568'],
  [0.0001, '0.0001'],
  [0.00001, '1.0000000000000001e-05'],
  [Infinity, 'inf'],
  [-Infinity, '-inf'],
])('spell the score %d as %s', (score, text) => {
  expect(spelled(score)).toBe(text);
});
