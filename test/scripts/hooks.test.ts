import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.resolve(__dirname, '../..');
const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  scripts: { prepare: string };
};
let folder: string;

/** Without what says where git is, or that this is CI. */
const environment = (): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(GIT_|CI$)/.test(name))),
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
});

function run(command: string, args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  const { cwd = folder, env = {} } = options;
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...environment(), ...env },
  });
  return { status, stdout: stdout.trim(), stderr };
}

/** The script `prepare`, as npm runs it after `npm ci`. */
const prepare = (options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) =>
  run('sh', ['-c', scripts.prepare], options);
const hooksPath = (cwd = folder): string => run('git', ['config', '--get', 'core.hooksPath'], { cwd }).stdout;
const silent = { status: 0, stdout: '', stderr: '' };

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'keyferry-hooks-'));
  mkdirSync(path.join(folder, 'scripts'));
  copyFileSync(path.join(root, 'scripts/install-hooks.mjs'), path.join(folder, 'scripts/install-hooks.mjs'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('after npm ci', () => {
  test('a checkout has the hooks', () => {
    run('git', ['init', '--quiet']);
    expect(prepare()).toEqual(silent);
    expect(hooksPath()).toBe('.githooks');
  });

  test('a checkout with hooks of one’s own keeps them', () => {
    run('git', ['init', '--quiet']);
    run('git', ['config', 'core.hooksPath', 'mine']);
    expect(prepare()).toEqual(silent);
    expect(hooksPath()).toBe('mine');
  });

  test('CI has none', () => {
    run('git', ['init', '--quiet']);
    expect(prepare({ env: { CI: 'true' } })).toEqual(silent);
    expect(hooksPath()).toBe('');
  });

  test('a folder inside another repository leaves that one alone', () => {
    run('git', ['init', '--quiet']);
    const inner = path.join(folder, 'inner');
    mkdirSync(inner);
    cpSync(path.join(folder, 'scripts'), path.join(inner, 'scripts'), { recursive: true });
    expect(prepare({ cwd: inner })).toEqual(silent);
    expect(hooksPath()).toBe('');
  });

  test('no git, no repository and no scripts are no errors', () => {
    expect(prepare()).toEqual(silent);
    mkdirSync(path.join(folder, '.git'));
    const bin = path.join(folder, 'bin');
    mkdirSync(bin);
    symlinkSync(process.execPath, path.join(bin, 'node'));
    symlinkSync('/bin/sh', path.join(bin, 'sh'));
    expect(prepare({ env: { PATH: bin } })).toEqual(silent);
    rmSync(path.join(folder, 'scripts'), { recursive: true });
    expect(prepare()).toEqual(silent);
  });
});

describe('a commit', () => {
  const staged = (name: string, text: string): void => {
    writeFileSync(path.join(folder, name), text);
    run('git', ['add', name]);
  };
  const commit = () =>
    run('git', ['-c', 'user.name=Somebody', '-c', 'user.email=somebody@example.com', 'commit', '-m', 'a commit']);

  beforeEach(() => {
    run('git', ['init', '--quiet']);
    cpSync(path.join(root, '.githooks'), path.join(folder, '.githooks'), { recursive: true });
    chmodSync(path.join(folder, '.githooks/pre-commit'), 0o755);
    run('git', ['config', 'core.hooksPath', '.githooks']);
    // The same commands with rules that need no types.
    const { 'lint-staged': commands } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
      'lint-staged': unknown;
    };
    writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name: 'x', 'lint-staged': commands }));
    writeFileSync(path.join(folder, 'eslint.config.mjs'), `export default [{ rules: { 'no-debugger': 'error' } }];\n`);
    writeFileSync(path.join(folder, '.gitignore'), 'node_modules\n');
  });

  test('is formatted and looked over', () => {
    symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
    staged('a.mjs', 'export   const a=1\n');
    staged('b.md', '*  b\n');
    staged('c.bin', 'c   \n');
    expect(commit().status).toBe(0);
    expect(run('git', ['show', 'HEAD:a.mjs']).stdout).toBe('export const a = 1;');
    expect(run('git', ['show', 'HEAD:b.md']).stdout).toBe('- b');
    staged('a.mjs', 'export const a = 1;\ndebugger;\n');
    const refused = commit();
    expect(refused.status).not.toBe(0);
    expect(refused.stderr + refused.stdout).toContain('no-debugger');
    expect(run('git', ['log', '--oneline']).stdout.split('\n')).toHaveLength(1);
  });

  test('goes on where nothing is installed', () => {
    staged('a.mjs', 'export   const a=1\n');
    expect(commit().status).toBe(0);
  });
});
