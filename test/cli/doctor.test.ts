import type { Redis } from 'ioredis';
import type { Diagnosis } from '../../src/start/diagnosis';
import { startTestCluster, type TestCluster } from '../tools/test-cluster';
import { startTestServer, type TestServer } from '../tools/test-server';
import { buildCommand, CommandFolder } from './support/command';

let here: CommandFolder;
let alone: TestServer;
let cluster: TestCluster;

beforeAll(async () => {
  await buildCommand();
  here = new CommandFolder();
  [alone, cluster] = await Promise.all([startTestServer('redis-6.0'), startTestCluster('redis-7.0')]);
  for (let i = 0; i < 500; i++) await alone.client.set(`key:${i}`, 'x');
  await alone.client.hset('hash', 'a', '1');
  await cluster.clients[0]!.set('{06S}', 'a key of the first node');
});
afterAll(async () => {
  await Promise.all([alone.close(), cluster.close()]);
  here.remove();
});

const doctor = (source: string, target: string, ...more: string[]) =>
  here.run(['doctor', '--source', source, '--target', target, ...more]);

async function diagnosed(source: string, target: string, ...more: string[]) {
  const { code, stdout } = await doctor(source, target, '--json', ...more);
  return { code, found: JSON.parse(stdout) as Diagnosis };
}

const says = ({ uses }: Diagnosis, side: string | undefined, about: string) =>
  uses.filter((used) => used.side === side && used.about === about).map((used) => used.says);

/** Changes since the start, of each; and the commands that were carried out. */
async function written(clients: readonly Redis[]) {
  return await Promise.all(
    clients.map(async (client) => {
      const info = await client.info('persistence');
      return [await client.dbsize(), /rdb_changes_since_last_save:(\d+)/.exec(info)?.[1]];
    }),
  );
}

test('tells what will be used of a server and of a cluster, both ways, and writes nothing', async () => {
  const all = [alone.client, ...cluster.clients];
  const before = await written(all);
  const into = await diagnosed(alone.server.url, cluster.server.url);
  expect(into).toMatchObject({ code: 0, found: { possible: true, missing: [] } });
  expect(says(into.found, 'source', 'server')).toEqual(['Redis 6.0.16, one server.']);
  expect(says(into.found, 'source', 'databases')).toEqual(['Keys by database: 501 in 0.']);
  expect(says(into.found, 'source', 'reading').join()).toMatch(/cursors can be divided; 1 range, the size/);
  expect(says(into.found, 'source', 'changes').join()).toMatch(/CLIENT TRACKING/);
  expect(says(into.found, 'target', 'nodes')).toEqual(
    cluster.nodes.map(({ port }) => expect.stringContaining(`127.0.0.1:${port} has 5,46`) as string),
  );
  expect(says(into.found, 'target', 'writing').join()).toMatch(/source writes version 9, the target takes 6 to 10/);
  expect(says(into.found, 'target', 'clients').join()).toMatch(/takes \d,\d{3} more clients/);
  expect(says(into.found, undefined, 'clocks').join()).toMatch(/ms (ahead of|behind) the source's, known to/);
  expect(into.found.untried.join()).toMatch(/not whether the target takes writes/);

  const out = await diagnosed(cluster.server.url, alone.server.url);
  expect(out).toMatchObject({ code: 0, found: { possible: true } });
  expect(says(out.found, 'source', 'reading').join()).toMatch(/^Slot by slot/);
  // What the target's users are told of newer payloads.
  expect(says(out.found, 'target', 'writing').join()).toMatch(/source writes version 10, the target takes 6 to 9/);
  expect(await written(all)).toEqual(before);
});

test('names each right that is missing, on either side, and what to do; other modes by themselves', async () => {
  await alone.client.call('ACL', 'SETUSER', 'reader', 'on', '>pw', '~*', '+@all', '-scan', '-eval', '-llen');
  const reader = `redis://reader:pw@127.0.0.1:${alone.server.port}`;
  const { code, found } = await diagnosed(reader, cluster.server.url);
  expect(code).toBe(1);
  expect(found.possible).toBe(false);
  expect(found.missing[0]).toMatchObject({
    side: 'source',
    code: 'rightsMissing',
    message: expect.stringMatching(/may not run SCAN; allow it \(ACL SETUSER … \+scan\)/) as string,
  });
  expect(JSON.stringify(found)).not.toContain(':pw@');

  await alone.client.call('ACL', 'SETUSER', 'reader', '+scan');
  const other = await diagnosed(reader, cluster.server.url);
  expect(other).toMatchObject({ code: 0, found: { possible: true, missing: [] } });
  expect(says(other.found, 'source', 'scripts').join()).toMatch(/No Lua scripts/);
  expect(other.found.warnings.join()).toMatch(/may not run EVAL: its keys are read by single commands/);
  const inCompare = other.found.otherModes.find(({ mode }) => mode === 'compare');
  expect(inCompare?.missing).toMatchObject([{ side: 'source', message: expect.stringContaining('LLEN') as string }]);
});

test('a side that cannot be reached is told, and what the other one is; one server is no two sides', async () => {
  const { code, stdout } = await doctor('redis://127.0.0.1:1', alone.server.url);
  expect(code).toBe(1);
  expect(stdout).toMatch(/target {2}server {6}Redis 6\.0\.16, one server/);
  expect(stdout).toMatch(/Missing:\n {2}- source: .*nothing listens there[^]*A copy cannot begin yet/);
  const same = await diagnosed(alone.server.url, alone.server.url);
  expect(same).toMatchObject({ code: 1, found: { missing: [{ code: 'sameServer' }] } });
  const wrong = await doctor(alone.server.url, cluster.server.url, '--databases', 'x');
  expect([wrong.code, wrong.stdout]).toEqual([2, '']);
});

test('a node that is not reached is named, and where to say where it is', async () => {
  const [, second] = cluster.nodes;
  const env = { REDIS_NEW: cluster.server.url, REDIS_NEW__nodes: `*:${second?.port}=*:1` };
  const { code, stdout } = await here.run(['doctor', '--source', alone.server.url, '--target', 'NEW', '--json'], env);
  const { missing, uses } = JSON.parse(stdout) as Diagnosis;
  expect(code).toBe(1);
  expect(missing).toMatchObject([{ side: 'target', code: 'nodeUnreachable' }]);
  expect(missing[0]?.message).toMatch(
    new RegExp(`^Its node 127\\.0\\.0\\.1:${second?.port} cannot be reached from here\\. .*__nodes`),
  );
  expect(uses.map(({ side }) => side)).not.toContain('target');
});
