import { endPlace, placeOf, startPlace, type CursorRange } from './cursor';

/**
 * A walk over bytes goes by cursors as well: the bytes of a range are spread evenly over its places, so that ranges, shares and ends
 * are those of any walk.
 */
export class ExtentWalk {
  private readonly start: bigint;
  private readonly end: bigint;
  private readonly step: bigint;

  /** @param bytes of the whole range */
  constructor(
    range: CursorRange,
    private readonly bytes: number,
  ) {
    this.start = startPlace(range);
    this.end = endPlace(range);
    this.step = (this.end - this.start) / BigInt(bytes + 1);
  }

  /** How many bytes of the range are behind a cursor. @throws RangeError for one that is not of the range */
  offsetOf(cursor: bigint): number {
    const place = placeOf(cursor);
    if (place < this.start || place >= this.end) throw new RangeError('The cursor is of another range.');
    return Number((place - this.start) / this.step);
  }

  /** The cursor behind so many bytes; at the end of the range, the one behind it: 0 where that is the end of the walk. */
  cursorAt(offset: number): bigint {
    const place = offset >= this.bytes ? this.end : this.start + BigInt(offset) * this.step;
    return BigInt.asUintN(64, placeOf(BigInt.asUintN(64, place)));
  }
}
