import fc from 'fast-check';
import {
  endOfRange,
  endPlace,
  placeOf,
  shareAhead,
  startCursor,
  startPlace,
  type CursorRange,
} from '../../src/keyspace/cursor';
import { reverse } from './simulated-table';

const FULL = 1n << 64n;
const ranges = fc
  .integer({ min: 0, max: 14 })
  .chain((bits) => fc.record({ bits: fc.constant(bits), index: fc.integer({ min: 0, max: 2 ** bits - 1 }) }));
const cursors = fc.bigInt({ min: 0n, max: FULL - 1n });

describe('a cursor', () => {
  it("has its place in the walk where its 64 bits' reversal says", () => {
    fc.assert(fc.property(cursors, (cursor) => placeOf(cursor) === reverse(cursor)));
  });

  it('is the place of its own place', () => {
    fc.assert(fc.property(cursors, (cursor) => placeOf(placeOf(cursor)) === cursor));
  });
});

describe('the ranges of a database', () => {
  it('follow each other without a gap from the first place to the last', () => {
    for (let bits = 0; bits <= 10; bits++) {
      const all = Array.from({ length: 2 ** bits }, (_, index): CursorRange => ({ index, bits }));
      expect(startPlace(all[0]!)).toBe(0n);
      expect(endPlace(all.at(-1)!)).toBe(FULL);
      all.slice(1).forEach((range, i) => {
        expect(startPlace(range)).toBe(endPlace(all[i]!));
      });
    }
  });

  it("start at their index's bits reversed, as the design says", () => {
    expect([0, 1, 2, 3].map((index) => startCursor({ index, bits: 2 }))).toEqual([0n, 2n, 1n, 3n]);
    expect(startCursor({ index: 1, bits: 14 })).toBe(1n << 13n);
  });

  it('end where the next begins, and only there', () => {
    fc.assert(
      fc.property(ranges, cursors, (range, cursor) => {
        const place = cursor === 0n ? FULL : placeOf(cursor);
        const { ended, beyond } = endOfRange(range, cursor);
        return ended === place >= endPlace(range) && beyond === place > endPlace(range);
      }),
    );
  });

  it('end at cursor 0, the end of the table, which is beyond all but the last', () => {
    expect(endOfRange({ index: 3, bits: 2 }, 0n)).toEqual({ ended: true, beyond: false });
    expect(endOfRange({ index: 2, bits: 2 }, 0n)).toEqual({ ended: true, beyond: true });
  });

  it('have all of themselves ahead at the start, nothing at the end, and never more later', () => {
    fc.assert(
      fc.property(ranges, cursors, cursors, (range, a, b) => {
        const [first, second] = placeOf(a) < placeOf(b) ? [a, b] : [b, a];
        const shares = [shareAhead(range, first), shareAhead(range, second)] as const;
        expect(shares[0]).toBeGreaterThanOrEqual(shares[1]);
        expect(shares[1]).toBeGreaterThanOrEqual(0);
        expect(shares[0]).toBeLessThanOrEqual(1);
        expect(shareAhead(range, startCursor(range))).toBe(1);
      }),
    );
  });
});
