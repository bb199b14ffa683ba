import { RedisConnection } from '../../src/redis/connection';
import { readConnectionSettings } from '../../src/redis/connection-settings';
import { Connections } from '../../src/redis/connections';
import { keysIn, keysInAll } from '../../src/redis/database-keys';
import { readServerFacts, type ServerFacts } from '../../src/redis/probe';
import { startServiceProxy, type Hidden } from '../tools/service-proxy';
import type { Proxy } from '../../local/servers/proxy';
import { startTestServer, type TestServer } from '../tools/test-server';

let server: TestServer;
const ends: (() => unknown)[] = [];

beforeAll(async () => {
  server = await startTestServer('redis-7.0');
  await server.client.mset('a', '1', 'b', '2', 'c', '3');
  await server.client.multi().select(5).set('d', '1').select(0).exec();
});
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});
afterAll(() => server.close());

async function factsOf(url: string, own: 'own connection' | 'none' = 'own connection'): Promise<ServerFacts> {
  const connection = new RedisConnection(readConnectionSettings('IT', { REDIS_IT: url }), 0, 'keyferry-test');
  const connections = new Connections({ REDIS_IT: url }, 'keyferry-test');
  ends.push(
    () => {
      connection.close();
    },
    () => {
      connections.close();
    },
  );
  await connection.ready();
  const facts = await readServerFacts(
    connection,
    own === 'none' ? undefined : (call) => connections.withOwn('IT', call),
  );
  // Where the connection that is shared was, it is.
  expect(await connection.call('GET', 'a').catch((error: unknown) => String(error))).toEqual(Buffer.from('1'));
  return facts;
}

async function behind(hidden: Hidden): Promise<string> {
  const proxy: Proxy = await startServiceProxy(server.server.port, hidden);
  ends.push(() => proxy.close());
  return proxy.url;
}

const KEYSPACE = { sections: ['keyspace'] };

it('are read from INFO; where there are none, there are none', async () => {
  const facts = await factsOf(server.server.url);
  expect(facts.databases).toMatchObject([
    { database: 0, keys: 3 },
    { database: 5, keys: 1 },
  ]);
  expect(facts.moreDatabases).toBeUndefined();
  expect([keysIn(facts, 5), keysIn(facts, 1), keysInAll(facts, [0, 1, 5])]).toEqual([1, 0, 4]);
  expect(keysIn({ ...facts, loading: true }, 0)).toBeUndefined();
});

it.each<[string, Hidden]>([
  ['by INFO keyspace', { ...KEYSPACE, keyspaceApart: true }],
  ['by SELECT and DBSIZE', KEYSPACE],
  ['by SELECT and DBSIZE where the head of the section has nothing below', { fields: ['db0', 'db5'] }],
])('are asked for %s where plain INFO hides them', async (_, hidden) => {
  const facts = await factsOf(await behind(hidden));
  expect(facts.databases.map(({ database, keys }) => [database, keys])).toEqual([
    [0, 3],
    [5, 1],
  ]);
  expect(facts.moreDatabases).toBeUndefined();
});

it('are all there, with unknown numbers of keys, where DBSIZE is refused too', async () => {
  const facts = await factsOf(await behind({ ...KEYSPACE, commands: ['dbsize'] }));
  expect(facts.databases).toHaveLength(16);
  expect(facts.moreDatabases).toBeUndefined();
  expect([keysIn(facts, 0), keysIn(facts, 5), keysIn(facts, 16)]).toEqual([undefined, undefined, 0]);
  expect(keysInAll(facts, [0, 5])).toBeUndefined();
});

it('are unknown but for the first where SELECT is refused too', async () => {
  const facts = await factsOf(await behind({ ...KEYSPACE, commands: ['select'] }));
  expect(facts).toMatchObject({ databases: [{ database: 0, keys: 3 }], moreDatabases: true });
  expect([keysIn(facts, 0), keysIn(facts, 5)]).toEqual([3, undefined]);
});

it('are unknown but for the first without a connection of their own', async () => {
  const facts = await factsOf(await behind(KEYSPACE), 'none');
  expect(facts).toMatchObject({ databases: [{ database: 0, keys: 3 }], moreDatabases: true });
});

it('are no more than 1,024 that are tried', async () => {
  const many = await startTestServer('redis-6.0', { args: ['--databases', '2000'] });
  ends.push(() => many.close());
  await many.client.multi().set('a', '1').select(1_023).set('x', '1').select(1_500).set('y', '1').exec();
  const proxy = await startServiceProxy(many.server.port, KEYSPACE);
  ends.push(() => proxy.close());
  const facts = await factsOf(proxy.url);
  expect([keysIn(facts, 0), keysIn(facts, 1), keysIn(facts, 1_023), keysIn(facts, 1_500)]).toEqual([
    1,
    0,
    1,
    undefined,
  ]);
  expect(facts.moreDatabases).toBe(true);
});

it('and other numbers are unknown where a server hides them, and not 0', async () => {
  const facts = await factsOf(
    await behind({
      sections: ['commandstats', 'persistence', 'replication'],
      fields: ['run_id', 'evicted_keys', 'maxmemory', 'used_memory', 'expired_keys'],
    }),
  );
  expect(facts).toMatchObject({ runId: '', role: 'unknown', loading: false, databases: [{ keys: 3 }, { keys: 1 }] });
  for (const untold of [
    'evictedKeys',
    'maxMemory',
    'usedMemory',
    'expiredKeys',
    'changes',
    'lastSave',
    'replicationId',
    'commandCalls',
  ] as const) {
    expect([untold, facts[untold]]).toEqual([untold, undefined]);
  }
});

it('are unknown where rights are missing', async () => {
  await server.client
    .acl('SETUSER', 'poor', 'on', '>pw', '~*', '+@all', '-dbsize', '-info|commandstats')
    .catch(async () => {
      await server.client.acl('SETUSER', 'poor', 'on', '>pw', '~*', '+@all', '-dbsize');
    });
  const { port } = server.server;
  const facts = await factsOf(`redis://poor:pw@127.0.0.1:${port}`);
  expect([keysIn(facts, 0), keysIn(facts, 5)]).toEqual([3, 1]);
  const url = (await behind(KEYSPACE)).replace('redis://', 'redis://poor:pw@');
  const hidden = await factsOf(url);
  expect([hidden.databases.length, keysIn(hidden, 0)]).toEqual([16, undefined]);
});
