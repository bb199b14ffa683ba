// Migrations into and out of a cluster whose slots move and whose masters fail over meanwhile, again and again, on each version:
//   npm run --silent build && node scripts/cluster-runs.mjs [runs] [version ...]
// Each run is test/e2e/cluster-changes.test.ts: every key there, none met twice, equal contents. Ends with 1 where one was not.
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const [runs = '10', ...named] = process.argv.slice(2);
const versions = named.length > 0 ? named : ['redis-6.0', 'redis-7.0', 'redis-8.0', 'valkey-8.1'];
const test = ['test/e2e/cluster-changes.test.ts', '--selectProjects', 'e2e', '--maxWorkers=1', '--forceExit'];

let failed = 0;
for (const version of versions) {
  for (let run = 1; run <= Number(runs); run++) {
    const began = Date.now();
    // By npx, since the tests want the Node.js of node_modules.
    const { status, stderr } = spawnSync('npx', ['jest', ...test], {
      cwd: root,
      env: { ...process.env, CLUSTER_SERVER: version },
      encoding: 'utf8',
    });
    const seconds = ((Date.now() - began) / 1_000).toFixed(0);
    console.log(
      `${version} run ${run} of ${runs}: ${status === 0 ? 'nothing missing, nothing doubled' : 'FAILED'} (${seconds} s)`,
    );
    if (status === 0) continue;
    failed++;
    console.log(stderr);
  }
}
process.exitCode = failed === 0 ? 0 : 1;
