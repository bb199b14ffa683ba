import { bad } from './byte-reader';
import type { Element, Elements } from './element';

/*
 * u32 LE bytes in all, u16 LE elements (65535: not told), elements, 0xFF. An element is its encoding and data, and the
 * length of these once more, to be read from behind. Source: redis/src/listpack.c.
 */
const HEAD_BYTES = 6;
const SHORTEST = HEAD_BYTES + 1;
const END = 0xff;
const UNTOLD = 0xffff;

/** Reads the elements of a listpack from the first to the last, and looks at all that a server would rely on. */
export class Listpack implements Elements {
  private readonly told: number;
  /** Where the byte behind the last element is. */
  private readonly last: number;
  private at: number;
  private seen = 0;

  /** @throws BadPayloadError where the bytes from `start` up to `end` are none */
  constructor(
    private readonly bytes: Buffer,
    start: number,
    end: number,
  ) {
    if (end - start < SHORTEST || bytes.readUInt32LE(start) !== end - start)
      bad('a listpack is not as long as it says');
    this.told = bytes.readUInt16LE(start + 4);
    this.last = end - 1;
    if (bytes[this.last] !== END) bad('a listpack has no end');
    this.at = start + HEAD_BYTES;
  }

  next(into: Element): boolean {
    const { at, last } = this;
    if (at >= last) {
      if (this.told !== UNTOLD && this.told !== this.seen) bad('a listpack has not as many elements as it says');
      return false;
    }
    const size = this.read(at, into);
    this.at = at + size + this.backLength(at + size, size);
    this.seen++;
    return true;
  }

  /** @returns bytes of its encoding and data */
  private read(at: number, into: Element): number {
    const { bytes, last } = this;
    const first = bytes[at] ?? END;
    if (first < 0x80) {
      into.setInteger(first);
      return 1;
    }
    if (first < 0xc0) return this.text(at, 1, first & 0x3f, into);
    const room = last - at;
    if (first < 0xf0) {
      if (room < 2) bad('a listpack ends too early');
      const lower = bytes[at + 1] ?? 0;
      if (first >= 0xe0) return this.text(at, 2, ((first & 0x0f) << 8) | lower, into);
      // 13 bits with a sign.
      into.setInteger(((((first & 0x1f) << 8) | lower) << 19) >> 19);
      return 2;
    }
    switch (first) {
      case 0xf0:
        if (room < 5) bad('a listpack ends too early');
        return this.text(at, 5, bytes.readUInt32LE(at + 1), into);
      case 0xf1:
      case 0xf2:
      case 0xf3: {
        const size = first - 0xf1 + 2;
        if (room < 1 + size) bad('a listpack ends too early');
        into.setInteger(bytes.readIntLE(at + 1, size));
        return 1 + size;
      }
      case 0xf4:
        if (room < 9) bad('a listpack ends too early');
        into.setLarge(bytes.readBigInt64LE(at + 1));
        return 9;
      default:
        return bad('a listpack has an element of an unknown kind');
    }
  }

  private text(at: number, head: number, length: number, into: Element): number {
    const start = at + head;
    if (length > this.last - start) bad('a text goes beyond its listpack');
    into.setText(this.bytes, start, start + length);
    return head + length;
  }

  /** The bytes of an element's length as it stands behind it: 7 bits in each, the highest first. */
  private backLength(at: number, size: number): number {
    const { bytes, last } = this;
    const count = size < 128 ? 1 : size < 16_383 ? 2 : size < 2_097_151 ? 3 : size < 268_435_455 ? 4 : 5;
    if (at + count > last) bad('a listpack ends too early');
    for (let i = count - 1, left = size; i >= 0; i--, left = Math.floor(left / 128)) {
      const more = i === 0 ? 0 : 0x80;
      if (bytes[at + i] !== ((left & 0x7f) | more)) bad('an element has another length behind it than before it');
    }
    return count;
  }
}
