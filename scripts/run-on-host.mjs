// Runs the end-to-end tests against the built app on a Functions host: the one that the command in FUNC_HOST starts, with {port} for its port,
// for example FUNC_HOST='func start --port {port}' of the Azure Functions Core Tools. Where the host demands keys, FUNC_HOST_KEY is one that opens
// everything. Without FUNC_HOST nothing is run, and that is said.
// Usage: node scripts/run-on-host.mjs [files of test/e2e …]
import { spawnSync } from 'node:child_process';

const files = process.argv.slice(2);
if (!process.env.FUNC_HOST) {
  console.log(
    'SKIPPED: no end-to-end test was run on a Functions host. Set FUNC_HOST to the command that starts one, with {port} in it.',
  );
  process.exit(0);
}
const run = (command, args, env = process.env) => {
  const { status } = spawnSync(command, args, { stdio: 'inherit', env, shell: process.platform === 'win32' });
  if (status !== 0) process.exit(status ?? 1);
};
run('npm', ['run', '--silent', 'build']);
const tests = files.length > 0 ? files : ['test/e2e'];
run('npx', ['jest', ...tests, '--selectProjects', 'e2e', '--maxWorkers=1'], {
  ...process.env,
  E2E_HOST: 'scripts/functions-host.mjs',
});
