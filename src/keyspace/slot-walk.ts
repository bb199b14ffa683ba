import { endPlace, placeOf, startPlace, type CursorRange } from './cursor';
import { SLOTS } from './hash-slot';

/**
 * A walk over the slots of a cluster goes by cursors as well: the place of a slot's first key has the slot in its 14 high bits, so
 * that ranges, shares and ends are those of any walk, and a range is an interval of slots. Inside a slot its keys stand by the 50 bits
 * of `innerPlaceOf`, so that a cursor there, too, means the same on every node.
 */
const SLOT_BITS = 14;
const INNER_BITS = BigInt(64 - SLOT_BITS);

/** More ranges than slots there cannot be. */
export const MOST_SLOT_BITS = SLOT_BITS;

/** The slot that a cursor stands in. */
export function slotOf(cursor: bigint): number {
  return Number(placeOf(cursor) >> INNER_BITS);
}

/** Where in its slot a cursor stands: all keys of a lower place are behind it. 0 is the beginning. */
export function innerOf(cursor: bigint): number {
  return Number(BigInt.asUintN(Number(INNER_BITS), placeOf(cursor)));
}

/** The cursor at a place in a slot, or at its beginning; behind the last slot, 0: the end of a walk. */
export function cursorAt(slot: number, inner = 0): bigint {
  return slot >= SLOTS ? 0n : placeOf((BigInt(slot) << INNER_BITS) | BigInt(inner));
}

/** The first place behind a slot. */
export const INNER_END = 2 ** Number(INNER_BITS);

/**
 * The place of a key in its slot: 50 bits of a hash of its name. Cursors in stored rows are such places: it must stay as it is.
 * cyrb53 over bytes: https://github.com/bryc/code/blob/master/jshash/experimental/cyrb53.js
 */
export function innerPlaceOf(key: Uint8Array): number {
  let [h1, h2] = [0xdeadbeef, 0x41c6ce57];
  for (const byte of key) {
    h1 = Math.imul(h1 ^ byte, 0x9e3779b1);
    h2 = Math.imul(h2 ^ byte, 0x5f356495);
  }
  h1 = Math.imul(h1 ^ (h1 >>> 16), 0x85ebca6b) ^ Math.imul(h2 ^ (h2 >>> 13), 0xc2b2ae35);
  h2 = Math.imul(h2 ^ (h2 >>> 16), 0x85ebca6b) ^ Math.imul(h1 ^ (h1 >>> 13), 0xc2b2ae35);
  return 2 ** 32 * (h2 & 0x3ffff) + (h1 >>> 0);
}

/** The first slot of a range. */
export function firstSlotOf(range: CursorRange): number {
  return Number(startPlace(range) >> INNER_BITS);
}

/** The last slot of a range. */
export function lastSlotOf(range: CursorRange): number {
  return Number(endPlace(range) >> INNER_BITS) - 1;
}

/** How far the walk over a node is that has cursors of its own, beside the place in the walk over slots. */
export interface OwnCursor {
  /** Of whoever has which slots: 64 bits; 0 before anything was read. */
  readonly claim: bigint;
  /** As the node gave it, 64 bits; 0 where its walk begins. */
  readonly own: bigint;
}

const PLACE_BITS = 64n;

/** The cursor at a slot where the walk over its node is at a cursor of the node's own: those stand above the 64 bits of the place. */
export function withOwnCursor(slot: number, { claim, own }: OwnCursor): bigint {
  return (((claim << PLACE_BITS) | own) << PLACE_BITS) | cursorAt(slot);
}

/** What stands above the place in a cursor; both 0 in the cursors of other walks. */
export function ownCursorOf(cursor: bigint): OwnCursor {
  return { claim: cursor >> (2n * PLACE_BITS), own: BigInt.asUintN(Number(PLACE_BITS), cursor >> PLACE_BITS) };
}
