import { spawnSync } from 'node:child_process';
import path from 'node:path';

const root = path.resolve(__dirname, '../..');

it('says that nothing was run on a Functions host where none is given', () => {
  const { status, stdout } = spawnSync(process.execPath, ['scripts/run-on-host.mjs'], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, FUNC_HOST: '' },
  });
  expect([status, stdout]).toEqual([0, expect.stringMatching(/^SKIPPED: no end-to-end test was run/)]);
});
