import {
  lookDepths,
  makePhases,
  phaseAt,
  placeInPlan,
  withWalk,
  writesTarget,
  type Phase,
} from '../../src/migration/phases';
import { PHASE_NAME } from '../../src/migration/rows';
import { aRequest } from '../tools/rows';

const phasesOf = (request: Record<string, unknown>, walksTarget = false) => makePhases(aRequest(request), walksTarget);
const named = (...names: string[]) => {
  const [copy] = phasesOf({});
  return { phases: names.map((name): Phase => ({ ...copy!, name })) };
};

describe('the phases of a plan', () => {
  it.each<[Record<string, unknown>, boolean, string[]]>([
    [{}, false, ['copy', 'look']],
    [{ mode: 'dry-run' }, false, ['survey']],
    [{ mode: 'compare' }, false, ['compare']],
    [{ mode: 'compare' }, true, ['compare', 'extra']],
    [{ mode: 'sync' }, false, ['sync', 'look']],
    [{ mode: 'sync', deleteExtra: true }, true, ['sync', 'extra', 'look']],
  ])('are for %j, with the target walked: %s, %j', (request, walksTarget, names) => {
    const phases = phasesOf(request, walksTarget);
    expect(phases.map(({ name }) => name)).toEqual(names);
    // Row keys, messages and schemas hold such names only.
    expect(phases.every(({ name }) => PHASE_NAME.test(name))).toBe(true);
    expect(phases.filter(({ side }) => side === 'target').map(({ name }) => name)).toEqual(
      walksTarget ? ['extra'] : [],
    );
    expect(phases[0]).toMatchObject({ when: { kind: 'always' }, counts: 'all', state: 'running' });
    expect(writesTarget({ phases })).toBe(request.mode !== 'dry-run' && request.mode !== 'compare');
  });

  it('look as closely as was asked for, and where the target has other data at what was written', () => {
    const whenOf = (request: Record<string, unknown>) => phasesOf(request).at(-1)?.when;
    expect(whenOf({})).toMatchObject({ asked: undefined, otherData: 'values', byNumbers: true });
    expect(whenOf({ verify: 'none' })).toMatchObject({ asked: undefined, otherData: 'values', byNumbers: false });
    expect(whenOf({ verify: 'quick' })).toMatchObject({ asked: 'quick', otherData: 'values' });
    expect(whenOf({ onConflict: 'skip' })).toMatchObject({ otherData: 'existence' });
    expect(whenOf({ onConflict: 'skip', verify: 'quick' })).toMatchObject({ otherData: 'quick' });
    expect(whenOf({ onConflict: 'skip', verify: 'full' })).toMatchObject({ asked: 'values', otherData: 'values' });
    expect(whenOf({ mode: 'sync' })).toMatchObject({ byNumbers: false });
    expect(lookDepths.indexOf('existence')).toBeLessThan(lookDepths.indexOf('values'));
  });

  it('are found by name and pass, and named by their place', () => {
    const plan = named('sync', 'look', 'sync', 'look');
    expect([0, 1, 2, 3].map((place) => phaseAt(plan, place))).toEqual([
      { phase: 'sync', pass: 0 },
      { phase: 'look', pass: 0 },
      { phase: 'sync', pass: 1 },
      { phase: 'look', pass: 1 },
    ]);
    expect([0, 1, 2, 3].map((place) => placeInPlan(plan, phaseAt(plan, place)))).toEqual([0, 1, 2, 3]);
    expect(placeInPlan(plan, { phase: 'look' })).toBe(1);
    expect(() => placeInPlan(plan, { phase: 'sync', pass: 2 })).toThrow('no phase "sync"');
    expect(() => phaseAt(plan, 4)).toThrow('no phase');
  });
});

describe('walks that count', () => {
  const walk = (place: number, epoch: number) => ({ place, epoch });
  it.each<[string, ReturnType<typeof walk>[], ReturnType<typeof walk>, ReturnType<typeof walk>[]]>([
    ['a first one', [], walk(0, 0), [walk(0, 0)]],
    ['one after another', [walk(0, 0)], walk(1, 0), [walk(0, 0), walk(1, 0)]],
    ['one anew', [walk(0, 0), walk(1, 0)], walk(1, 1), [walk(0, 0), walk(1, 1)]],
    ['an earlier one anew', [walk(0, 0), walk(1, 0)], walk(0, 1), [walk(0, 1)]],
    ['another pass, in the same rows', [walk(0, 0), walk(1, 0)], walk(2, 1), [walk(1, 0), walk(2, 1)]],
    ['one behind others that were left out', [walk(0, 0)], walk(3, 0), [walk(0, 0), walk(3, 0)]],
  ])('are, with %s', (_, walks, begun, expected) => {
    expect(withWalk(named('sync', 'look', 'sync', 'extra'), walks, begun)).toEqual(expected);
  });
});
