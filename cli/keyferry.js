#!/usr/bin/env node
// Starts the built command, building it first in a checkout whose build is missing or old, with a Node that Azurite
// and the Azure SDKs accept: this one, or the one that npm ci installed. What reads and copies keys gets a process of its own, since
// V8 takes the size of its young generation at the start only, and a small one makes copying a quarter cheaper.
'use strict';

const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const { enableCompileCache } = require('node:module');
const path = require('node:path');

const root = path.resolve(__dirname, '..');
const entry = path.join(root, 'dist', 'cli', 'main.js');
const OLDEST = [22, 12];
/** The commands that run the app. */
const COPYING = ['migrate', 'resume', 'compare', 'sync', 'dry-run', 'backup', 'restore', 'live'];
const LOCK_IS_LEFT_MS = 120_000;

function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}

/** Every source must have its output, and none may be older than its source. A package without sources is as it is. */
function isBuilt() {
  if (!fs.existsSync(path.join(root, 'cli', 'main.ts'))) return true;
  return ['functions', 'src', 'local', 'cli'].every((folder) => isFolderBuilt(folder));
}

function isFolderBuilt(folder) {
  return fs.readdirSync(path.join(root, folder), { withFileTypes: true }).every((item) => {
    const name = path.join(folder, item.name);
    if (item.isDirectory()) return isFolderBuilt(name);
    if (!/\.(ts|lua)$/.test(name) || name.endsWith('.d.ts')) return true;
    const output = fs.statSync(path.join(root, 'dist', name.replace(/\.ts$/, '.js')), { throwIfNoEntry: false });
    return output !== undefined && output.mtimeMs >= fs.statSync(path.join(root, name)).mtimeMs;
  });
}

/** Builds, unless another process is at it: then waits for that one. */
function build() {
  const lock = path.join(root, 'dist', '.building');
  fs.mkdirSync(path.dirname(lock), { recursive: true });
  process.stderr.write('keyferry: building…\n');
  while (!isBuilt()) {
    try {
      fs.mkdirSync(lock);
    } catch {
      const since = fs.statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
      if (Date.now() - since > LOCK_IS_LEFT_MS) fs.rmSync(lock, { recursive: true, force: true });
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
      continue;
    }
    try {
      if (!isBuilt()) runBuild();
    } finally {
      fs.rmSync(lock, { recursive: true, force: true });
    }
    return;
  }
}

function runBuild() {
  const { status, error, stdout } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (status === 0) return;
  process.stderr.write(`${stdout ?? ''}keyferry: the build failed${error ? `: ${error.message}` : ''}.\n`);
  process.exitCode = 3;
  throw new BuildFailed();
}

class BuildFailed extends Error {}

/**
 * glibc keeps freed blocks of up to 32 MiB in its heap once it has seen one so large: a process that copies large values would take some
 * 80 MB more than it uses. With a threshold that is set, what is freed goes back to the system.
 * Source: mallopt(3), M_MMAP_THRESHOLD
 */
const MMAP_THRESHOLD = '262144';

/** Hands everything to another Node: arguments, streams, signals, and the exit code back. */
function runWith(node) {
  // The channel tells the other process when this one is gone without a signal that could be handed on.
  const child = spawn(
    node,
    ['--max-semi-space-size=16', '--heap-growing-percent=50', entry, ...process.argv.slice(2)],
    {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
      env: { MALLOC_MMAP_THRESHOLD_: MMAP_THRESHOLD, ...process.env },
    },
  );
  // The other process decides whether a hangup is meant for it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`keyferry: ${node} cannot be run: ${error.message}\n`);
    process.exit(3);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function start() {
  // To compile their many files is most of what the command, the local app and the storage emulator need to start.
  process.env.NODE_COMPILE_CACHE ??= path.join(root, 'node_modules', '.cache', 'keyferry');
  if (isNewEnough(process.versions.node)) {
    if (process.argv.slice(2).some((word) => COPYING.includes(word))) runWith(process.execPath);
    else {
      enableCompileCache(process.env.NODE_COMPILE_CACHE);
      require(entry);
    }
    return;
  }
  const newer = path.join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (fs.existsSync(newer)) {
    runWith(newer);
    return;
  }
  process.stderr.write(
    `keyferry: Node ${OLDEST.join('.')} or newer is needed, and this is ${process.versions.node}. In a checkout npm ci brings one.\n`,
  );
  process.exitCode = 3;
}

try {
  if (!isBuilt()) build();
  start();
} catch (error) {
  if (!(error instanceof BuildFailed)) throw error;
}
