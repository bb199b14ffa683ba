/**
 * SCAN walks a hash table in the order of bit-reversed bucket numbers (redis/src/dict.c, dictScan). A cursor's place in
 * that order is its 64 bits reversed: 0 at the start, 2^64 at the end. Both are bigint: cursors can pass 2^53. What stands above the 64
 * bits of a cursor says nothing of its place.
 */
const FULL = 1n << 64n;

/** Where the walk stands, from 0 to 2^64 - 1, when the server answered this cursor and it is not the end. */
export function placeOf(cursor: bigint): bigint {
  return reverse64(cursor);
}

function reverse64(value: bigint): bigint {
  const low = reverse32(Number(value & 0xffffffffn));
  const high = reverse32(Number((value >> 32n) & 0xffffffffn));
  return (BigInt(low) << 32n) | BigInt(high);
}

function reverse32(value: number): number {
  let v = value;
  v = ((v >>> 1) & 0x55555555) | ((v & 0x55555555) << 1);
  v = ((v >>> 2) & 0x33333333) | ((v & 0x33333333) << 2);
  v = ((v >>> 4) & 0x0f0f0f0f) | ((v & 0x0f0f0f0f) << 4);
  v = ((v >>> 8) & 0x00ff00ff) | ((v & 0x00ff00ff) << 8);
  return ((v >>> 16) | (v << 16)) >>> 0;
}

/** One of 2^bits ranges of a database. bits 0 is the whole database. */
export interface CursorRange {
  readonly index: number;
  readonly bits: number;
}

/** The cursor that SCAN starts at for a range: its index's bits reversed. */
export function startCursor(range: CursorRange): bigint {
  return placeOf(startPlace(range));
}

/** The first place of a range. */
export function startPlace(range: CursorRange): bigint {
  return BigInt(range.index) << BigInt(64 - range.bits);
}

/** The first place behind a range. */
export function endPlace(range: CursorRange): bigint {
  return BigInt(range.index + 1) << BigInt(64 - range.bits);
}

/** Whether a reply's cursor ends the range, and whether the reply went beyond it. Cursor 0 is the end of the table. */
export function endOfRange(range: CursorRange, cursor: bigint): { ended: boolean; beyond: boolean } {
  const place = cursor === 0n ? FULL : placeOf(cursor);
  const end = endPlace(range);
  return { ended: place >= end, beyond: place > end };
}

/**
 * Whether the last bucket of a reply that ended beyond the range may also reach into the range: there are fewer buckets
 * than ranges, since the table has shrunk. Such a bucket ends where a range ends, a smaller one seldom does.
 */
export function mayReachInto({ bits }: CursorRange, cursor: bigint): boolean {
  const place = cursor === 0n ? FULL : placeOf(cursor);
  return BigInt.asUintN(64 - bits, place) === 0n;
}

/** The share of a range that is still ahead of a cursor inside it, from 1 (at its start) to 0. */
export function shareAhead(range: CursorRange, cursor: bigint): number {
  const start = startPlace(range);
  const end = endPlace(range);
  const place = placeOf(cursor);
  if (place <= start) return 1;
  if (place >= end) return 0;
  return Number(end - place) / Number(end - start);
}
