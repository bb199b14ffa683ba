// Runs every check in turn and goes on after a failure, so that one run tells all. The last line counts.
// Usage: npm test [-- --only format,lint,types,unit,e2e]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { only: { type: 'string' } } });
const only = values.only?.split(',');
const folder = mkdtempSync(path.join(tmpdir(), 'keyferry-test-'));
const total = { passed: 0, failed: 0, skipped: 0 };

function run(name, command, args) {
  console.log(`\n== ${name}: ${command} ${args.join(' ')}`);
  const started = Date.now();
  const { status } = spawnSync(command, args, { stdio: 'inherit' });
  console.log(`== ${name}: ${status === 0 ? 'passed' : 'FAILED'} in ${((Date.now() - started) / 1_000).toFixed(0)} s`);
  return status === 0;
}

function check(name, command, args) {
  if (only !== undefined && !only.includes(name)) return;
  total[run(name, command, args) ? 'passed' : 'failed']++;
}

function jest(project, args) {
  if (only !== undefined && !only.includes(project)) return;
  const file = path.join(folder, `${project}.json`);
  const good = run(project, 'jest', [`--selectProjects=${project}`, '--json', '--outputFile', file, ...args]);
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
}

if (!run('build', 'npm', ['run', '--silent', 'build'])) total.failed++;
check('format', 'prettier', ['--check', '--log-level', 'warn', '.']);
check('lint', 'eslint', ['.']);
check('types', 'tsc', []);
check('types', 'tsc', ['-p', 'console']);
check('types', 'tsc', ['-p', 'test/console']);
jest('unit', ['--maxWorkers', '2']);
// Whole migrations mostly wait: two at a time keep a machine of two cores no busier than the unit tests do.
jest('e2e', ['--maxWorkers', '2']);

rmSync(folder, { recursive: true, force: true });
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 ? 0 : 1;
