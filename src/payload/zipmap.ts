import { bad, ByteReader } from './byte-reader';
import type { Element, Elements } from './element';

const END = 0xff;
const LARGE = 0xfe;

/**
 * A count (254 and more: not told), then of each field: length, name, length, bytes that are free, value, free bytes; 0xFF.
 * A length of 254 and more is 254 and u32 LE. Nothing has written it since Redis 2.6. Source: redis/src/zipmap.c.
 */
export class Zipmap implements Elements {
  private readonly reader: ByteReader;
  private readonly told: number;
  private seen = 0;

  constructor(
    private readonly bytes: Buffer,
    start: number,
    end: number,
  ) {
    this.reader = new ByteReader(bytes, start, end);
    this.told = this.reader.byte();
  }

  next(into: Element): boolean {
    const { reader, bytes } = this;
    const isValue = this.seen % 2 === 1;
    if (!isValue && bytes[reader.at] === END) {
      if (reader.at !== reader.end - 1) bad('a zipmap ends too early');
      if (this.told < LARGE && 2 * this.told !== this.seen) bad('a zipmap has not as many fields as it says');
      return false;
    }
    const length = this.length();
    const free = isValue ? reader.byte() : 0;
    const start = reader.take(length);
    reader.take(free);
    into.setText(bytes, start, start + length);
    this.seen++;
    return true;
  }

  private length(): number {
    const first = this.reader.byte();
    if (first === END) bad('a zipmap ends too early');
    return first < LARGE ? first : this.bytes.readUInt32LE(this.reader.take(4));
  }
}
