import { bad } from './byte-reader';
import type { Element, Elements } from './element';
import type { Output } from './output';
import { writeBytes } from './rdb-string';

/*
 * u32 LE bytes in all, u32 LE offset of the last element, u16 LE elements (65535: not told), elements, 0xFF. An element
 * is the size of the one before it, its encoding, its data. Source: redis/src/ziplist.c.
 */
const HEAD_BYTES = 10;
const SHORTEST = HEAD_BYTES + 1;
const END = 0xff;
const UNTOLD = 0xffff;
/** The size of the element before takes 4 bytes more. */
const LARGE_BEFORE = 0xfe;

const TEXT_32 = 0x80;
const INT16 = 0xc0;
const INT32 = 0xd0;
const INT64 = 0xe0;
const INT24 = 0xf0;
const INT8 = 0xfe;
/** 0 to 12 stand in the encoding itself. */
const ZERO = 0xf1;
const TWELVE = 0xfd;

/** Reads the elements of a ziplist from the first to the last, and looks at all that a server would rely on. */
export class Ziplist implements Elements {
  private readonly told: number;
  private readonly toldLast: number;
  private readonly last: number;
  private at: number;
  private lastElement: number;
  private sizeBefore = 0;
  private seen = 0;

  /** @throws BadPayloadError where the bytes from `start` up to `end` are none */
  constructor(
    private readonly bytes: Buffer,
    private readonly start: number,
    end: number,
  ) {
    if (end - start < SHORTEST || bytes.readUInt32LE(start) !== end - start) bad('a ziplist is not as long as it says');
    this.toldLast = bytes.readUInt32LE(start + 4);
    this.told = bytes.readUInt16LE(start + 8);
    this.last = end - 1;
    if (bytes[this.last] !== END) bad('a ziplist has no end');
    this.at = start + HEAD_BYTES;
    this.lastElement = this.at;
  }

  next(into: Element): boolean {
    const { bytes, at, last } = this;
    if (at >= last) {
      if (this.told !== UNTOLD && this.told !== this.seen) bad('a ziplist has not as many elements as it says');
      if (this.toldLast !== this.lastElement - this.start) bad('a ziplist has its last element elsewhere than it says');
      return false;
    }
    const before = bytes[at] ?? END;
    const large = before === LARGE_BEFORE;
    const head = large ? 5 : 1;
    if (before === END || at + head >= last) bad('a ziplist ends too early');
    const told = large ? bytes.readUInt32LE(at + 1) : before;
    if (told !== this.sizeBefore) bad('an element is not as long as the next one says');
    const size = head + this.read(at + head, into);
    this.lastElement = at;
    this.sizeBefore = size;
    this.at = at + size;
    this.seen++;
    return true;
  }

  /** @returns bytes of its encoding and data */
  private read(at: number, into: Element): number {
    const { bytes } = this;
    const first = bytes[at] ?? END;
    if (first < 0x40) return this.text(at, 1, first, into);
    if (first < 0x80) return this.text(at, 2, ((first & 0x3f) << 8) | (bytes[at + 1] ?? 0), into);
    if (first >= ZERO && first <= TWELVE) {
      into.setInteger(first - ZERO);
      return 1;
    }
    switch (first) {
      case TEXT_32:
        return this.text(at, 5, at + 5 <= this.last ? bytes.readUInt32BE(at + 1) : 0, into);
      case INT8:
        return this.integer(at, 1, into);
      case INT16:
        return this.integer(at, 2, into);
      case INT24:
        return this.integer(at, 3, into);
      case INT32:
        return this.integer(at, 4, into);
      case INT64:
        if (at + 9 > this.last) bad('a ziplist ends too early');
        into.setLarge(bytes.readBigInt64LE(at + 1));
        return 9;
      default:
        return bad('a ziplist has an element of an unknown kind');
    }
  }

  private text(at: number, head: number, length: number, into: Element): number {
    const start = at + head;
    if (start > this.last || length > this.last - start) bad('a text goes beyond its ziplist');
    into.setText(this.bytes, start, start + length);
    return head + length;
  }

  private integer(at: number, size: number, into: Element): number {
    if (at + 1 + size > this.last) bad('a ziplist ends too early');
    into.setInteger(this.bytes.readIntLE(at + 1, size));
    return 1 + size;
  }
}

/** Builds one ziplist in a buffer of its own. */
export class ZiplistBuilder {
  private before = 0;
  private last = HEAD_BYTES;
  private count = 0;

  constructor(private readonly out: Output) {
    out.clear().reserve(SHORTEST);
    out.length = HEAD_BYTES;
  }

  add(element: Element): void {
    const { out, before } = this;
    this.last = out.length;
    this.count++;
    out.reserve(16);
    const { bytes } = out;
    if (before < LARGE_BEFORE) bytes[out.length++] = before;
    else {
      bytes[out.length++] = LARGE_BEFORE;
      out.length = bytes.writeUInt32LE(before, out.length);
    }
    if (element.kind === 'text') this.text(element);
    else if (element.kind === 'integer') this.integer(element.integer);
    else {
      bytes[out.length++] = INT64;
      out.length = bytes.writeBigInt64LE(element.large, out.length);
    }
    this.before = out.length - this.last;
  }

  /** Writes what was built as a string. */
  closeInto(target: Output, compressed: boolean): void {
    const { out } = this;
    out.byte(END);
    out.bytes.writeUInt32LE(out.length, 0);
    out.bytes.writeUInt32LE(this.last, 4);
    out.bytes.writeUInt16LE(Math.min(this.count, UNTOLD), 8);
    writeBytes(target, out.bytes, 0, out.length, compressed);
  }

  private text({ bytes: from, start, end }: Element): void {
    const { out } = this;
    const { bytes } = out;
    const length = end - start;
    if (length < 0x40) bytes[out.length++] = length;
    else if (length < 0x4000) {
      bytes[out.length++] = 0x40 | (length >> 8);
      bytes[out.length++] = length & 255;
    } else {
      bytes[out.length++] = TEXT_32;
      out.length = bytes.writeUInt32BE(length, out.length);
    }
    out.raw(from, start, end);
  }

  private integer(value: number): void {
    const { out } = this;
    const { bytes } = out;
    if (value >= 0 && value <= TWELVE - ZERO) {
      bytes[out.length++] = ZERO + value;
      return;
    }
    const size =
      value === (value << 24) >> 24 ? 1 : value === (value << 16) >> 16 ? 2 : value === (value << 8) >> 8 ? 3 : 4;
    bytes[out.length++] = size === 1 ? INT8 : size === 2 ? INT16 : size === 3 ? INT24 : INT32;
    out.length = bytes.writeIntLE(value, out.length, size);
  }
}
