import fc from 'fast-check';
import { firstOfChains, headsOfChains, nextInChain } from '../../src/range/chain';
import { accountedKeys, addCounts, noCounts } from '../../src/migration/counts';
import { etaOf, nextVisit, percentOf, recentRate } from '../../src/migration/progress';
import {
  chunkBytesOf,
  expectedKeysOf,
  pageLimitsOf,
  parallelRangesOf,
  shareOfRange,
} from '../../src/range/range-shape';
import { isUntouched, SILENT_MS } from '../../src/tally/settle-untouched';
import { sumRanges } from '../../src/tally/sum';
import { quietTime } from '../../src/tally/snapshot';
import { silentRanges } from '../../src/tally/watch-migrations';
import { isSettled } from '../../src/migration/rows';
import { aMigration, aPlan, aRange, aRequest } from '../tools/rows';

describe('counts', () => {
  it('add up field by field, and what is left out counts nothing', () => {
    const sum = addCounts({ ...noCounts, scanned: 5, repeats: 1 }, { scanned: 2, copied: 3 });
    expect(sum).toEqual({ ...noCounts, scanned: 7, repeats: 1, copied: 3 });
    expect(accountedKeys(sum)).toBe(6);
  });
});

describe('chains of ranges', () => {
  it('have every range in exactly one, with never more at work than allowed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 70 }), (count, parallel) => {
        const rows = Array.from({ length: count }, (_, i) => aRange(i));
        const done = new Set<number>();
        let open: number[] = firstOfChains(rows, parallel).map(({ number }) => number);
        while (open.length > 0) {
          expect(open.length).toBeLessThanOrEqual(parallel);
          const [number = -1, ...others] = open;
          expect(done.has(number)).toBe(false);
          done.add(number);
          const next = nextInChain(number, parallel) ?? -1;
          open = next < count ? [...others, next] : others;
        }
        expect(done.size).toBe(count);
      }),
    );
  });

  it('have as heads what must be at work: the first of each that is not settled', () => {
    const rows = [0, 1, 2, 3, 4, 5].map((i) => aRange(i, { state: [0, 2, 3].includes(i) ? 'done' : 'planned' }));
    expect(
      headsOfChains(rows, 2, isSettled)
        .map(({ number }) => number)
        .sort(),
    ).toEqual([1, 4]);
    expect(headsOfChains(rows, 0, isSettled).map(({ number }) => number)).toEqual([1, 4, 5]);
    expect(nextInChain(5, 0)).toBeUndefined();
  });
});

