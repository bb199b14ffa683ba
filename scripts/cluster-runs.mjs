// Migrations into and out of a cluster whose slots move and whose masters fail over meanwhile, again and again, on each version:
//   npm run --silent build && node scripts/cluster-runs.mjs [runs] [version ...]
// Each run is test/e2e/cluster-changes.test.ts with 100,000 keys (or CLUSTER_KEYS): every key there, none met twice, equal contents.
// Prints what is missing and doubled after each migration of each run. Ends with 1 where a run was not as it must be.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const [runs = '10', ...named] = process.argv.slice(2);
const versions = named.length > 0 ? named : ['redis-6.0', 'redis-7.0', 'redis-8.0', 'valkey-8.1'];
const test = ['test/e2e/cluster-changes.test.ts', '--selectProjects', 'e2e', '--maxWorkers=1', '--forceExit'];
const folder = mkdtempSync(path.join(tmpdir(), 'keyferry-cluster-runs-'));
const file = path.join(folder, 'told');

const all = { runs: 0, failed: 0, migrations: 0, missing: 0, doubled: 0 };
for (let run = 1; run <= Number(runs); run++) {
  for (const version of versions) {
    const began = Date.now();
    writeFileSync(file, '');
    // By npx, since the tests want the Node.js of node_modules.
    const { status, stderr } = spawnSync('npx', ['jest', ...test], {
      cwd: root,
      env: { CLUSTER_KEYS: '100000', ...process.env, CLUSTER_SERVER: version, CLUSTER_RUNS: file },
      encoding: 'utf8',
    });
    const seconds = ((Date.now() - began) / 1_000).toFixed(0);
    console.log(`${version}, run ${run} of ${runs}: ${status === 0 ? 'well' : 'FAILED'} (${seconds} s)`);
    const told = readFileSync(file, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    for (const { what, missing, doubled } of told.filter((each) => each.what !== undefined)) {
      all.migrations++;
      all.missing += missing;
      all.doubled += doubled;
      console.log(`  ${what}: ${missing} missing, ${doubled} doubled`);
    }
    all.runs++;
    if (status === 0) continue;
    all.failed++;
    for (const each of told) console.log(JSON.stringify(each));
    console.log(stderr);
  }
}
rmSync(folder, { recursive: true });
console.log(
  `${all.runs} runs, ${all.failed} failed; ${all.migrations} migrations, ${all.missing} keys missing, ${all.doubled} doubled`,
);
process.exitCode = all.failed === 0 ? 0 : 1;
