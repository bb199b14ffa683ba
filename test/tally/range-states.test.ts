import { addToHistory, MOST_POINTS, type HistoryPoint } from '../../src/migration/history';
import { makeRangesReport, standingOf } from '../../src/tally/range-states';
import { aMigration, aRange } from '../tools/rows';

const now = Date.parse('2026-01-01T00:10:00.000Z');
const fresh = '2026-01-01T00:09:59.000Z';
const old = '2026-01-01T00:08:00.000Z';

describe('how a range stands', () => {
  it.each([
    [{ state: 'planned', heartbeat: old, trouble: null }, 'planned'],
    [{ state: 'active', heartbeat: fresh, trouble: null }, 'active'],
    [{ state: 'active', heartbeat: null, trouble: null }, 'active'],
    [{ state: 'active', heartbeat: fresh, trouble: 'The target is full.' }, 'held'],
    [{ state: 'active', heartbeat: old, trouble: 'The target is full.' }, 'silent'],
    [{ state: 'done', heartbeat: old, trouble: null }, 'done'],
    [{ state: 'failed', heartbeat: old, trouble: null }, 'failed'],
    [{ state: 'cancelled', heartbeat: old, trouble: null }, 'cancelled'],
  ] as const)('%j: %s', (row, standing) => {
    expect(standingOf(row, now, 60_000)).toBe(standing);
  });
});

describe('the report of ranges', () => {
  it('has a letter for each, by database and in their order, whatever the order of the rows', () => {
    const rows = [
      aRange(3, { database: 5, index: 1, state: 'failed', cause: 'NOPERM' }),
      aRange(0, { state: 'done' }),
      aRange(2, { database: 5, index: 0, state: 'active', heartbeat: fresh }),
      aRange(1, { state: 'active', heartbeat: old, share: 0.4567 }),
      aRange(0, { phase: 'look', state: 'planned' }),
    ];
    const { databases, troubled, phase } = makeRangesReport(aMigration(), rows, now, 60_000);
    expect(phase).toBe('copy');
    expect(databases).toEqual([
      { database: 0, states: 'ds' },
      { database: 5, states: 'af' },
    ]);
    expect(troubled).toEqual([
      { database: 5, index: 1, state: 'failed', percent: 0, heartbeat: null, message: 'NOPERM' },
      { database: 0, index: 1, state: 'silent', percent: 45.6, heartbeat: old, message: null },
    ]);
  });

  it('counts rows of an earlier epoch as planned', () => {
    const rows = [aRange(0, { state: 'done', epoch: 0 }), aRange(1, { state: 'done', epoch: 1 })];
    expect(makeRangesReport(aMigration({ epoch: 1 }), rows, now, 60_000).databases[0]?.states).toBe('pd');
  });

  it('calls no range silent of a migration that has ended', () => {
    const ended = aMigration({ state: 'failed', finishedAt: fresh });
    expect(
      makeRangesReport(ended, [aRange(0, { state: 'active', heartbeat: old })], now, 60_000).databases[0]?.states,
    ).toBe('a');
  });

  it('stays small for 16,384 ranges that are all in trouble', () => {
    const rows = Array.from({ length: 16_384 }, (_, i) => aRange(i, { state: 'failed', cause: 'x'.repeat(200) }));
    const report = makeRangesReport(aMigration(), rows, now, 60_000);
    expect(report.databases[0]?.states).toBe('f'.repeat(16_384));
    expect(report.troubled).toHaveLength(100);
    expect(JSON.stringify(report).length).toBeLessThan(60_000);
  });
});

describe('the course', () => {
  it('keeps its first and its last point and a bounded number between', () => {
    let history: readonly HistoryPoint[] = [[0, 0]];
    for (let i = 1; i <= 10_000; i++) {
      history = addToHistory(history, [i, i * 7]);
      expect(history.length).toBeLessThanOrEqual(MOST_POINTS);
      expect(history.at(-1)).toEqual([i, i * 7]);
    }
    expect(history[0]).toEqual([0, 0]);
    const seconds = history.map(([at]) => at);
    expect(seconds).toEqual([...new Set(seconds)].sort((a, b) => a - b));
    expect(history.length).toBeGreaterThanOrEqual(MOST_POINTS / 2);
  });

  it('takes no point twice, as when a tally is run again', () => {
    expect(
      addToHistory(
        [
          [0, 0],
          [2, 9],
        ],
        [2, 9],
      ),
    ).toEqual([
      [0, 0],
      [2, 9],
    ]);
  });
});
