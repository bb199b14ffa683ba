import { firstCourse } from '../../src/migration/course';
import { makePhases } from '../../src/migration/phases';
import { doubtOfFile } from '../../src/tally/judge';
import { aPlan } from '../tools/rows';

const restored = (hasLibraries: boolean) => {
  const plan = aPlan();
  const file = { databases: [], damage: undefined, bytes: 1 };
  return {
    ...plan,
    source: { ...plan.source, file: file as never },
    phases: makePhases(plan.request, false, hasLibraries),
  };
};
const course = (target: number) => ({
  ...firstCourse(aPlan()),
  restarts: { source: 0, target },
  lookDepth: 'values' as const,
});

it.each([
  ['in doubt where the target restarted, whatever its keys are: nobody looked at its libraries', true, 1, true],
  ['in none where it did not', true, 0, false],
  ['in none without libraries, where the values were looked at', false, 1, false],
])('a restored file is %s', (_, hasLibraries, restarts, isInDoubt) => {
  const doubt = doubtOfFile(restored(hasLibraries), course(restarts));
  expect(doubt?.includes('function libraries') ?? false).toBe(isInDoubt);
});
