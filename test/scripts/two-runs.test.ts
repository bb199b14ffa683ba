import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const script = pathToFileURL(path.resolve(__dirname, '../../scripts/two-runs.mjs')).href;

/** Calls a function of the script, which is a module of the other kind. */
function call(name: string, ...args: unknown[]): unknown {
  const source = `import * as script from ${JSON.stringify(script)};
    console.log(JSON.stringify(script.${name}(...${JSON.stringify(args)})));`;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', source], { encoding: 'utf8' }));
}

const file = (name: string, tests: Record<string, string>, status?: string) => ({
  name,
  status: status ?? (Object.values(tests).includes('failed') ? 'failed' : 'passed'),
  assertionResults: Object.entries(tests).map(([fullName, each]) => ({ fullName, status: each })),
});

const good = file('good', { a: 'passed', b: 'passed', c: 'pending' });
const red = file('red', { d: 'passed', e: 'failed', f: 'failed' });
const broken = file('broken', {}, 'failed');

it('what failed is run again, unless so much failed that something is broken', () => {
  const results = (...testResults: unknown[]) => ({ testResults });
  expect(call('filesToRepeat', results(good))).toEqual([]);
  expect(call('filesToRepeat', results(good, red, broken))).toEqual(['red', 'broken']);
  expect(call('filesToRepeat', results(...Array<unknown>(5).fill(red)))).toHaveLength(5);
  expect(call('filesToRepeat', results(...Array<unknown>(6).fill(red)))).toEqual([]);
});

it('a run counts as it is where nothing was run again', () => {
  const first = { testResults: [good, red, broken] };
  expect(call('sumOf', first)).toEqual({ passed: 3, failed: 3, skipped: 1, unsteady: [] });
});

it('the last result of a file counts, and what failed only at first is told', () => {
  const first = { testResults: [good, red, broken] };
  const still = file('red', { d: 'passed', e: 'passed', f: 'failed' });
  const mended = file('broken', { g: 'passed' });
  expect(call('sumOf', first, { testResults: [still, mended] })).toEqual({
    passed: 5,
    failed: 1,
    skipped: 1,
    unsteady: ['e', 'broken'],
  });
  const gone = file('broken', {}, 'failed');
  expect(call('sumOf', first, { testResults: [gone] })).toEqual({ passed: 3, failed: 3, skipped: 1, unsteady: [] });
});
