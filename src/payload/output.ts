const SHORT = 48;
/** What is kept for the next value. */
const KEPT = 1 << 20;

/** A buffer that grows while values are written into it. */
export class Output {
  bytes: Buffer;
  /** How much of it is written. */
  length = 0;

  constructor(capacity = 1 << 16) {
    this.bytes = Buffer.allocUnsafe(capacity);
  }

  /** Begins anew. What was given out as views is no longer valid. */
  clear(): this {
    if (this.bytes.length > KEPT) this.bytes = Buffer.allocUnsafe(KEPT);
    this.length = 0;
    return this;
  }

  /** Makes room for so many bytes. */
  reserve(count: number): void {
    const { bytes, length } = this;
    if (length + count <= bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * bytes.length, length + count));
    bytes.copy(larger, 0, 0, length);
    this.bytes = larger;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  raw(from: Buffer, start: number, end: number): void {
    const count = end - start;
    this.reserve(count);
    const { bytes, length } = this;
    if (count < SHORT) for (let i = 0; i < count; i++) bytes[length + i] = from[start + i] ?? 0;
    else from.copy(bytes, length, start, end);
    this.length = length + count;
  }

  int64(value: bigint): void {
    this.reserve(8);
    this.length = this.bytes.writeBigInt64LE(value, this.length);
  }

  double(value: number): void {
    this.reserve(8);
    this.length = this.bytes.writeDoubleLE(value, this.length);
  }

  /** A length as RDB has it. */
  rdbLength(value: number): void {
    this.reserve(9);
    const { bytes } = this;
    if (value < 0x40) bytes[this.length++] = value;
    else if (value < 0x4000) {
      bytes[this.length++] = 0x40 | (value >> 8);
      bytes[this.length++] = value & 255;
    } else if (value < 2 ** 32) {
      bytes[this.length++] = 0x80;
      this.length = bytes.writeUInt32BE(value, this.length);
    } else {
      bytes[this.length++] = 0x81;
      this.length = bytes.writeBigUInt64BE(BigInt(value), this.length);
    }
  }

  /** A length of 64 bits as RDB has it. */
  rdbLength64(value: bigint): void {
    if (value < 0x1_0000_0000n) {
      this.rdbLength(Number(value));
      return;
    }
    this.reserve(9);
    this.bytes[this.length++] = 0x81;
    this.length = this.bytes.writeBigUInt64BE(value, this.length);
  }

  /** A string as RDB has it, neither compressed nor as a number. */
  rdbString(from: Buffer, start: number, end: number): void {
    this.rdbLength(end - start);
    this.raw(from, start, end);
  }

  /** What is written, as bytes of its own. */
  copy(): Buffer {
    const copy = Buffer.allocUnsafe(this.length);
    this.bytes.copy(copy, 0, 0, this.length);
    return copy;
  }
}
