import { noCounts } from '../../src/migration/counts';
import { isUntouched } from '../../src/tally/settle-ranges';
import { firstSnapshot } from '../../src/migration/report';
import { standstillOf, workDone } from '../../src/tally/snapshot';
import { sumRanges } from '../../src/tally/sum';
import { abandonedRanges } from '../../src/tally/abandoned';
import { isResting, type RangeState } from '../../src/migration/rows';
import { aMigration, aPlan, aRange } from '../tools/rows';

describe('sums', () => {
  const counts = { ...noCounts, scanned: 10, copied: 9, failed: 1, findings: 1 };

  it('weigh ranges by the keys of their databases', () => {
    const plan = aPlan({
      databases: [
        { database: 0, targetDatabase: 0, prefix: '', keys: 900, bits: 0 },
        { database: 1, targetDatabase: 1, prefix: '', keys: 100, bits: 0 },
      ],
    });
    const whole = { bits: 0, index: 0 };
    const rows = [
      aRange(0, { ...whole, share: 0.5, state: 'active' }),
      aRange(1, { ...whole, database: 1, share: 1, state: 'done' }),
    ];
    expect(sumRanges(aMigration({ plan }), rows).share).toBeCloseTo(0.55);
    expect(sumRanges(aMigration({ plan }), []).share).toBe(1);
  });

  it('keep the counts of the copy in the second look, and take only what is missing from it', () => {
    const rows = [
      aRange(0, { state: 'done', share: 1, counts }),
      aRange(0, { phase: 'look', state: 'active', counts: { ...noCounts, scanned: 10, missing: 2, findings: 2 } }),
    ];
    const sum = sumRanges(aMigration({ phase: 'look' }), rows);
    expect(sum.counts).toEqual({ ...counts, missing: 2, findings: 3 });
    expect(sum.ranges).toEqual({ planned: 0, active: 1, done: 0, failed: 0, cancelled: 0 });
  });

  it('tell the time that is left only where keys are counted: what was copied says nothing of how fast keys are looked up', () => {
    const copied = { ...noCounts, scanned: 100_000, copied: 100_000 };
    const rowsOf = (phase: string) => [
      aRange(0, { state: 'done', share: 1, counts: copied }),
      ...(phase === 'copy' ? [] : [aRange(0, { phase, state: 'active', share: 0.1 })]),
      ...(phase === 'copy' ? [aRange(1, { state: 'active', share: 0.5, counts: copied })] : []),
    ];
    const progressOf = (phase: string) => {
      const migration = aMigration({ phase });
      const sum = sumRanges(migration, rowsOf(phase));
      const before = { ...firstSnapshot(migration), history: [[0, 0] as const, [90, 50_000] as const] };
      return workDone(migration, sum, before, Date.parse(migration.startedAt) + 100_000).progress;
    };
    expect(progressOf('copy')).toMatchObject({ phase: 'copy', etaSeconds: expect.any(Number) as number });
    expect(progressOf('look')).toMatchObject({ phase: 'look', etaSeconds: null });
  });

  it('tell troubles once, and only of ranges at work; and the first cause of a failed one', () => {
    const rows = [
      aRange(0, { state: 'active', trouble: 'full', heartbeat: '2026-01-01T00:00:01.000Z' }),
      aRange(1, { state: 'active', trouble: 'full', heartbeat: '2026-01-01T00:00:03.000Z' }),
      aRange(2, { state: 'planned', trouble: 'over' }),
      aRange(3, { state: 'failed', cause: 'why' }),
    ];
    expect(sumRanges(aMigration(), rows)).toMatchObject({
      troubles: ['full'],
      cause: 'why',
      lastHeartbeat: '2026-01-01T00:00:03.000Z',
    });
  });
});

