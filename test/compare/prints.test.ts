import { commandWindows, spelled } from '../../src/compare/command-windows';
import { scriptWindows } from '../../src/compare/script-windows';
import { valuePrints } from '../../src/compare/value-prints';
import { fillFieldExpiries, fillOdd } from '../e2e/support/fill-odd';
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
      return [await valuePrints(scriptWindows(port), keys), await valuePrints(commandWindows(port), keys)];
    }),
  );
  const [first, ...others] = all.flat();
  for (const other of others) expect(other).toEqual(first);
  expect(new Set(first!.map(({ print }) => print)).size).toBeGreaterThan(60);
});

it('count the fields of a hash that expire by themselves', async () => {
  const server = servers[1]!;
  await server.client.flushall();
  await fillFieldExpiries(server);
  const port = await server.connect();
  const keys = ['fields:and-key', 'fields:large', 'fields:small'].map((key) => Buffer.from(key));
  for (const windows of [scriptWindows(port), commandWindows(port)]) {
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
