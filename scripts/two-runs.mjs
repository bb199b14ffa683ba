/** More failing files than these are no accident of a busy machine. */
const MOST_FILES = 5;

const isRed = ({ status }) => status !== 'passed';

/**
 * The files to be run again alone, from what Jest wrote with --json: tests with many servers beside each other can fail for want of
 * processor time. None where so many failed that something is broken.
 */
export function filesToRepeat({ testResults }) {
  const red = testResults.filter(isRed).map(({ name }) => name);
  return red.length <= MOST_FILES ? red : [];
}

/**
 * The numbers of a run, where the files of a second run stand in the place of their first results.
 *
 * @returns also `unsteady`: the full names of tests that failed at first and did not then, for people to look after
 */
export function sumOf(first, second) {
  const repeated = new Map((second?.testResults ?? []).map((file) => [file.name, file]));
  const sum = { passed: 0, failed: 0, skipped: 0, unsteady: [] };
  for (const file of first.testResults) {
    const last = repeated.get(file.name) ?? file;
    const red = redOf(last);
    // A file can also fail outside of its tests.
    sum.failed += isRed(last) ? Math.max(1, red.length) : red.length;
    sum.passed += last.assertionResults.filter(({ status }) => status === 'passed').length;
    sum.skipped += last.assertionResults.filter(({ status }) => !['passed', 'failed'].includes(status)).length;
    if (last !== file) sum.unsteady.push(...namesOf(file).filter((name) => !namesOf(last).includes(name)));
  }
  return sum;
}

const redOf = ({ assertionResults }) => assertionResults.filter(({ status }) => status === 'failed');

function namesOf(file) {
  const red = redOf(file).map(({ fullName }) => fullName);
  return isRed(file) && red.length === 0 ? [file.name] : red;
}
