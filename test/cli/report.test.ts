import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { FindingReport } from '../../src/api/documents';
import type { MigrationReport } from '../../src/migration/report';
import { startTestServer, type TestServer } from '../tools/test-server';
import { buildCommand, CommandFolder } from './support/command';
import { expectHarmless, HOSTILE } from './support/hostile';

const names = [...HOSTILE.map((name) => Buffer.from(name)), Buffer.from([0xff, 0x3a, 0x00])];

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
beforeEach(async () => {
  await Promise.all([old, fresh].map(({ client }) => client.flushall()));
  for (const name of names) await old.client.set(name, 'value');
});

function run(command: string, ...more: string[]) {
  return here.run([command, '--source', old.server.url, '--target', fresh.server.url, ...more]);
}

function read(name: string): string {
  return readFileSync(path.join(here.folder, name), 'utf8');
}

test('the page of a comparison has its numbers and every finding', async () => {
  const { code, stderr } = await run('compare', '--report', 'compared.html');
  expect([code, stderr]).toEqual([1, expect.stringContaining('Report: ')]);
  expect(statSync(path.join(here.folder, 'compared.html')).mode & 0o077).toBe(0);
  const page = read('compared.html');
  expectHarmless(page);
  expect(page).toContain('10 DIFFERENCES: 10 missing, 0 different, 0 extra');
  expect(page.match(/<td>missing<\/td>/g)).toHaveLength(10);
  expect(page.match(/<svg/g)).toHaveLength(1);
});

test('as JSON a sync and a comparison write the document that they print, with the findings as its details', async () => {
  const sync = await run('sync', '--json', '--report', 'sync.json');
  expect(sync.code).toBe(0);
  expect(JSON.parse(read('sync.json'))).toEqual({ ...(JSON.parse(sync.stdout) as object), details: [] });

  await fresh.client.set('<script>alert(1)</script>', 'other');
  const compare = await run('compare', '--json', '--report', 'compared.json');
  expect(compare.code).toBe(1);
  const { details, ...document } = JSON.parse(read('compared.json')) as MigrationReport & {
    details: FindingReport[];
  };
  expect(document).toEqual(JSON.parse(compare.stdout));
  expect(document).toMatchObject({ mode: 'compare', findings: 1, counts: { same: 9, different: 1 } });
  expect(details).toMatchObject([{ key: '<script>alert(1)</script>', code: 'different-value' }]);
});

test('of a copy too; a file that cannot be written is told, and nothing of the copy is lost', async () => {
  expect(await run('migrate', '--report', 'copy.html')).toMatchObject({ code: 0 });
  expect(read('copy.html')).toContain('is complete: 10 keys accounted for');
  const { code, stderr } = await run('migrate', '--report', 'no/such/folder.json');
  expect([code, stderr]).toEqual([3, expect.stringContaining('The report cannot be written to ')]);
  expect(await fresh.client.dbsize()).toBe(10);
});

test('of a migration that has ended already too', async () => {
  const { stderr } = await run('compare');
  const id = /(?:Migration|Comparison) (\S+): /.exec(stderr)?.[1] ?? '';
  const ended = await here.run(['resume', id, '--report', 'ended.html']);
  expect(ended).toMatchObject({ code: 1, stderr: expect.stringContaining('Report: ') as unknown });
  expect(read('ended.html')).toContain('10 DIFFERENCES: 10 missing');

  const dry = await run('dry-run', '--json');
  const { id: of } = JSON.parse(dry.stdout) as { id: string };
  expect(await here.run(['resume', of, '--report', 'dry.json'])).toMatchObject({ code: dry.code });
  expect(JSON.parse(read('dry.json'))).toEqual((JSON.parse(dry.stdout) as { report: unknown }).report);
});

test('another kind of file, or none to wait for, is refused before anything is done', async () => {
  expect(await run('compare', '--report', 'x.pdf')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('.html or .json') as unknown,
  });
  expect(await run('sync', '--report', 'x.json', '--no-wait', '--endpoint', 'http://127.0.0.1:1')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('leave --no-wait out') as unknown,
  });
});
