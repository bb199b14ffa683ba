import { ROW_VERSION, versionOfPlan } from '../../src/ledger/row-schemas';
import { makePhases, readPhase, works, type Work } from '../../src/migration/phases';
import { aRequest } from '../tools/rows';

describe('the version of a plan row', () => {
  it('is one that every app knows, where all of its phases are of those', () => {
    for (const mode of ['copy', 'sync', 'compare', 'dry-run'] as const) {
      expect(versionOfPlan({ phases: makePhases(aRequest({ mode }), true) })).toBe(ROW_VERSION);
    }
  });

  it.each<[Work, number]>([
    ['seal', 3],
    ['libraries', 3],
    ['follow', 3],
    ['read', 4],
  ])('is newer with a phase that an app before takes for one that is broken: %s', (work, version) => {
    expect(versionOfPlan({ phases: [{ work: 'copy' }, { work }] })).toBe(version);
  });

  it('is known for all that is done in phases', () => {
    for (const work of works) expect(versionOfPlan({ phases: [{ work }] })).toBeGreaterThanOrEqual(ROW_VERSION);
    expect(versionOfPlan({ phases: [readPhase] })).toBe(4);
  });
});
