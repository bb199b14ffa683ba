/**
 * Reads what a script packed by cmsgpack: strings, whole numbers, false and arrays of them. Strings are views of the
 * packed bytes.
 * Source: https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export class PackedReader {
  private at = 0;

  constructor(private readonly packed: Buffer) {}

  /** Reads the head of an array and gives how many values it has. @throws RangeError when something else is there */
  array(): number {
    const tag = this.next();
    if (tag >> 4 === SHORT_ARRAY || tag === EMPTY_MAP) return tag & 0x0f;
    if (tag === 0xdc) return this.unsigned(2);
    if (tag === 0xdd) return this.unsigned(4);
    throw unexpected();
  }

  /** Whether a string comes next. */
  isBytes(): boolean {
    const tag = this.packed[this.at] ?? 0;
    return tag >> 5 === SHORT_STRING || (tag >= 0xd9 && tag <= 0xdb);
  }

  /** Reads a string. @throws RangeError when something else is there */
  bytes(): Buffer {
    const tag = this.next();
    let length: number;
    if (tag >> 5 === SHORT_STRING) length = tag & 0x1f;
    else if (tag === 0xd9) length = this.unsigned(1);
    else if (tag === 0xda) length = this.unsigned(2);
    else if (tag === 0xdb) length = this.unsigned(4);
    else throw unexpected();
    const start = this.at;
    this.at += length;
    if (this.at > this.packed.length) throw unexpected();
    return this.packed.subarray(start, this.at);
  }

  /** Reads a number; false is 0. Whole ones beyond 64 bits come as floating point, as short as is exact. @throws RangeError when something else is there */
  number(): number {
    const tag = this.next();
    if (tag <= 0x7f) return tag;
    if (tag >= 0xe0) return tag - 0x100;
    switch (tag) {
      case 0xc2:
        return 0;
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.unsigned(1 << (tag - 0xcc));
      case 0xcf:
        return this.unsigned(4) * 2 ** 32 + this.unsigned(4);
      case 0xd0:
      case 0xd1:
      case 0xd2: {
        const size = 1 << (tag - 0xd0);
        const value = this.unsigned(size);
        return value >= 2 ** (8 * size - 1) ? value - 2 ** (8 * size) : value;
      }
      case 0xd3: {
        const high = this.unsigned(4);
        return (high | 0) * 2 ** 32 + this.unsigned(4);
      }
      case 0xca:
        this.skip(4);
        return this.packed.readFloatBE(this.at - 4);
      case 0xcb:
        this.skip(8);
        return this.packed.readDoubleBE(this.at - 8);
      default:
        throw unexpected();
    }
  }

  private next(): number {
    const tag = this.packed[this.at++];
    if (tag === undefined) throw unexpected();
    return tag;
  }

  private unsigned(size: number): number {
    const start = this.at;
    this.skip(size);
    let value = 0;
    for (let i = start; i < this.at; i++) value = value * 0x100 + (this.packed[i] ?? 0);
    return value;
  }

  private skip(size: number): void {
    if (this.at + size > this.packed.length) throw unexpected();
    this.at += size;
  }
}

const SHORT_ARRAY = 0b1001;
const SHORT_STRING = 0b101;
/** An empty Lua table may be packed as this. */
const EMPTY_MAP = 0x80;

function unexpected(): RangeError {
  return new RangeError('A script packed something unexpected.');
}
