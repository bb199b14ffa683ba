import { FormatError } from './format-error';
import { isValidUtf8 } from './utf8';

/**
 * Reads little-endian values from a part of a buffer and never past its end.
 * Nothing is copied or allocated; every method throws FormatError 'truncated' when the bytes do not suffice.
 */
export class ByteReader {
  /** The next byte's place in `bytes`. */
  offset: number;

  constructor(
    readonly bytes: Buffer,
    start = 0,
    readonly end = bytes.length,
  ) {
    this.offset = start;
  }

  /** How many bytes are left. */
  get remaining(): number {
    return this.end - this.offset;
  }

  /** Makes sure that `count` bytes are left, without moving. `what` names them in the error. */
  need(count: number, what = 'value'): void {
    if (count > this.end - this.offset) {
      throw new FormatError('truncated', this.offset, `${what} needs ${count} bytes, ${this.remaining} are left`);
    }
  }

  /** Passes over `count` bytes and returns where they began. */
  skip(count: number, what = 'value'): number {
    this.need(count, what);
    const start = this.offset;
    this.offset += count;
    return start;
  }

  u8(what = 'byte'): number {
    if (this.offset >= this.end) throw new FormatError('truncated', this.offset, `${what} is missing`);
    return this.bytes[this.offset++] ?? 0;
  }

  i32(what = 'int32'): number {
    return this.bytes.readInt32LE(this.skip(4, what));
  }

  /**
   * A length as .NET's BinaryReader.Read7BitEncodedInt reads it: seven bits a byte, low bits first, at most five bytes,
   * not negative as int32. Throws 'invalid' otherwise.
   */
  varint(what = 'length'): number {
    const start = this.offset;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.u8(what);
      if (shift === 28 && byte > 0x07) throw new FormatError('invalid', start, `${what} is over 2147483647`);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new FormatError('invalid', start, `${what} has more than five bytes`);
  }

  /**
   * Passes over a length-prefixed UTF-8 string (MS-NRBF 2.1.1.6 LengthPrefixedString; BinaryWriter.Write(string)) and
   * returns the byte length of its text, which ends at `offset`. Throws 'invalid' when it is not UTF-8.
   */
  skipString(what = 'string'): number {
    const length = this.varint(what);
    const start = this.skip(length, what);
    if (!isValidUtf8(this.bytes, start, this.offset)) {
      throw new FormatError('invalid', start, `${what} is not UTF-8`);
    }
    return length;
  }

  /** As skipString, giving the text's bytes (a view, not a copy). */
  stringBytes(what = 'string'): Buffer {
    const length = this.skipString(what);
    return this.bytes.subarray(this.offset - length, this.offset);
  }
}
