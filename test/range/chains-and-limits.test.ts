import fc from 'fast-check';
import { isSettled } from '../../src/migration/rows';
import { headsOfChains, nextInChain } from '../../src/range/chain';
import {
  chainsOf,
  chunkBytesOf,
  expectedKeysOf,
  pageLimitsOf,
  parallelRangesOf,
  shareOfRange,
} from '../../src/range/range-shape';
import { aPlan, aRange, aRequest } from '../tools/rows';

describe('chains of ranges', () => {
  it('have every range in exactly one, with never more at work than allowed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 70 }), (count, parallel) => {
        const rows = Array.from({ length: count }, (_, i) => aRange(i));
        const done = new Set<number>();
        let open: number[] = headsOfChains(rows, parallel, isSettled).map(({ number }) => number);
        while (open.length > 0) {
          expect(open.length).toBeLessThanOrEqual(parallel);
          const [number = -1, ...others] = open;
          expect(done.has(number)).toBe(false);
          done.add(number);
          const next = nextInChain(number, parallel);
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
    expect(headsOfChains(rows, 1_024, isSettled).map(({ number }) => number)).toEqual([1, 4, 5]);
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
    expect(chainsOf(plan(limits, bits))).toBe(parallel === 0 ? 1_024 : parallel);
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
