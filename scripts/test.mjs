// Runs every check, also after one has failed, so that one run tells all. The last line counts.
// Usage: npm test [-- --only format,lint,types,unit,e2e]
//
// Two things go on at the same time: the build and then the tests, whose lines are shown as they come, since most of the
// tests' time is spent waiting for servers; and, one after the other, what only reads the sources, each shown when it ends.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

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
  ['tsc', '-p', 'tsconfig.build.json', '--noCheck'],
  ['node', 'scripts/copy-assets.mjs'],
  ['node', 'scripts/build-console.mjs'],
];
const total = { passed: 0, failed: 0, skipped: 0 };

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
  const folder = mkdtempSync(path.join(tmpdir(), 'keyferry-test-'));
  const file = path.join(folder, 'result.json');
  const workers = 2 * availableParallelism();
  const args = ['--selectProjects', ...projects, '--maxWorkers', `${workers}`, '--json', '--outputFile', file];
  const good = await run(projects.join(' and '), 'at once', ['jest', ...args]);
  try {
    const result = JSON.parse(readFileSync(file, 'utf8'));
    total.passed += result.numPassedTests;
    total.failed += result.numFailedTests + result.numRuntimeErrorTestSuites;
    total.skipped += result.numPendingTests + result.numTodoTests;
    if (!good && result.numFailedTests + result.numRuntimeErrorTestSuites === 0) total.failed++;
    if (result.numTotalTests === 0) total.failed++;
  } catch {
    total.failed++;
  }
  rmSync(folder, { recursive: true, force: true });
}

async function readings() {
  await check('types', ['tsc'], ['tsc', '-p', 'console'], ['tsc', '-p', 'test/console']);
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
writeFileSync('dist/last-test-run.json', JSON.stringify({ commit: after.commit, changed, parts: only, ...total }));

console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 ? 0 : 1;
