// Has git run what stands in .githooks, in a checkout of this repository. Whatever is in the way (no git, a tarball, a
// folder inside another repository, CI, hooks of one's own) is no error: nothing is installed then.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const git = (...args) => spawnSync('git', args, { encoding: 'utf8' });

// In a worktree .git is a file.
if (!process.env.CI && existsSync('.git') && git('config', '--get', 'core.hooksPath').status === 1) {
  git('config', 'core.hooksPath', '.githooks');
}
