/**
 * CRC-64 of Redis ("Jones"): polynomial ad93d23594c935a9 reflected, nothing put in before or after, so that it is linear:
 * checksums can be combined, and bytes taken back. Source: redis/src/crc64.c.
 */
const POLYNOMIAL = 0x95ac9329ac4bc9b5n;

/** Tables for eight bytes at a time, low and high halves; table k is for the byte that k others follow. */
const LOW = new Int32Array(8 * 256);
const HIGH = new Int32Array(8 * 256);
/** Which entry of table 0 has a given top byte: they are all different. */
const BY_TOP = new Uint8Array(256);

for (let byte = 0; byte < 256; byte++) {
  let crc = BigInt(byte);
  for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ POLYNOMIAL : crc >> 1n;
  for (let table = 0; table < 8; table++) {
    LOW[256 * table + byte] = Number(BigInt.asIntN(32, crc));
    HIGH[256 * table + byte] = Number(BigInt.asIntN(32, crc >> 32n));
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ POLYNOMIAL : crc >> 1n;
  }
  BY_TOP[(HIGH[byte] ?? 0) >>> 24] = byte;
}

/** A checksum under way. */
export class Crc64 {
  /** Both halves as signed numbers of 32 bits. */
  private low = 0;
  private high = 0;

  /** Goes on from a checksum as it stands in a file or payload: 8 bytes, the lowest first. */
  static from(bytes: Buffer, at: number): Crc64 {
    const crc = new Crc64();
    crc.low = bytes.readInt32LE(at);
    crc.high = bytes.readInt32LE(at + 4);
    return crc;
  }

  /** Takes in the bytes from `start` up to `end`. */
  update(bytes: Buffer, start = 0, end = bytes.length): this {
    let { low, high } = this;
    let at = start;
    for (const last = end - 8; at <= last; at += 8) {
      low ^=
        byteAt(bytes, at) |
        (byteAt(bytes, at + 1) << 8) |
        (byteAt(bytes, at + 2) << 16) |
        (byteAt(bytes, at + 3) << 24);
      high ^=
        byteAt(bytes, at + 4) |
        (byteAt(bytes, at + 5) << 8) |
        (byteAt(bytes, at + 6) << 16) |
        (byteAt(bytes, at + 7) << 24);
      const a = 1792 + (low & 255);
      const b = 1536 + ((low >>> 8) & 255);
      const c = 1280 + ((low >>> 16) & 255);
      const d = 1024 + (low >>> 24);
      const e = 768 + (high & 255);
      const f = 512 + ((high >>> 8) & 255);
      const g = 256 + ((high >>> 16) & 255);
      const h = high >>> 24;
      low = lowOf(a) ^ lowOf(b) ^ lowOf(c) ^ lowOf(d) ^ lowOf(e) ^ lowOf(f) ^ lowOf(g) ^ lowOf(h);
      high = highOf(a) ^ highOf(b) ^ highOf(c) ^ highOf(d) ^ highOf(e) ^ highOf(f) ^ highOf(g) ^ highOf(h);
    }
    for (; at < end; at++) {
      const entry = (low ^ byteAt(bytes, at)) & 255;
      low = ((low >>> 8) | (high << 24)) ^ lowOf(entry);
      high = (high >>> 8) ^ highOf(entry);
    }
    this.low = low;
    this.high = high;
    return this;
  }

  /** Takes back the byte that came in last. */
  undo(byte: number): this {
    const entry = BY_TOP[this.high >>> 24] ?? 0;
    const low = this.low ^ lowOf(entry);
    const high = this.high ^ highOf(entry);
    this.high = (high << 8) | (low >>> 24);
    this.low = (low << 8) | ((entry ^ byte) & 255);
    return this;
  }

  /** Writes it as it stands in a file or payload. */
  writeTo(bytes: Buffer, at: number): void {
    bytes.writeInt32LE(this.low, at);
    bytes.writeInt32LE(this.high, at + 4);
  }

  /** Whether the 8 bytes there say the same. */
  standsAt(bytes: Buffer, at: number): boolean {
    return bytes.readInt32LE(at) === this.low && bytes.readInt32LE(at + 4) === this.high;
  }

  get value(): bigint {
    return (BigInt(this.high >>> 0) << 32n) | BigInt(this.low >>> 0);
  }
}

function byteAt(bytes: Buffer, at: number): number {
  return bytes[at] ?? 0;
}

function lowOf(entry: number): number {
  return LOW[entry] ?? 0;
}

function highOf(entry: number): number {
  return HIGH[entry] ?? 0;
}

/** x^0: the register's highest bit. */
const ONE = 1n << 63n;

/** The product of two polynomials modulo that of the checksum. */
function multiply(a: bigint, b: bigint): bigint {
  let [product, left, right] = [0n, a, b];
  for (; left !== 0n; left = BigInt.asUintN(64, left << 1n)) {
    if (left & ONE) product ^= right;
    right = right & 1n ? (right >> 1n) ^ POLYNOMIAL : right >> 1n;
  }
  return product;
}

/** x^(8 · 2^i): what 2^i bytes that follow do to a checksum. Enough for any length that is exact as a number. */
const SHIFTS: bigint[] = [ONE >> 8n];
for (let i = 1; i < 53; i++) SHIFTS.push(multiply(SHIFTS[i - 1] ?? 0n, SHIFTS[i - 1] ?? 0n));

/** The checksum of two pieces one after the other, from those of each and the second one's length in bytes. */
export function combineCrc64(first: bigint, second: bigint, secondLength: number): bigint {
  let shifted = first;
  for (let i = 0, left = secondLength; left > 0; i++, left = Math.floor(left / 2)) {
    if (left % 2 === 1) shifted = multiply(SHIFTS[i] ?? 0n, shifted);
  }
  return shifted ^ second;
}
