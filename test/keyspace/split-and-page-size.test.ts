import fc from 'fast-check';
import { adaptCount, cutToRange, LARGEST_COUNT, nextCount } from '../../src/keyspace/page-size';
import { bitsFor } from '../../src/keyspace/split';

describe('how many ranges a database gets', () => {
  it.each([
    [0, 1],
    [1, 1],
    [8_192, 1],
    [8_193, 4],
    [12_000, 4],
    [33_000, 8],
    [100_000, 16],
    [400_000, 32],
    [1_000_000, 32],
    [10_000_000, 512],
  ])('%d keys: %d ranges', (keys, count) => {
    expect(2 ** bitsFor(keys)).toBe(count);
  });

  it.each([
    // Large values: more ranges, as long as each has keys enough.
    [8_000, 8e9, 2],
    [2_000, 8e9, 1],
    [40_000, 8e9, 16],
    [1_000_000, 8e9, 256],
    [1_000_000, 1e9, 32],
    [400_000, 1e3, 32],
  ])('%d keys of %d bytes together: %d ranges', (keys, bytes, count) => {
    expect(2 ** bitsFor(keys, bytes)).toBe(count);
  });

  it('never falls with more keys and is at most 16,384', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 40 }), fc.integer({ min: 0, max: 2 ** 40 }), (a, b) => {
        expect(bitsFor(Math.min(a, b))).toBeLessThanOrEqual(bitsFor(Math.max(a, b)));
        expect(Number.isInteger(bitsFor(a)) && bitsFor(a) >= 0 && bitsFor(a) <= 14).toBe(true);
      }),
    );
  });

  it('is enough for several workers from ten thousand keys on', () => {
    expect(2 ** bitsFor(10_000)).toBeGreaterThanOrEqual(4);
    expect(2 ** bitsFor(1_000_000)).toBeGreaterThanOrEqual(16);
    expect(bitsFor(Number.MAX_SAFE_INTEGER)).toBe(14);
  });
});

describe("a page's COUNT", () => {
  const counts = fc.integer({ min: 1, max: LARGEST_COUNT });
  const micros = fc.double({ min: 0, max: 1e9, noNaN: true });

  it('is at most doubled or halved at a step and stays between 1 and the largest', () => {
    fc.assert(
      fc.property(counts, micros, (count, took) => {
        const next = adaptCount(count, took, 2_000);
        expect(Number.isInteger(next)).toBe(true);
        expect(next).toBeGreaterThanOrEqual(Math.max(1, Math.round(count / 2)));
        expect(next).toBeLessThanOrEqual(Math.min(LARGEST_COUNT, count * 2));
      }),
    );
  });

  it('comes to rest where the server takes the time wanted', () => {
    let count = 1;
    for (let page = 0; page < 30; page++) count = adaptCount(count, count * 10, 2_000);
    expect(count).toBe(200);
  });

  it('can grow from 1 again', () => {
    expect(adaptCount(1, 1, 2_000)).toBe(2);
  });

  it('is cut to fewer keys than are left, and never to less than one', () => {
    fc.assert(
      fc.property(counts, fc.double({ min: 0, max: 1e6, noNaN: true }), (count, left) => {
        const cut = cutToRange(count, left, 0);
        expect(cut).toBeGreaterThanOrEqual(1);
        expect(cut).toBeLessThanOrEqual(Math.max(1, Math.min(count, left)));
      }),
    );
  });

  it('comes to the end of a range in few steps', () => {
    let steps = 0;
    for (let left = 250; left >= 1; left -= cutToRange(250, left, 0)) steps++;
    expect(steps).toBeLessThan(8);
  });

  it('grows again over pages without keys, up to what it was', () => {
    const cuts = Array.from({ length: 14 }, (_, empty) => cutToRange(500, 4, empty));
    expect(cuts[0]).toBe(2);
    expect(cuts.at(-1)).toBe(500);
    expect(cuts).toEqual([...cuts].sort((a, b) => a - b));
  });
});

it('keeps light pages from shrinking when only the clock says that they take long', () => {
  expect(nextCount(250, 40_000, 2_000, 10_000)).toBe(250);
  expect(nextCount(2_000, 40_000, 2_000, 100_000)).toBe(1_000);
  expect(nextCount(250, 40_000, 2_000, 1_000_000)).toBe(125);
  expect(nextCount(10, 10, 2_000, 0)).toBe(20);
});
