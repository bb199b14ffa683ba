import { endOfRange, shareAhead, startCursor } from '../../src/keyspace/cursor';
import { SLOTS } from '../../src/keyspace/hash-slot';
import { cursorAt, lastSlotOf, slotOf } from '../../src/keyspace/slot-walk';

it('every slot has a cursor, and the end is 0', () => {
  for (let slot = 0; slot < SLOTS; slot++) expect(slotOf(cursorAt(slot))).toBe(slot);
  expect(cursorAt(SLOTS)).toBe(0n);
});

it.each([0, 1, 2, 5, 14])('2^%i ranges are intervals of slots that follow each other', (bits) => {
  let next = 0;
  for (let index = 0; index < 2 ** bits; index++) {
    const range = { index, bits };
    expect(slotOf(startCursor(range))).toBe(next);
    const last = lastSlotOf(range);
    expect(last - next + 1).toBe(SLOTS / 2 ** bits);
    expect(endOfRange(range, cursorAt(last + 1))).toEqual({ ended: true, beyond: false });
    if (last > next) {
      expect(endOfRange(range, cursorAt(last))).toEqual({ ended: false, beyond: false });
      expect(shareAhead(range, cursorAt(last))).toBeCloseTo(1 / (last - next + 1));
    }
    next = last + 1;
  }
  expect(next).toBe(SLOTS);
});
