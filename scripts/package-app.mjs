// Puts the built app together as it is deployed, in .deploy/app: compiled functions and src, the console, host.json, and the
// dependencies for production. Run `npm run build` before.
// Usage: node scripts/package-app.mjs [--to <folder>] [--no-install]
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { to: { type: 'string', default: path.join('.deploy', 'app') }, 'no-install': { type: 'boolean' } },
});
const target = values.to;

if (!existsSync(path.join('dist', 'functions'))) {
  console.error('Nothing is built: run npm run build first.');
  process.exit(1);
}
rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
for (const folder of ['functions', 'src', 'console']) {
  cpSync(path.join('dist', folder), path.join(target, 'dist', folder), {
    recursive: true,
    filter: (file) => !file.endsWith('.map'),
  });
}
for (const file of ['host.json', 'package.json', 'package-lock.json', 'LICENSE']) cpSync(file, path.join(target, file));
// Without a file of this name azd leaves out node_modules.
writeFileSync(path.join(target, '.funcignore'), '.git*\nlocal.settings*.json\n');

if (!values['no-install']) {
  const arguments_ = ['ci', '--omit=dev', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund'];
  const { status } = spawnSync('npm', arguments_, {
    cwd: target,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) process.exit(status ?? 1);
}
