import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { globSync } from 'tinyglobby';
import { buildCommand } from '../cli/support/command';
import { root } from './support/bicep-compiler';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'keyferry-package-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

test('what azd deploys has the functions where package.json says, and nothing that is not the app', async () => {
  await buildCommand();
  const app = path.join(folder, 'app');
  const { status, stderr } = spawnSync(process.execPath, ['scripts/package-app.mjs', '--no-install', '--to', app], {
    cwd: root,
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const { main } = JSON.parse(readFileSync(path.join(app, 'package.json'), 'utf8')) as { main: string };
  expect(globSync(main, { cwd: app })).toContain('dist/functions/startMigration.js');
  expect(readdirSync(path.join(app, 'dist')).sort()).toEqual(['console', 'functions', 'src']);
  expect(globSync('dist/console/{index.html,main.js,uplot.js}', { cwd: app })).toHaveLength(3);
  expect(globSync('dist/src/**/*.lua', { cwd: app }).length).toBeGreaterThan(0);
  expect(existsSync(path.join(app, 'host.json'))).toBe(true);
  // azd reads it there, and leaves out node_modules where there is none.
  expect(readFileSync(path.join(app, '.funcignore'), 'utf8')).not.toContain('node_modules');
});

test('.funcignore keeps the app in and everything else out', () => {
  spawnSync('git', ['init', '--quiet', folder]);
  copyFileSync(path.join(root, '.funcignore'), path.join(folder, '.gitignore'));
  const isIgnored = (file: string): boolean =>
    spawnSync('git', ['-C', folder, 'check-ignore', '--quiet', '--no-index', file]).status === 0;
  const kept = [
    'host.json',
    'package.json',
    'dist/functions/startMigration.js',
    'dist/console/index.html',
    'dist/src/app/app.js',
    'node_modules/a/src/index.js',
    'node_modules/a/test/index.js',
  ];
  const left = [
    'src/app/app.ts',
    'functions/startMigration.ts',
    'local.settings.json',
    '.deploy/app/host.json',
    '.keyferry/x',
    'dist/local/main.js',
    'dist/src/app/app.js.map',
    'infra/main.bicep',
  ];
  expect(kept.filter(isIgnored)).toEqual([]);
  expect(left.filter((file) => !isIgnored(file))).toEqual([]);
});
