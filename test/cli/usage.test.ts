import { spawnSync } from 'node:child_process';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildCommand, CommandFolder, root } from './support/command';

let here: CommandFolder;
beforeAll(async () => {
  await buildCommand();
  here = new CommandFolder();
});
afterAll(() => {
  here.remove();
});

const both = ['--source', 'redis://127.0.0.1:1', '--target', 'redis://127.0.0.1:2'];

describe('wrong usage ends with 2, says why, and leaves standard output alone', () => {
  test.each<[string[], RegExp]>([
    [[], /Usage: keyferry/],
    [['emigrate'], /unknown command 'emigrate'/],
    [['migrate'], /required option '--source/],
    [['migrate', ...both, '--nonsense'], /unknown option '--nonsense'/],
    [['migrate', ...both, '--databases', '0,x'], /"x" is not a database number/],
    [['migrate', ...both, '--rename', 'a'], /regular expression and what replaces/],
    [['migrate', ...both, '--keys-per-second', '-1'], /Not a whole number/],
    [['migrate', ...both, '--max-source-latency', '1,5'], /Not a number such as 2 or 0\.5/],
    [['migrate', ...both, '--types', 'blob', '--on-conflict', 'ask'], /--types[^]*--on-conflict/],
    [['migrate', ...both, '--match', '*', '--rename', '(=>x'], /--rename .*regular expression/],
    [['migrate', ...both, '--no-wait'], /--no-wait needs --endpoint/],
    [['migrate', ...both, '--key', 'k'], /--key belongs to a deployed app/],
    [['migrate', '--source', '', '--target', 'redis://h'], /--source is empty/],
    [['migrate', '--source', 'OLD', '--target', 'redis://h'], /--source: There is no connection "OLD"/],
    [['migrate', '--source', 'redis://h/a', '--target', 'redis://i'], /^--source has a path after the host/],
    [['migrate', ...both, '--endpoint', 'https://app.example'], /never an address/],
    [['migrate', '--source', 'A', '--target', 'B', '--endpoint', 'https://app.example/?code=k'], /bare URL/],
    [['list', '--endpoint', 'http://app.example', '--key', 'k'], /in the clear/],
    [['list', '--endpoint', 'https://app.example', '--data', 'x'], /--data belongs to/],
    [['schedules'], /name it with --endpoint/],
    [['status', 'nope'], /There is no migration "nope"/],
    [['resume', 'nope'], /There is no migration "nope"/],
    [['cancel', 'nope'], /There is no migration "nope"/],
    [['findings', 'nope'], /There is no migration "nope"/],
    [['findings', 'nope', '--limit', '0'], /at least 1/],
    [['status'], /missing required argument/],
  ])('keyferry %p', async (args, says) => {
    const { code, stdout, stderr } = await here.run(args);
    expect(stderr).toMatch(says);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });
});

test('a settings file that is no JSON is a mistake of the user', async () => {
  const { writeFileSync, rmSync } = await import('node:fs');
  const file = `${here.folder}/local.settings.json`;
  writeFileSync(file, '{');
  const { code, stderr } = await here.run(['migrate', ...both]);
  rmSync(file);
  expect(stderr).toMatch(/local\.settings\.json cannot be read/);
  expect(code).toBe(2);
});

test('help is there at once and tells how to keep passwords out of command lines', async () => {
  const started = Date.now();
  const { code, stdout } = await here.run(['migrate', '--help']);
  const took = Date.now() - started;
  expect(code).toBe(0);
  expect(stdout).toMatch(/Command lines can be read by everybody/);
  // Far above what it takes (a tenth of a second), and what an empty program takes here and now.
  const emptyAt = Date.now();
  spawnSync(process.execPath, ['--eval', '']);
  expect(took).toBeLessThan(2_000 + 10 * (Date.now() - emptyAt));
});

test('nothing is listed where nothing is', async () => {
  const { code, stdout } = await here.run(['list', '--json']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({ migrations: [] });
});

test('what cannot be written, to standard output or into the data folder, is told, and is no success', async () => {
  const full = openSync('/dev/full', 'w');
  const entry = path.join(root, 'cli', 'keyferry.js');
  for (const args of [['list', '--json'], ['--help']]) {
    const { status, stderr } = spawnSync(process.execPath, [entry, ...args], {
      cwd: here.folder,
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([3, expect.stringContaining('standard output could not be written: ENOSPC')]);
  }
  closeSync(full);

  const noFolder = path.join(here.folder, 'a-file');
  writeFileSync(noFolder, '');
  const { code, stderr } = await here.run(['migrate', ...both, '--data', noFolder]);
  expect([code, stderr]).toEqual([3, expect.stringContaining(`into the data folder ${noFolder}`)]);
});
