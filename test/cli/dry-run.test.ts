import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { MigrationReport } from '../../src/migration/report';
import type { SurveyReport } from '../../src/survey/survey-report';
import { startTestServer, type TestServer } from '../tools/test-server';
import { buildCommand, CommandFolder } from './support/command';

const MINUTES = 180_000;
/** Names that would be HTML, SVG, a template, or orders to a terminal. */
const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(2)>:a',
  '"><img src=x onerror=alert(2)>:b',
  '</text></svg><iframe src=x>',
  '</style><h1>:1',
  '</style><h1>:2',
  '{b|rich}&lt;b&gt;',
  'red\u001b[31m\nnext line',
  '\u202Egnp.exe',
];

let here: CommandFolder;
let old: TestServer;
let fresh: TestServer;

beforeAll(async () => {
  await buildCommand();
  here = new CommandFolder();
  [old, fresh] = await Promise.all([startTestServer('redis-6.0'), startTestServer('redis-8.0')]);
  for (const key of HOSTILE) await old.client.set(key, 'x'.repeat(50_000));
  await old.client.set(Buffer.from([0xff, 0x3a, 0x00]), 'x'.repeat(50_000));
}, MINUTES);
afterAll(async () => {
  await Promise.all([old, fresh].map((server) => server.close()));
  here.remove();
});

function dryRun(...more: string[]) {
  return here.run(['dry-run', '--source', old.server.url, '--target', fresh.server.url, ...more]);
}

test(
  'the page shows hostile names and becomes none of them; it needs nothing from anywhere',
  async () => {
    const { code, stdout, stderr } = await dryRun('--report', 'report.html');
    expect([code, stderr]).toEqual([0, expect.stringContaining('Report: ')]);
    const file = path.join(here.folder, 'report.html');
    expect(statSync(file).mode & 0o077).toBe(0);
    const page = readFileSync(file, 'utf8');
    const elements = new Set([...page.matchAll(/<([a-zA-Z][\w-]*)/g)].map(([, name]) => name));
    for (const name of ['script', 'img', 'iframe', 'link', 'object', 'a']) expect(elements).not.toContain(name);
    expect(page.match(/<h1/g)).toHaveLength(1);
    expect(page.match(/<\/style>/g)).toHaveLength(page.match(/<style/g)?.length ?? 0);
    expect(page).not.toMatch(/<[a-z][^>]*\s(?:on\w+|src|href|xlink:href)=/i);
    expect(page).toContain("default-src 'none'");
    for (const shown of [
      '&lt;script&gt;alert(1)&lt;/script&gt;',
      '\\xff:\\x00',
      'red\\u001b[31m\\u000anext line',
      '\\u202egnp.exe',
    ]) {
      expect(page).toContain(shown);
    }
    expect(page.match(/<svg/g)?.length).toBeGreaterThanOrEqual(5);
    // And none of them is an order to the terminal.
    // eslint-disable-next-line no-control-regex
    expect(stdout).not.toMatch(/\u001b|\u202e/);
    expect(stdout).toContain('red\\u001b[31m\\u000anext line');
    expect(await fresh.client.dbsize()).toBe(0);
  },
  MINUTES,
);

test(
  'as JSON: the document with the report in it, and the same in a file',
  async () => {
    const { code, stdout } = await dryRun('--json', '--report', 'report.json', '--match', '*style*');
    expect(code).toBe(0);
    const { report, ...migration } = JSON.parse(stdout) as MigrationReport & { report: SurveyReport };
    expect(migration).toMatchObject({ mode: 'dry-run', state: 'completed', findings: 0, counts: { copied: 2 } });
    expect(report.total.keys).toBe(2);
    expect(JSON.parse(readFileSync(path.join(here.folder, 'report.json'), 'utf8'))).toEqual(report);
  },
  MINUTES,
);

test('another kind of file is refused before anything is done', async () => {
  const { code, stderr } = await dryRun('--report', 'report.pdf');
  expect(code).toBe(2);
  expect(stderr).toContain('.html or .json');
});
