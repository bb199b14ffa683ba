import { endPlace, placeOf, startPlace, type CursorRange } from './cursor';
import { SLOTS } from './hash-slot';

/**
 * A walk over the slots of a cluster goes by cursors as well: the place of a slot's first key has the slot in its 14 high bits, so
 * that ranges, shares and ends are those of any walk, and a range is an interval of slots.
 */
const SLOT_BITS = 14;
const INNER_BITS = BigInt(64 - SLOT_BITS);

/** More ranges than slots there cannot be. */
export const MOST_SLOT_BITS = SLOT_BITS;

/** The slot that a cursor stands at the beginning of. */
export function slotOf(cursor: bigint): number {
  return Number(placeOf(cursor) >> INNER_BITS);
}

/** The cursor at the beginning of a slot; behind the last one, 0: the end of a walk. */
export function cursorAt(slot: number): bigint {
  return slot >= SLOTS ? 0n : placeOf(BigInt(slot) << INNER_BITS);
}

/** The first slot of a range. */
export function firstSlotOf(range: CursorRange): number {
  return Number(startPlace(range) >> INNER_BITS);
}

/** The last slot of a range. */
export function lastSlotOf(range: CursorRange): number {
  return Number(endPlace(range) >> INNER_BITS) - 1;
}