describe('limits', () => {
  const plan = (limits: Record<string, number>, bits = 5) =>
    aPlan({
      request: aRequest({ limits }),
      databases: [{ database: 0, targetDatabase: 0, prefix: '', keys: 9, bits }],
    });

  it.each([
    [{}, 5, 0, 0],
    [{ parallelRanges: 3 }, 5, 3, 0],
    [{ keysPerSecond: 1_000 }, 5, 8, 125],
    [{ keysPerSecond: 1_000 }, 0, 1, 1_000],
    [{ keysPerSecond: 1_000 }, 2, 4, 250],
    [{ keysPerSecond: 1_000, parallelRanges: 20 }, 5, 20, 50],
    [{ keysPerSecond: 3 }, 5, 3, 1],
  ])('of %j over 2^%d ranges: %d at once, %d keys a second each', (limits, bits, parallel, rate) => {
    expect(parallelRangesOf(plan(limits, bits))).toBe(parallel);
    expect(shareOfRange(plan(limits, bits)).keysPerSecond).toBe(rate);
  });

  it('of all ranges together are what was asked for, never more', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e6 }),
        fc.integer({ min: 0, max: 100 }),
        fc.integer({ min: 0, max: 8 }),
        (keysPerSecond, parallelRanges, bits) => {
          const limited = plan({ keysPerSecond, parallelRanges }, bits);
          expect(parallelRangesOf(limited) * shareOfRange(limited).keysPerSecond).toBeCloseTo(keysPerSecond);
          expect(shareOfRange(limited).keysPerSecond).toBeGreaterThanOrEqual(1);
        },
      ),
    );
  });

  it('on bytes and on latency keep few ranges at work, and are shared by them', () => {
    expect(shareOfRange(plan({ bytesPerSecond: 8_000_000 }))).toMatchObject({ bytesPerSecond: 1_000_000 });
    expect(parallelRangesOf(plan({ maxSourceLatencyMs: 2 }))).toBe(1);
    expect(parallelRangesOf(plan({ maxSourceLatencyMs: 2, parallelRanges: 4 }))).toBe(4);
    expect(parallelRangesOf(plan({ maxSourceLatencyMs: 0.25, parallelRanges: 4 }))).toBe(2);
    expect(parallelRangesOf(plan({ maxSourceLatencyMs: 0.05, parallelRanges: 4 }))).toBe(1);
    expect(shareOfRange(plan({ maxSourceLatencyMs: 2 })).maxSourceLatencyMs).toBe(2);
  });

  it('on latency make pages smaller, for all ranges together', () => {
    expect(pageLimitsOf(plan({}), 2_000)).toEqual({ pageMicros: 2_000, firstCount: 100, evenIfLight: false });
    expect(pageLimitsOf(plan({ maxSourceLatencyMs: 2 }), 2_000)).toMatchObject({
      pageMicros: 1_000,
      evenIfLight: true,
    });
    expect(pageLimitsOf(plan({ maxSourceLatencyMs: 2, parallelRanges: 4 }), 2_000).pageMicros).toBe(250);
    expect(pageLimitsOf(plan({ maxSourceLatencyMs: 0.05 }), 2_000)).toMatchObject({ pageMicros: 50, firstCount: 5 });
    expect(pageLimitsOf(plan({ maxSourceLatencyMs: 500 }), 2_000).pageMicros).toBe(2_000);
  });

  it('make pieces of big keys smaller', () => {
    expect(chunkBytesOf(plan({}))).toBe(1_048_576);
    expect(chunkBytesOf(plan({ maxSourceLatencyMs: 2 }))).toBe(32_768);
    expect(chunkBytesOf(plan({ bytesPerSecond: 800_000 }))).toBe(100_000);
    expect(chunkBytesOf(plan({ bytesPerSecond: 8 }))).toBe(16_384);
  });

  it('know how many keys a range should have', () => {
    expect(expectedKeysOf({ keys: 1_000, bits: 3 })).toBe(125);
  });
});

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

describe('silence', () => {
  const at = (iso: string) => Date.parse(iso);
  const before = { at: '2026-01-01T00:00:00.000Z', lastHeartbeat: 'beat', quietSeconds: 100 };

  it('grows while the tally watches and nothing beats', () => {
    expect(quietTime(before, 'beat', at('2026-01-01T00:00:05.000Z'))).toBe(105);
  });

  it('ends with the next beat, of whatever phase or epoch', () => {
    expect(quietTime(before, 'new beat', at('2026-01-01T00:00:05.000Z'))).toBe(0);
    expect(quietTime(before, null, at('2026-01-01T00:00:05.000Z'))).toBe(0);
  });

  it('does not count the time in which nobody watched: a whole app that was away', () => {
    expect(quietTime(before, 'beat', at('2026-01-02T00:00:00.000Z'))).toBe(130);
  });
});

describe('ranges that are sent again', () => {
  const now = 10_000_000;
  const beat = (ago: number) => new Date(now - ago).toISOString();
  const silent = (rows: Parameters<typeof silentRanges>[0], parallel = 0, startedAt = 0) =>
    silentRanges(rows, parallel, startedAt, now).map(({ number }) => number);

  it('are active ones whose worker is silent for a minute', () => {
    const rows = [
      aRange(0, { state: 'active', heartbeat: beat(SILENT_MS + 1) }),
      aRange(1, { state: 'active', heartbeat: beat(SILENT_MS - 1) }),
      aRange(2, { state: 'done', heartbeat: beat(SILENT_MS * 9) }),
    ];
    expect(silent(rows)).toEqual([0]);
    expect(isUntouched(rows[2]!, now)).toBe(false);
  });

  it('are not those that wait in the queue while others move', () => {
    const rows = [
      aRange(0, { state: 'active', heartbeat: beat(1_000) }),
      aRange(1),
      aRange(2, { heartbeat: beat(SILENT_MS * 5) }),
    ];
    expect(silent(rows)).toEqual([]);
  });

  it('are all that are open when nothing has moved at all for a minute', () => {
    expect(silent([aRange(0), aRange(1, { heartbeat: beat(SILENT_MS * 2) })])).toEqual([0, 1]);
    expect(silent([aRange(0)], 0, now - 1_000)).toEqual([]);
  });

  it('are only the heads of chains where there are chains', () => {
    expect(silent([aRange(0), aRange(1), aRange(2), aRange(3)], 2)).toEqual([0, 1]);
  });
});
