import { bad, EndsTooEarlyError, type ByteReader } from './byte-reader';

/** A copy reaches no farther back: see lzf.ts. */
const FARTHEST = 1 << 13;
const MOST_LITERALS = 32;
const LONGEST_COPY = 264;

/** Unpacks what is too large for memory, in pieces. */
export class LzfStream {
  /** What was unpacked last, up to `length`. */
  private readonly out: Buffer;
  private length = 0;

  /** @param pieceBytes about as large are the pieces */
  constructor(private readonly pieceBytes: number) {
    this.out = Buffer.allocUnsafe(FARTHEST + pieceBytes + LONGEST_COPY);
  }

  /**
   * Unpacks some more.
   * @throws EndsTooEarlyError where the reader has not even the next step, BadPayloadError; nothing is unpacked then
   */
  next(reader: ByteReader): Buffer {
    const { out } = this;
    const kept = Math.min(this.length, FARTHEST);
    out.copyWithin(0, this.length - kept, this.length);
    let to = kept;
    while (to - kept < this.pieceBytes && reader.at < reader.end) {
      const before = reader.at;
      try {
        to = this.step(reader, to);
      } catch (error) {
        if (!(error instanceof EndsTooEarlyError) || to === kept) {
          this.length = kept;
          throw error;
        }
        reader.at = before;
        break;
      }
    }
    this.length = to;
    if (to === kept) throw new EndsTooEarlyError();
    return Buffer.from(out.subarray(kept, to));
  }

  private step(reader: ByteReader, to: number): number {
    const { out } = this;
    const control = reader.byte();
    if (control < MOST_LITERALS) {
      const count = control + 1;
      const start = reader.take(count);
      reader.bytes.copy(out, to, start, start + count);
      return to + count;
    }
    const long = control >> 5 === 7 ? reader.byte() : 0;
    const count = (control >> 5) + long + 2;
    const distance = (((control & 31) << 8) | reader.byte()) + 1;
    if (distance > to) bad('compressed bytes go beyond their end');
    for (let i = 0; i < count; i++) out[to + i] = out[to + i - distance] ?? 0;
    return to + count;
  }
}
