import type { MigrationReport } from '../../src/migration/report';
import { startTestServer, type TestServer } from '../tools/test-server';
import { buildCommand, CommandFolder } from './support/command';

let here: CommandFolder;
let old: TestServer;
let fresh: TestServer;

beforeAll(async () => {
  await buildCommand();
  here = new CommandFolder();
  [old, fresh] = await Promise.all([startTestServer('redis-6.0'), startTestServer('redis-8.0')]);
});
afterAll(async () => {
  await Promise.all([old, fresh].map((server) => server.close()));
  here.remove();
});

test('compare tells differences by its exit code, sync takes them away', async () => {
  await old.client.mset({ a: '1', b: '2', c: '3', d: '4' });
  await fresh.client.mset({ a: '1', b: 'other', extra: 'x' });
  const sides = ['--source', old.server.url, '--target', fresh.server.url];
  const compared = await here.run(['compare', ...sides, '--json']);
  expect(compared.code).toBe(1);
  expect(JSON.parse(compared.stdout) as MigrationReport).toMatchObject({
    mode: 'compare',
    state: 'completedWithDifferences',
    findings: 4,
    counts: { same: 1, different: 1, extra: 1 },
    tally: { missing: 2 },
  });

  const synced = await here.run(['sync', '--delete-extra', ...sides]);
  expect(synced.stdout).toMatch(/deleted from the target +│ +1 /);
  expect(synced.code).toBe(0);
  expect((await fresh.client.keys('*')).sort()).toEqual(['a', 'b', 'c', 'd']);

  const again = await here.run(['compare', '--quick', ...sides]);
  expect(again.stdout).toMatch(/both sides are the same, 4 keys compared/);
  expect(again.code).toBe(0);
});

test('sync deletes nothing for an empty source: exit code 3', async () => {
  await old.client.flushall();
  const refused = await here.run(['sync', '--delete-extra', '--source', old.server.url, '--target', fresh.server.url]);
  expect(refused.stderr).toMatch(/source is empty/);
  expect(refused.code).toBe(3);
  expect(await fresh.client.dbsize()).toBe(4);
});

test('what does not go together is told in the words of the command line', async () => {
  const wrong = await here.run(['sync', '--source', old.server.url, '--target', fresh.server.url, '--force']);
  expect(wrong.stderr).toMatch(/--force: belongs to deleteExtra/);
  expect(wrong.code).toBe(2);
});
