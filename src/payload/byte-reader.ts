/** What was to be read is none that a server wrote, or ends too early. Whoever meets one does not send it on. */
export class BadPayloadError extends Error {}

/** The bytes ended where more of them must come: what is read in parts may go on when there are more. */
export class EndsTooEarlyError extends BadPayloadError {
  constructor() {
    super('it ends too early');
  }
}

/** @throws BadPayloadError */
export function bad(what: string): never {
  throw new BadPayloadError(what);
}

/** Reads what stands in a part of a buffer, and nothing behind its end. */
export class ByteReader {
  /**
   * @param at where it stands
   * @param end where its part ends
   */
  constructor(
    readonly bytes: Buffer,
    public at: number,
    readonly end: number,
  ) {}

  byte(): number {
    if (this.at >= this.end) throw new EndsTooEarlyError();
    return this.bytes[this.at++] ?? 0;
  }

  /** Goes over so many bytes and gives where they begin. */
  take(count: number): number {
    const start = this.at;
    if (count > this.end - start) throw new EndsTooEarlyError();
    this.at = start + count;
    return start;
  }

  /** A length: the next bytes' number of 6, 14, 32 or 64 bits. Above 2^53 it is not exact. */
  length(): number {
    const first = this.byte();
    if (first < 0x40) return first;
    if (first < 0x80) return ((first & 0x3f) << 8) | this.byte();
    if (first === 0x80) return this.bytes.readUInt32BE(this.take(4));
    if (first !== 0x81) bad('no length where one belongs');
    const start = this.take(8);
    return this.bytes.readUInt32BE(start) * 2 ** 32 + this.bytes.readUInt32BE(start + 4);
  }

  /** As `length`, and always exact. */
  length64(): bigint {
    if (this.bytes[this.at] !== 0x81 || this.at >= this.end) return BigInt(this.length());
    this.at++;
    return this.bytes.readBigUInt64BE(this.take(8));
  }

  /** How many things follow of which each takes so many bytes at least: no more than there is room for. */
  count(leastBytes: number): number {
    const count = this.length();
    if (count * leastBytes > this.end - this.at) bad('more is announced than there is');
    return count;
  }

  int64(): bigint {
    return this.bytes.readBigInt64LE(this.take(8));
  }
}
