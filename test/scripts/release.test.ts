import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const script = path.resolve(__dirname, '../../scripts/release.mjs');
let folder: string;

const git = (...args: string[]): string => execFileSync('git', args, { cwd: folder, encoding: 'utf8' }).trim();

function write(name: string, content: unknown): void {
  mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  writeFileSync(path.join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
}

function commit(): void {
  git('add', '--all');
  git('commit', '--quiet', '--allow-empty', '-m', 'a commit');
}

/** As `npm test` writes it after a run of everything. */
function tested(other: Record<string, unknown> = {}): void {
  const parts = ['format', 'lint', 'types', 'unit', 'e2e'];
  const run = { commit: git('rev-parse', 'HEAD'), changed: false, parts, passed: 9, failed: 0, skipped: 0 };
  write('dist/last-test-run.json', { ...run, ...other });
}

function release(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { cwd: folder, encoding: 'utf8' });
  return {
    status,
    stdout,
    problems: stderr
      .split('\n- ')
      .slice(1)
      .map((line) => line.trim()),
  };
}

const CHANGELOG = `# Changelog

## [Unreleased]

## [1.2.0] - 2026-01-31

### Added

- Something.

## [1.1.0] - 2025-12-01

- Older.

[1.2.0]: https://example.com/compare
`;

const version = (number: string, locked = number): void => {
  write('package.json', { name: 'x', version: number });
  write('package-lock.json', { name: 'x', version: locked, packages: { '': { name: 'x', version: locked } } });
};

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'keyferry-release-'));
  git('init', '--quiet', '--initial-branch=main');
  git('config', 'user.name', 'Somebody');
  git('config', 'user.email', 'somebody@example.com');
  git('config', 'core.hooksPath', '/dev/null');
  write('.gitignore', 'dist/\n');
  write('CHANGELOG.md', CHANGELOG);
  version('1.2.0');
  commit();
  git('tag', 'v1.1.0');
  tested();
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

test('what agrees is tagged, with what the changelog says', () => {
  expect(release()).toEqual({
    status: 0,
    stdout: 'Tagged v1.2.0. To publish it: git push origin HEAD v1.2.0\n',
    problems: [],
  });
  expect(git('rev-parse', 'v1.2.0^{commit}')).toBe(git('rev-parse', 'HEAD'));
  expect(git('tag', '--list', '--format=%(contents)', 'v1.2.0')).toBe('Keyferry 1.2.0\n\n### Added\n\n- Something.');
  expect(release().problems).toEqual(['git: the tag v1.2.0 is there already. Raise the version.']);
});

test('a dry run tags nothing', () => {
  const { status, stdout } = release('--dry-run');
  expect(status).toBe(0);
  expect(stdout).toContain('the tag v1.2.0 would be made, saying:\n\n### Added\n\n- Something.\n');
  expect(git('tag')).toBe('v1.1.0');
});

test('everything that is wrong is told at once', () => {
  version('1.3.0', '1.2.0');
  write('CHANGELOG.md', CHANGELOG.replace('## [Unreleased]\n', '## [Unreleased]\n\n- Not moved.\n'));
  const { status, problems } = release();
  expect(status).toBe(1);
  expect(problems).toEqual([
    'package-lock.json: version is 1.2.0, package.json says 1.3.0. Run npm install.',
    'package-lock.json: packages[""].version is 1.2.0, package.json says 1.3.0. Run npm install.',
    'CHANGELOG.md: [Unreleased] is not empty. Move its entries into [1.3.0].',
    'CHANGELOG.md: the newest version is 1.2.0, not 1.3.0.',
    expect.stringMatching(/^git: there are changes that are not committed:\n +M CHANGELOG\.md\n[^]*package\.json$/),
  ]);
  expect(git('tag')).toBe('v1.1.0');
});

test.each<[string, () => void, string]>([
  [
    'a version that is none',
    () => {
      version('1.2');
    },
    'package.json: "1.2" is no semantic version.',
  ],
  [
    'a version older than one that is tagged',
    () => {
      git('tag', 'v1.10.0');
    },
    'git: the tag v1.10.0 is newer than v1.2.0.',
  ],
  [
    'no date',
    () => {
      write('CHANGELOG.md', CHANGELOG.replace(' - 2026-01-31', ''));
    },
    'CHANGELOG.md: [1.2.0] has no date such as 2026-01-31.',
  ],
  [
    'a day that there is not',
    () => {
      write('CHANGELOG.md', CHANGELOG.replace('2026-01-31', '2026-13-31'));
    },
    'CHANGELOG.md: [1.2.0] has no date such as 2026-01-31.',
  ],
  [
    'a day that is to come',
    () => {
      write('CHANGELOG.md', CHANGELOG.replace('2026-01-31', '2999-01-31'));
    },
    'CHANGELOG.md: [1.2.0] is dated 2999-01-31, which is to come.',
  ],
  [
    'a section without a word',
    () => {
      write('CHANGELOG.md', CHANGELOG.replace('### Added\n\n- Something.\n', ''));
    },
    'CHANGELOG.md: [1.2.0] says nothing.',
  ],
  [
    'a heading of another form',
    () => {
      write('CHANGELOG.md', CHANGELOG.replace('[1.1.0] - ', '1.1.0 '));
    },
    'CHANGELOG.md: "## 1.1.0 2025-12-01" is not of the form [1.2.3] - 2026-01-31.',
  ],
  [
    'no test run',
    () => {
      rmSync(path.join(folder, 'dist'), { recursive: true });
    },
    'tests: no run is known. Run npm test.',
  ],
])('%s is not released', (_, change, problem) => {
  change();
  commit();
  if (problem.startsWith('tests')) rmSync(path.join(folder, 'dist'), { recursive: true, force: true });
  else tested();
  expect(release()).toMatchObject({ status: 1, problems: [problem] });
  expect(git('tag')).not.toContain('v1.2.0');
});

test.each<[string, () => Record<string, unknown>, string]>([
  ['failed', () => ({ failed: 2 }), 'tests: the last run had 2 failures.'],
  ['were unsteady', () => ({ unsteady: ['a test'] }), 'tests: failed at first in the last run: a test.'],
  [
    'left something out',
    () => ({ parts: ['unit'] }),
    'tests: the last run left out format, lint, types, e2e. Run npm test.',
  ],
  [
    'was of what was not committed',
    () => ({ changed: true }),
    'tests: the last run was not of this commit as it is. Run npm test.',
  ],
  [
    'was of another commit',
    () => ({ commit: git('rev-parse', 'HEAD').replace(/^./, 'x') }),
    'tests: the last run was not of this commit as it is. Run npm test.',
  ],
])('after a test run that %s nothing is released', (_, run, problem) => {
  tested(run());
  expect(release()).toMatchObject({ status: 1, problems: [problem] });
  expect(git('tag')).toBe('v1.1.0');
});

test('a prerelease comes before its release', () => {
  git('tag', 'v1.2.0-rc.2');
  expect(release('--dry-run').status).toBe(0);
  version('1.2.0-rc.10');
  write('CHANGELOG.md', CHANGELOG.replaceAll('[1.2.0]', '[1.2.0-rc.10]'));
  commit();
  tested();
  expect(release('--dry-run')).toMatchObject({ status: 0, problems: [] });
});
