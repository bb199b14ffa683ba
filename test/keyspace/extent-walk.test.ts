import { endOfRange, shareAhead, startCursor } from '../../src/keyspace/cursor';
import { ExtentWalk } from '../../src/keyspace/extent-walk';

describe.each([
  [0, 0],
  [0, 1],
  [0, 3_945_158],
  [5, 33_554_432],
  [10, 1],
  [10, 200_000_000_000],
])('a walk over the bytes of one of 2^%i ranges with %i bytes', (bits, bytes) => {
  const indexes = [...new Set([0, 1, 2 ** bits - 1])].filter((index) => index < 2 ** bits);

  it.each(indexes)('gives back each place, and ends where the range does (range %i)', (index) => {
    const range = { index, bits };
    const walk = new ExtentWalk(range, bytes);
    expect(walk.offsetOf(startCursor(range))).toBe(0);
    // At its very beginning the first range has the cursor 0, which no page leads to.
    for (const offset of [1, 2, bytes >> 1, Math.floor(bytes / 3), bytes - 1].filter((at) => at > 0 && at < bytes)) {
      const cursor = walk.cursorAt(offset);
      expect(walk.offsetOf(cursor)).toBe(offset);
      expect(endOfRange(range, cursor)).toEqual({ ended: false, beyond: false });
      expect(shareAhead(range, cursor)).toBeCloseTo(1 - offset / (bytes + 1), 3);
    }
    expect(endOfRange(range, walk.cursorAt(bytes))).toEqual({ ended: true, beyond: false });
  });
});

it('takes no cursor of another range', () => {
  const walk = new ExtentWalk({ index: 3, bits: 2 }, 1_000);
  expect(() => walk.offsetOf(0n)).toThrow('another range');
});
