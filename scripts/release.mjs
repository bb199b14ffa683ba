// Tags what is checked out as the version of package.json, after everything that must agree with it was looked at. Pushes
// nothing. Usage: npm run release [-- --dry-run]
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import semver from 'semver';

const LAST_RUN = 'dist/last-test-run.json';
const PARTS = ['format', 'lint', 'types', 'unit', 'e2e'];

const { values } = parseArgs({ options: { 'dry-run': { type: 'boolean', default: false } } });

const problems = [];
const need = (condition, problem) => {
  if (!condition) problems.push(problem);
  return Boolean(condition);
};

function git(...args) {
  const { status, stdout, error } = spawnSync('git', args, { encoding: 'utf8' });
  if (error) throw error;
  return status === 0 ? stdout.trim() : undefined;
}

const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'));

/** The sections of a changelog in the form of Keep a Changelog, the newest first. */
function sectionsOf(changelog) {
  return changelog
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const end = section.indexOf('\n');
      const title = (end < 0 ? section : section.slice(0, end)).trim();
      const body =
        end < 0
          ? ''
          : section
              .slice(end)
              .replace(/^\[[^\]]+\]: .*$/gm, '')
              .trim();
      const [, name, date] = /^\[([^\]]+)\](?: - (\S+))?$/.exec(title) ?? [];
      return { title, name, date, body };
    });
}

function checkVersion(version) {
  if (!need(semver.valid(version) === version, `package.json: "${version}" is no semantic version.`)) return false;
  const lock = readJson('package-lock.json');
  for (const [where, locked] of [
    ['version', lock.version],
    ['packages[""].version', lock.packages?.['']?.version],
  ]) {
    need(
      locked === version,
      `package-lock.json: ${where} is ${locked}, package.json says ${version}. Run npm install.`,
    );
  }
  return true;
}

/** @returns what the changelog says of the version */
function checkChangelog(version) {
  const sections = sectionsOf(readFileSync('CHANGELOG.md', 'utf8'));
  for (const { title, name } of sections)
    need(name, `CHANGELOG.md: "## ${title}" is not of the form [1.2.3] - 2026-01-31.`);
  const unreleased = sections.find(({ name }) => name === 'Unreleased');
  need(!unreleased?.body, `CHANGELOG.md: [Unreleased] is not empty. Move its entries into [${version}].`);
  const [newest] = sections.filter(({ name }) => name !== 'Unreleased');
  if (
    !need(newest?.name === version, `CHANGELOG.md: the newest version is ${newest?.name ?? 'none'}, not ${version}.`)
  ) {
    return '';
  }
  const { date = '', body } = newest;
  const time = Date.parse(`${date}T00:00:00Z`);
  const isDate = /^\d{4}-\d\d-\d\d$/.test(date) && !Number.isNaN(time);
  if (need(isDate, `CHANGELOG.md: [${version}] has no date such as 2026-01-31.`)) {
    // A day is another one elsewhere.
    need(time < Date.now() + 86_400_000, `CHANGELOG.md: [${version}] is dated ${date}, which is to come.`);
  }
  need(body, `CHANGELOG.md: [${version}] says nothing.`);
  return body;
}

function checkGit(version) {
  if (!need(git('rev-parse', '--git-dir') !== undefined, 'git: this is no repository.')) return;
  need(git('rev-parse', '--verify', '--quiet', 'HEAD') !== undefined, 'git: there is no commit.');
  const changed = git('status', '--porcelain') ?? '';
  need(changed === '', `git: there are changes that are not committed:\n${changed.replace(/^/gm, '    ')}`);
  const tags = (git('tag', '--list', 'v*') ?? '').split('\n').filter((tag) => semver.valid(tag));
  if (!need(!tags.includes(`v${version}`), `git: the tag v${version} is there already. Raise the version.`)) return;
  const newer = tags.filter((tag) => semver.gt(tag, version));
  need(newer.length === 0, `git: the tag ${newer.join(', ')} is newer than v${version}.`);
}

function checkTests() {
  const again = 'Run npm test.';
  if (!need(existsSync(LAST_RUN), `tests: no run is known. ${again}`)) return;
  const run = readJson(LAST_RUN);
  const head = git('rev-parse', 'HEAD');
  need(run.commit === head && run.changed === false, `tests: the last run was not of this commit as it is. ${again}`);
  const left = PARTS.filter((part) => !run.parts.includes(part));
  need(left.length === 0, `tests: the last run left out ${left.join(', ')}. ${again}`);
  need(run.failed === 0 && run.passed > 0, `tests: the last run had ${run.failed} failures.`);
  const unsteady = run.unsteady ?? [];
  need(unsteady.length === 0, `tests: failed at first in the last run: ${unsteady.join(', ')}.`);
}

const { version } = readJson('package.json');
let notes = '';
if (checkVersion(version)) {
  notes = checkChangelog(version);
  checkGit(version);
  checkTests();
}
if (problems.length > 0) {
  console.error(`Not released:\n${problems.map((problem) => `- ${problem}`).join('\n')}`);
  process.exit(1);
}
const tag = `v${version}`;
if (values['dry-run']) {
  console.log(`Everything agrees. Without --dry-run the tag ${tag} would be made, saying:\n\n${notes}`);
} else {
  // With "verbatim", since Markdown's headings begin with what begins a comment there.
  const made = spawnSync('git', ['tag', '--annotate', '--cleanup=verbatim', '--file=-', tag], {
    input: `Keyferry ${version}\n\n${notes}\n`,
    encoding: 'utf8',
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  if (made.status !== 0) process.exit(1);
  console.log(`Tagged ${tag}. To publish it: git push origin HEAD ${tag}`);
}
