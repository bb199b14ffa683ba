// Runs every check, also after one has failed, so that one run tells all. The last line counts.
// Usage: npm test [-- --only format,lint,types,unit,e2e]
//
// Two things go on at the same time: the build and then the tests, whose lines are shown as they come, since most of the
// tests' time is spent waiting for servers; and, one after the other, what only reads the sources, each shown when it ends.
// Files of tests that failed are run once more, alone: what passes then is counted as passed, and told by name at the end.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { filesToRepeat, sumOf } from './two-runs.mjs';

const PARTS = ['format', 'lint', 'types', 'unit', 'e2e'];

const { values } = parseArgs({ options: { only: { type: 'string' } } });
const only = values.only?.split(',') ?? PARTS;
const unknown = only.filter((part) => !PARTS.includes(part));
if (unknown.length > 0) {
  console.error(`No such part: ${unknown.join(', ')}. There are ${PARTS.join(', ')}.`);
  process.exit(2);
}
/** As `npm run build`, but for the types, which are checked beside. */
const BUILD = [
  ['npm', 'run', '--silent', 'tsc', '--', '-p', 'tsconfig.build.json', '--noCheck'],
  ['node', 'scripts/copy-assets.mjs'],
  ['node', 'scripts/build-console.mjs'],
];
const total = { passed: 0, failed: 0, skipped: 0 };
/** Tests that failed beside the others, and passed alone. */
let unsteady = [];

/** @param shown `at once`, or `at the end`: in one piece. @returns whether all commands succeeded */
async function run(name, shown, ...commands) {
  const started = Date.now();
  let output = '';
  let good = true;
  for (const [command, ...args] of commands) {
    const title = `\n== ${name}: ${[command, ...args].join(' ')}\n`;
    if (shown === 'at once') process.stdout.write(title);
    else output += title;
    const child = spawn(command, args, {
      stdio: shown === 'at once' ? 'inherit' : ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
    });
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => (output += data));
    const code = await new Promise((resolve) => {
      child.once('error', (error) => {
        output += `${error.message}\n`;
        resolve(null);
      });
      child.once('close', resolve);
    });
    if (code !== 0) good = false;
  }
  const seconds = ((Date.now() - started) / 1_000).toFixed(0);
  process.stdout.write(`${output}== ${name}: ${good ? 'passed' : 'FAILED'} in ${seconds} s\n`);
  return good;
}

async function check(name, ...commands) {
  if (only.includes(name)) total[(await run(name, 'at the end', ...commands)) ? 'passed' : 'failed']++;
}

async function tests() {
  const wanted = ['unit', 'e2e'].filter((project) => only.includes(project));
  if (wanted.length === 0) return;
  const isBuilt = await run('build', 'at the end', ...BUILD);
  if (!isBuilt) total.failed++;
  // Whole migrations run on what was built; the others can still tell something.
  const projects = isBuilt ? wanted : wanted.filter((project) => project !== 'e2e');
  if (projects.length === 0) return;
  // With three a core the longest files take twice their time, and some their patience's end.
  const workers = 2 * availableParallelism();
  const first = await jest(projects.join(' and '), '--selectProjects', ...projects, '--maxWorkers', `${workers}`);
  const files = first === undefined ? [] : filesToRepeat(first);
  const again = ['--runTestsByPath', ...files, '--selectProjects', ...projects, '--runInBand'];
  const second = files.length === 0 ? undefined : await jest('what failed, alone', ...again);
  if (first === undefined || first.numTotalTests === 0) {
    total.failed++;
    return;
  }
  const sum = sumOf(first, second);
  total.passed += sum.passed;
  total.failed += sum.failed;
  total.skipped += sum.skipped;
  unsteady = sum.unsteady;
  if (first.success !== true && second === undefined && sum.failed === 0) total.failed++;
}

/** @returns what Jest says of its run; undefined where it says nothing */
async function jest(name, ...args) {
  const folder = mkdtempSync(path.join(tmpdir(), 'keyferry-test-'));
  const file = path.join(folder, 'result.json');
  const good = await run(name, 'at once', ['jest', ...args, '--json', '--outputFile', file]);
  try {
    const result = JSON.parse(readFileSync(file, 'utf8'));
    return { ...result, success: good && result.success };
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function readings() {
  await check('types', ['npm', 'run', '--silent', 'typecheck']);
  await check('lint', ['eslint', '.']);
  await check('format', ['prettier', '--check', '--log-level', 'warn', '.']);
}

/** What was tested; undefined outside of a repository. */
function checkedOut() {
  const git = (...args) => spawnSync('git', args, { encoding: 'utf8' }).stdout?.trim();
  return { commit: git('rev-parse', 'HEAD'), changed: git('status', '--porcelain') !== '' };
}

const before = checkedOut();
await Promise.all([tests(), readings()]);

// For `npm run release`.
mkdirSync('dist', { recursive: true });
const after = checkedOut();
const changed = before.changed || after.changed || before.commit !== after.commit;
writeFileSync(
  'dist/last-test-run.json',
  JSON.stringify({ commit: after.commit, changed, parts: only, ...total, unsteady }),
);

if (unsteady.length > 0) {
  console.log('\nFailed beside the other tests, and passed when run once more, alone; look into it:');
  for (const name of unsteady) console.log(`- ${name}`);
}
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 ? 0 : 1;
