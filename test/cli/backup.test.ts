import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { MigrationReport } from '../../src/migration/report';
import { startTestServer, type TestServer } from '../tools/test-server';
import { buildCommand, CommandFolder, root } from './support/command';

const KEYS = 18_270;
const DIGEST_ON_8 = 'd879337160594160179d0c4e4035be985356e9e1';

let here: CommandFolder;
let folder: string;
let old: TestServer;
let fresh: TestServer;

beforeAll(async () => {
  await buildCommand();
  here = new CommandFolder();
  folder = mkdtempSync(path.join(tmpdir(), 'keyferry-cli-backup-'));
  copyFileSync(path.join(root, 'test/fixtures/redis-4.0.14.rdb'), path.join(folder, 'dump.rdb'));
  [old, fresh] = await Promise.all([
    startTestServer('redis-6.0', { dataFolder: folder, rdb: 'dump.rdb' }),
    startTestServer('redis-8.0', { args: ['--enable-debug-command', 'yes'] }),
  ]);
});
afterAll(async () => {
  await Promise.all([old, fresh].map((server) => server.close()));
  here.remove();
  rmSync(folder, { recursive: true, force: true });
});

test('a backup goes into a file, never over one unasked, and a restore brings it back', async () => {
  const file = path.join(folder, 'out.rdb');
  const backup = ['backup', '--source', old.server.url, '--file', file];

  const made = await here.run([...backup, '--json']);
  expect(made.code).toBe(0);
  expect(made.stderr).toMatch(/^Migration \S+: CLI_SOURCE \(127\.0\.0\.1:\d+\) → \/.*\/out\.rdb$/m);
  expect(JSON.parse(made.stdout) as MigrationReport).toMatchObject({
    state: 'completed',
    counts: { copied: KEYS },
    target: { version: 'RDB 9', keysNow: KEYS },
  });

  const again = await here.run(backup);
  expect([again.code, again.stderr]).toEqual([3, expect.stringContaining('--overwrite')]);

  const looked = await here.run(['restore', '--file', file, '--target', fresh.server.url, '--dry-run']);
  expect([looked.code, looked.stdout]).toEqual([0, expect.stringMatching(/what a copy would do[^]*18,270[^]*user:/)]);
  expect(await fresh.client.dbsize()).toBe(0);
  const page = path.join(folder, 'what.html');
  const alone = await here.run(['restore', '--file', file, '--dry-run', '--report', page]);
  expect([alone.code, alone.stdout]).toEqual([0, expect.stringMatching(/can be restored[^]*18,270[^]*user:/)]);
  expect(alone.stdout).toContain('Nothing was asked of a target');
  expect(alone.stderr).toMatch(/^Migration \S+: \/\S*out\.rdb$/m);
  expect(readFileSync(page, 'utf8')).toContain('What is in it');

  const store = { RDB_BACKUPS: pathToFileURL(folder).href };
  const restored = await here.run(['restore', '--source-rdb', 'BACKUPS/out.rdb', '--target', fresh.server.url], store);
  expect(restored.code).toBe(0);
  expect(restored.stdout).toContain('18,270 keys accounted for, none failed, none missing');
  expect(restored.stdout).toMatch(/│ version\s+│ RDB 9\s+│ 8\./);
  expect(await fresh.client.call('DEBUG', 'DIGEST')).toBe(DIGEST_ON_8);

  const compared = (...args: string[]) => here.run(['compare', '--target', fresh.server.url, ...args], store);
  expect((await compared('--file', file)).code).toBe(0);
  await fresh.client.set('extra', 'x');
  const differs = await compared('--source-rdb', 'BACKUPS/out.rdb', '--quick');
  expect([differs.code, differs.stdout]).toEqual([1, expect.stringMatching(/extra/)]);
  expect((await compared()).stderr).toContain('Give one of --source, --file and --source-rdb.');
});

test('what is wrong with a file is said before anything starts', async () => {
  const { url } = old.server;
  const words = async (...args: string[]) => {
    const { code, stderr } = await here.run(args);
    return [code, stderr.trim().split('\n')[0]];
  };
  expect(await words('backup', '--source', url)).toEqual([2, 'Give either --file or --target-rdb.']);
  expect(await words('backup', '--source', url, '--file', '/nowhere/at/all.rdb')).toEqual([
    2,
    '--file: there is no folder /nowhere/at',
  ]);
  const missing = path.join(folder, 'missing.rdb');
  expect(await words('restore', '--file', missing, '--target', url)).toEqual([
    2,
    `--file: there is no file ${missing}`,
  ]);
  expect((await words('restore', '--source-rdb', 'NONE/x.rdb', '--target', url))[1]).toContain('set RDB_NONE to');
  expect((await words('backup', '--source', 'OLD', '--endpoint', 'https://x.example', '--file', missing))[1]).toContain(
    '--target-rdb NAME/file',
  );
  expect((await words('restore', '--file', missing))[1]).toMatch(/^Give --target: .* or --dry-run/);
  const none = path.join(folder, 'none.rdb');
  writeFileSync(none, 'text');
  expect((await words('restore', '--file', none, '--target', url))[1]).toContain('does not begin as an RDB file does');
  expect(existsSync(missing)).toBe(false);
});
