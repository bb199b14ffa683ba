import { bad } from './byte-reader';
import type { Element, Elements } from './element';

const HEAD_BYTES = 8;

/** u32 LE bytes of each number (2, 4, 8), u32 LE how many, the numbers LE in rising order. Source: redis/src/intset.c. */
export class Intset implements Elements {
  private readonly width: number;
  private at: number;
  private before: number | bigint | undefined;

  /** @throws BadPayloadError where the bytes from `start` up to `end` are none */
  constructor(
    private readonly bytes: Buffer,
    start: number,
    private readonly end: number,
  ) {
    if (end - start < HEAD_BYTES) bad('an intset ends too early');
    this.width = bytes.readUInt32LE(start);
    if (this.width !== 2 && this.width !== 4 && this.width !== 8) bad('an intset has numbers of an unknown size');
    if (end - start !== HEAD_BYTES + this.width * bytes.readUInt32LE(start + 4))
      bad('an intset is not as long as it says');
    this.at = start + HEAD_BYTES;
  }

  next(into: Element): boolean {
    const { bytes, at, width, before } = this;
    if (at >= this.end) return false;
    const value = width === 8 ? bytes.readBigInt64LE(at) : bytes.readIntLE(at, width);
    if (before !== undefined && value <= before) bad('the numbers of an intset are not in order');
    if (typeof value === 'bigint') into.setLarge(value);
    else into.setInteger(value);
    this.before = value;
    this.at = at + width;
    return true;
  }
}
