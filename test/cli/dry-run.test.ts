import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { MigrationReport } from '../../src/migration/report';
import type { SurveyReport } from '../../src/survey/report-schema';
import { startTestServer, type TestServer } from '../tools/test-server';
import { buildCommand, CommandFolder } from './support/command';
import { expectHarmless, HOSTILE } from './support/hostile';

let here: CommandFolder;
let old: TestServer;
let fresh: TestServer;

beforeAll(async () => {
  await buildCommand();
  here = new CommandFolder();
  [old, fresh] = await Promise.all([startTestServer('redis-6.0'), startTestServer('redis-8.0')]);
  for (const key of HOSTILE) await old.client.set(key, 'x'.repeat(50_000));
  await old.client.set(Buffer.from([0xff, 0x3a, 0x00]), 'x'.repeat(50_000));
});
afterAll(async () => {
  await Promise.all([old, fresh].map((server) => server.close()));
  here.remove();
});

function dryRun(...more: string[]) {
  return here.run(['dry-run', '--source', old.server.url, '--target', fresh.server.url, ...more]);
}

test('the page shows hostile names and becomes none of them; it needs nothing from anywhere', async () => {
  const { code, stdout, stderr } = await dryRun('--report', 'report.html');
  expect([code, stderr]).toEqual([0, expect.stringContaining('Report: ')]);
  const file = path.join(here.folder, 'report.html');
  expect(statSync(file).mode & 0o077).toBe(0);
  const page = readFileSync(file, 'utf8');
  expectHarmless(page);
  expect(page.match(/<svg/g)?.length).toBeGreaterThanOrEqual(5);
  // And none of them is an order to the terminal.
  // eslint-disable-next-line no-control-regex
  expect(stdout).not.toMatch(/\u001b|\u202e/);
  expect(stdout).toContain('red\\u001b[31m\\nnext line');
  expect(await fresh.client.dbsize()).toBe(0);
});

test('as JSON: the document with the report in it, and the same in a file', async () => {
  const { code, stdout } = await dryRun('--json', '--report', 'report.json', '--match', '*style*');
  expect(code).toBe(0);
  const { report, ...migration } = JSON.parse(stdout) as MigrationReport & { report: SurveyReport };
  expect(migration).toMatchObject({ mode: 'dry-run', state: 'completed', findings: 0, counts: { copied: 2 } });
  expect(report.total.keys).toBe(2);
  expect(JSON.parse(readFileSync(path.join(here.folder, 'report.json'), 'utf8'))).toEqual(report);
});

test('another kind of file is refused before anything is done', async () => {
  const { code, stderr } = await dryRun('--report', 'report.pdf');
  expect(code).toBe(2);
  expect(stderr).toContain('.html or .json');
});
