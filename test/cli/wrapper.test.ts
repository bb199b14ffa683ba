import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root } from './support/command';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'keyferry-wrapper-'));
  mkdirSync(path.join(folder, 'cli'));
  mkdirSync(path.join(folder, 'dist/cli'), { recursive: true });
  copyFileSync(path.join(root, 'cli/keyferry.js'), path.join(folder, 'cli/keyferry.js'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function write(name: string, text: string): void {
  mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  writeFileSync(path.join(folder, name), text);
}

async function run(args: readonly string[] = [], node = process.execPath) {
  const child = spawn(node, [path.join(folder, 'cli/keyferry.js'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  await once(child, 'close');
  return { code: child.exitCode, stdout, stderr };
}

const MAIN = 'console.log(process.argv.slice(2).join("|")); process.exitCode = 7;\n';

test('the oldest Node that is taken is the one that package.json names', () => {
  const { engines } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    engines: { node: string };
  };
  const [, major, minor] =
    /OLDEST = \[(\d+), (\d+)\]/.exec(readFileSync(path.join(root, 'cli/keyferry.js'), 'utf8')) ?? [];
  expect(engines.node).toBe(`>=${major}.${minor}`);
});

test('a package without sources runs what it has', async () => {
  write('dist/cli/main.js', MAIN);
  expect(await run(['a b', '--c'])).toEqual({ code: 7, stdout: 'a b|--c\n', stderr: '' });
});

describe('a checkout', () => {
  const build = `const fs = require('fs');
    for (const d of ['cli', 'src']) fs.mkdirSync('dist/' + d, { recursive: true });
    fs.appendFileSync('builds', 'x');
    fs.writeFileSync('dist/cli/main.js', ${JSON.stringify(MAIN)});
    fs.writeFileSync('dist/src/a.js', '');
    fs.copyFileSync('src/b.lua', 'dist/src/b.lua');`;

  beforeEach(() => {
    for (const name of ['functions', 'local', 'src']) mkdirSync(path.join(folder, name));
    write('cli/main.ts', '');
    write('src/a.ts', '');
    write('src/b.lua', '');
    write('build.js', build);
    write('package.json', JSON.stringify({ name: 'keyferry', scripts: { build: 'node build.js' } }));
  });

  test('is built when it is not, and again when a source is newer than its output, and not otherwise', async () => {
    expect(await run(['x'])).toEqual({ code: 7, stdout: 'x\n', stderr: 'keyferry: building…\n' });
    expect((await run()).stderr).toBe('');
    const later = new Date(Date.now() + 5_000);
    utimesSync(path.join(folder, 'src/b.lua'), later, later);
    expect((await run()).stderr).toBe('keyferry: building…\n');
  });

  test('is built once when two calls want it', async () => {
    const both = await Promise.all([run(), run()]);
    expect(both.map(({ code }) => code)).toEqual([7, 7]);
    expect(execFileSync('cat', [path.join(folder, 'builds')], { encoding: 'utf8' })).toBe('x');
    expect(existsSync(path.join(folder, 'dist/.building'))).toBe(false);
  });

  test('that cannot be built says why', async () => {
    write('build.js', 'console.log("a.ts(1,1): wrong"); process.exit(2)');
    const { code, stdout, stderr } = await run();
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(/a\.ts\(1,1\): wrong[^]*the build failed/);
  });
});

describe('an older Node', () => {
  // The version is what the wrapper looks at; this makes the running Node say that it is an older one.
  const asOld = (): string => {
    write('old-node', `#!/bin/sh\nexec "${process.execPath}" -r "${path.join(folder, 'old.js')}" "$@"\n`);
    write('old.js', `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } });`);
    execFileSync('chmod', ['+x', path.join(folder, 'old-node')]);
    return path.join(folder, 'old-node');
  };
  const newer = (): void => {
    write('node_modules/node/bin/node', `#!/bin/sh\nexec "${process.execPath}" "$@"\n`);
    execFileSync('chmod', ['+x', path.join(folder, 'node_modules/node/bin/node')]);
  };

  test('hands on to the one that npm installed, with arguments and exit code', async () => {
    write('dist/cli/main.js', MAIN);
    newer();
    expect(await run(['a b'], asOld())).toEqual({ code: 7, stdout: 'a b\n', stderr: '' });
  });

  test('hands signals on and waits for the end', async () => {
    write(
      'dist/cli/main.js',
      "setInterval(() => {}, 1e6); process.on('SIGINT', () => setTimeout(() => process.exit(130), 200)); console.log('up');",
    );
    newer();
    const child = spawn(asOld(), [path.join(folder, 'cli/keyferry.js')], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    await once(child, 'exit');
    expect(child.exitCode).toBe(130);
  });

  test('says what is needed where there is no other', async () => {
    write('dist/cli/main.js', MAIN);
    const { code, stderr } = await run([], asOld());
    expect(code).toBe(3);
    expect(stderr).toMatch(/Node 22\.12 or newer is needed, and this is 20\.20\.2/);
  });
});
