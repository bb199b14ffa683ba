import { accountedKeys, addCounts, noCounts } from '../../src/migration/counts';
import { etaOf, etaOfReading, nextVisit, percentOf, recentRate } from '../../src/migration/progress';

describe('counts', () => {
  it('add up field by field, and what is left out counts nothing', () => {
    const sum = addCounts({ ...noCounts, scanned: 5, repeats: 1 }, { scanned: 2, copied: 3 });
    expect(sum).toEqual({ ...noCounts, scanned: 7, repeats: 1, copied: 3 });
    expect(accountedKeys(sum)).toBe(6);
  });
});

describe('progress', () => {
  it('is 100 percent only in the end', () => {
    expect([percentOf(0, false), percentOf(0.5155, false), percentOf(1, false), percentOf(1, true)]).toEqual([
      0, 51.5, 99.9, 100,
    ]);
  });

  it('has a rate over the last ten seconds, not over the moment in which ranges write down where they are', () => {
    const start = [0, 0] as const;
    expect(recentRate([start], [0.2, 0], 0)).toBe(0);
    expect(recentRate([start, [0.5, 0], [3, 0]], [4, 400_000], 0)).toBe(100_000);
    expect(recentRate([start, [4, 400_000]], [5, 400_000], 100_000)).toBe(80_000);
    expect(recentRate([start, [5, 9_000], [10, 10_000], [16, 16_000]], [20, 20_000], 0)).toBe(1_000);
    expect(recentRate([[5, 9_000]], [5, 9_000], 77)).toBe(77);
  });

  it.each([
    ['after the app was away', [], [105, 6_000], 1_000],
    ['some time after it was away', [[105, 6_000]], [107, 8_000], 1_000],
    ['when a source that restarted begins anew', [], [6, 100], 1_000],
    ['some time after it began anew', [[6, 100]], [8, 900], 400],
  ] as const)('has a rate that is never negative: %s', (_, since, now, rate) => {
    expect(recentRate([[0, 0], [5, 5_000], ...since], now, 1_000)).toBe(rate);
  });

  it('says how long it will take, or nothing', () => {
    expect(etaOf(0.5, 1_000, 100)).toBe(10);
    expect(etaOf(1, 1_000, 100)).toBe(0);
    expect([etaOf(0, 0, 100), etaOf(0.5, 1_000, 0), etaOf(0.5, 0, 5)]).toEqual([null, null, null]);
  });

  it('says how long the rest of a file takes to be read, or nothing', () => {
    expect(etaOfReading({ bytes: 1_000, of: 11_000, bytesPerSecond: 500 })).toBe(20);
    expect(etaOfReading({ bytes: 11_000, of: 11_000, bytesPerSecond: 500 })).toBe(0);
    expect([
      etaOfReading({ bytes: 1_000, of: 11_000, bytesPerSecond: 0 }),
      etaOfReading({ bytes: 1_000, of: 11_000 }),
    ]).toEqual([null, null]);
  });

  it('is looked at often at the beginning and near the end', () => {
    expect([
      nextVisit(0, null),
      nextVisit(8, 100),
      nextVisit(100, 100),
      nextVisit(100, 1),
      nextVisit(100, null),
    ]).toEqual([0.5, 2, 5, 0.5, 5]);
  });
});