describe('silence', () => {
  const at = (iso: string) => Date.parse(iso);
  const before = {
    at: '2026-01-01T00:00:00.000Z',
    lastHeartbeat: 'beat',
    quietSeconds: 100,
    moved: 'so far',
    stalledSeconds: 200,
    trouble: 'full',
  };
  const still = { lastHeartbeat: 'beat', moved: 'so far', trouble: null };
  const soon = at('2026-01-01T00:00:05.000Z');

  it('grows while the tally watches and nothing beats', () => {
    expect(standstillOf(before, still, soon)).toEqual({ quietSeconds: 105, stalledSeconds: 205, trouble: 'full' });
  });

  it('ends with the next beat, of whatever phase or epoch, which alone is no progress', () => {
    const beats = { quietSeconds: 0, stalledSeconds: 205, trouble: 'full' };
    expect(standstillOf(before, { ...still, lastHeartbeat: 'new beat' }, soon)).toEqual(beats);
    expect(standstillOf(before, { ...still, lastHeartbeat: null }, soon)).toEqual(beats);
  });

  it('is a standstill no more when something was done, and what was met before is forgotten', () => {
    const moves = { ...still, lastHeartbeat: 'new beat', moved: 'further' };
    expect(standstillOf(before, moves, soon)).toEqual({ quietSeconds: 0, stalledSeconds: 0, trouble: null });
    expect(standstillOf(before, { ...moves, trouble: 'lost' }, soon)).toMatchObject({ trouble: 'lost' });
  });

  it('does not count the time in which nobody watched: a whole app that was away, or a clock that was set', () => {
    expect(standstillOf(before, still, at('2026-01-02T00:00:00.000Z')).quietSeconds).toBe(110);
    expect(standstillOf(before, still, at('2025-12-31T23:00:00.000Z'))).toMatchObject({ quietSeconds: 100 });
  });
});

it('a range that is settled is not one that nobody works on', () => {
  const heartbeat = new Date(0).toISOString();
  expect(isUntouched(aRange(0, { state: 'done', heartbeat }), 1e9, 1)).toBe(false);
  expect(isUntouched(aRange(0, { state: 'active', heartbeat }), 1e9, 1)).toBe(true);
});

describe('ranges that are sent again', () => {
  const silenceMs = 60_000;
  const [moving, silent] = [silenceMs - 1, silenceMs];
  const WITHOUT_LIMIT = 1_024;
  const abandoned = (
    states: readonly [RangeState, number][],
    parallel = 0,
    sentAgain = 0,
    resting: readonly number[] = [],
  ) =>
    abandonedRanges(
      states.map(([state], number) => aRange(number, { state })),
      {
        ...{ chains: parallel === 0 ? WITHOUT_LIMIT : parallel, isLimited: parallel > 0 },
        ...{ stillFor: ({ number }) => states[number]![1], sentAgain: () => sentAgain, silenceMs },
        rests: ({ number }) => resting.includes(number),
      },
    ).map(({ number }) => number);

  it('are active ones whose worker is silent', () => {
    expect(
      abandoned([
        ['active', silent],
        ['active', moving],
        ['done', silent * 9],
      ]),
    ).toEqual([0]);
  });

  it('are not those that wait in the queue while others move', () => {
    expect(
      abandoned([
        ['active', moving],
        ['planned', silent * 9],
      ]),
    ).toEqual([]);
    expect(
      abandoned([
        ['done', moving],
        ['planned', silent * 9],
      ]),
    ).toEqual([]);
  });

  it('are all that are open when nothing has moved at all', () => {
    expect(
      abandoned([
        ['planned', silent],
        ['active', silent],
        ['failed', silent],
      ]),
    ).toEqual([0, 1]);
  });

  it('are not those that wait until they begin anew', () => {
    const planned: [RangeState, number] = ['planned', silent];
    expect(abandoned([planned, planned, ['active', silent]], 0, 0, [1, 2])).toEqual([0, 2]);
  });

  it('rest until the time in their row, and for a silence behind it, but not for longer than any rests', () => {
    const now = 1e12;
    const rests = (fromNow: number) => isResting({ restsUntil: new Date(now + fromNow).toISOString() }, now, silenceMs);
    expect([-silenceMs, -silenceMs + 1, 0, 60_000, 3_600_000].map(rests)).toEqual([false, true, true, true, false]);
    expect(isResting({ restsUntil: null }, now, silenceMs)).toBe(false);
  });

  it('are only the heads of chains where there are chains', () => {
    const planned: [RangeState, number] = ['planned', silent];
    expect(abandoned([planned, planned, planned, planned], 2)).toEqual([0, 1]);
  });

  it('are the heads of chains that stand still while others move', () => {
    const rows = (stillFor: number): [RangeState, number][] => [
      ['active', 0],
      ['planned', stillFor],
      ['planned', stillFor],
      ['planned', stillFor],
    ];
    expect(abandoned(rows(2 * silent), 2)).toEqual([]);
    expect(abandoned(rows(3 * silent), 2)).toEqual([1]);
  });

  it('are sent more and more seldom while they wait for their turn', () => {
    const planned = (stillFor: number): [RangeState, number][] => [['planned', stillFor]];
    expect([abandoned(planned(4 * silent), 0, 3), abandoned(planned(8 * silent), 0, 3)]).toEqual([[], [0]]);
    expect([abandoned(planned(63 * silent), 0, 30), abandoned(planned(64 * silent), 0, 30)]).toEqual([[], [0]]);
  });
});
