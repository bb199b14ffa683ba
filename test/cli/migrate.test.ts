import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { MigrationReport } from '../../src/migration/report';
import { startTestServer, type TestServer } from '../tools/test-server';
import { buildCommand, CommandFolder, root, type Ended } from './support/command';

const PASSWORD = 'se%cret,7=x';
/** What Redis 8.0 says of the whole snapshot when it has loaded the file itself. */
const DIGEST_ON_8 = 'd879337160594160179d0c4e4035be985356e9e1';

let here: CommandFolder;
let snapshot: string;
let old: TestServer;
let fresh: TestServer;
let locked: TestServer;

beforeAll(async () => {
  await buildCommand();
  here = new CommandFolder();
  snapshot = mkdtempSync(path.join(tmpdir(), 'keyferry-cli-snapshot-'));
  copyFileSync(path.join(root, 'test/fixtures/redis-4.0.14.rdb'), path.join(snapshot, 'dump.rdb'));
  [old, fresh, locked] = await Promise.all([
    startTestServer('redis-6.0', { dataFolder: snapshot, rdb: 'dump.rdb' }),
    startTestServer('redis-8.0', { args: ['--enable-debug-command', 'yes'] }),
    startTestServer('redis-8.0', { password: PASSWORD }),
  ]);
});
afterAll(async () => {
  await Promise.all([old, fresh, locked].map((server) => server.close()));
  here.remove();
  rmSync(snapshot, { recursive: true, force: true });
});

function from(source: string, target: string, ...more: string[]): string[] {
  return ['migrate', '--source', source, '--target', target, ...more];
}

function reportIn({ stdout }: Ended): MigrationReport {
  return JSON.parse(stdout) as MigrationReport;
}

test('the snapshot of a Redis 4 arrives as it was: JSON on standard output, exit code 0', async () => {
  const ended = await here.run(from(old.server.url, fresh.server.url, '--json'));
  expect(ended.stderr).toMatch(/^Migration \S+: CLI_SOURCE \(127\.0\.0\.1:\d+\) → CLI_TARGET/m);
  expect(ended.code).toBe(0);
  const report = reportIn(ended);
  expect(report).toMatchObject({ state: 'completed', findings: 0, tally: { accountedKeys: 18_270, missing: 0 } });
  expect(await fresh.client.call('DEBUG', 'DIGEST')).toBe(DIGEST_ON_8);

  const again = await here.run(['status', report.id, '--json']);
  expect(reportIn(again)).toEqual(report);
  const list = await here.run(['list']);
  expect(list.stdout).toContain(report.id);
  expect((await here.run(['cancel', report.id])).stderr).toMatch(/had ended before: completed/);
  expect((await here.run(['findings', report.id, '--json'])).stdout).toBe('{\n  "findings": []\n}\n');
});

test('a proxy in the environment is not asked for what goes to this machine', async () => {
  const nowhere = 'http://127.0.0.1:1';
  const ended = await here.run(from(old.server.url, fresh.server.url, '--databases', '5=9', '--json'), {
    HTTP_PROXY: nowhere,
    https_proxy: nowhere,
    ALL_PROXY: nowhere,
  });
  expect(ended.code).toBe(0);
  expect(reportIn(ended)).toMatchObject({ state: 'completed', counts: { copied: 300 } });
});

test('without --json the accounting is a table; a setting can be named; selection and databases are passed on', async () => {
  const { code, stdout } = await here.run(
    from('OLD', 'NEW', '--databases', '1=7', '--exclude', 'nothing*', 'none*', '--types', 'string,hash'),
    { REDIS_OLD: `127.0.0.1:${old.server.port},ssl=False,abortConnect=False`, REDIS_NEW: fresh.server.url },
  );
  expect(code).toBe(0);
  expect(stdout).toMatch(/is complete: 700 keys accounted for, none failed/);
  expect(stdout).toMatch(/│ connection +│ OLD \(127\.0\.0\.1:\d+\) +│ NEW/);
  expect(stdout).toMatch(/│ accounted for +│ +700 │/);
});

test('what could not be carried over is told: exit code 1, the findings, and how to see them all', async () => {
  await fresh.client.select(15);
  await fresh.client.flushdb();
  await fresh.client.hset('sess\u001b[31mion', 'field', 'value');
  await fresh.client.call('HPEXPIRE', 'sess\u001b[31mion', '100000000', 'FIELDS', '1', 'field');
  const ended = await here.run(from(fresh.server.url, old.server.url, '--databases', '15=14'));
  expect(ended.stdout).toMatch(/WITH DIFFERENCES/);
  expect(ended.code).toBe(1);
  // A key's name must not be able to steer the terminal.
  expect(ended.stdout).toContain('sess\\u001b[31mion');
  const [, id = ''] = /Migration (\S+) is complete/.exec(ended.stdout) ?? [];
  const findings = await here.run(['findings', id, '--json']);
  expect(JSON.parse(findings.stdout)).toMatchObject({ findings: [{ database: 15, encoding: 'utf8' }] });
  expect((await here.run(['status', id])).code).toBe(1);
});

test('a password is nowhere: not in any output, not in the data folder', async () => {
  const encoded = encodeURIComponent(PASSWORD);
  const given = `redis://:${encoded}@127.0.0.1:${locked.server.port}`;
  await locked.client.flushall();
  const byName = await here.run(from(fresh.server.url, 'LOCKED', '--databases', '0', '--verbose'), {
    REDIS_LOCKED: given,
  });
  const byAddress = await here.run(from(fresh.server.url, given, '--databases', '0', '--json', '--verbose'));
  const wrong = await here.run(from(fresh.server.url, given.replace('x@', 'y@'), '--json'));
  expect([byName.code, byAddress.code, wrong.code]).toEqual([0, 0, 3]);
  expect(wrong.stderr).toMatch(/"CLI_TARGET": the server refuses the user name or password/);
  expect(wrong.stdout).toBe('');
  const seen = [byName, byAddress, wrong].flatMap(({ stdout, stderr }) => [stdout, stderr]);
  for (const text of [...seen, ...filesIn(here.folder)]) {
    for (const secret of [PASSWORD, encoded]) expect(text).not.toContain(secret);
  }
});

test('what cannot be done ends with 3 and words, and leaves no folder behind', async () => {
  const before = runs();
  const nowhere = await here.run(from('redis://127.0.0.1:1', fresh.server.url));
  expect(nowhere).toMatchObject({ code: 3, stdout: '' });
  expect(nowhere.stderr).toMatch(/"CLI_SOURCE": nothing listens there/);
  const same = await here.run(from(fresh.server.url, fresh.server.url));
  expect(same.code).toBe(3);
  expect(same.stderr).toMatch(/lead to the same Redis server/);
  const filled = await here.run(from(old.server.url, fresh.server.url, '--on-conflict', 'fail'));
  expect(filled.code).toBe(3);
  expect(filled.stderr).toMatch(/onConflict is "fail" and the target "CLI_TARGET" has/);
  expect(runs()).toEqual(before);
});

test('the same request id gives the same migration, and not one between other servers', async () => {
  const ask = from(old.server.url, fresh.server.url, '--databases', '5', '--request-id', 'once', '--json');
  const first = reportIn(await here.run(ask));
  const second = reportIn(await here.run(ask));
  expect(second).toEqual(first);
  const other = await here.run(ask.with(2, 'redis://127.0.0.1:1'));
  expect(other.code).toBe(2);
  expect(other.stderr).toMatch(/--source: this migration was started with/);
});

function runs(): string[] {
  return readdirSync(path.join(here.folder, '.keyferry', 'runs')).sort();
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(folder, name))
    .filter((file) => statSync(file).isFile())
    .map((file) => readFileSync(file, 'latin1'));
}
