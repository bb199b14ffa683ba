import { ByteReader, EndsTooEarlyError } from '../payload/byte-reader';

/** Read at once. */
const WINDOW_BYTES = 1_048_576;

/** Read together by `manyOf`. */
const MANY = 1_000;

/** Reads what stands at places of a file, mostly one behind the other, with as many bytes in memory as that needs. */
export class ByteWindow {
  private start = 0;
  private bytes: Buffer = Buffer.alloc(0);

  /**
   * @param readBytes gives bytes of the file, all that are asked for
   * @param end nothing behind it is read
   * @param windowBytes what is read at once, where that is enough
   */
  constructor(
    private readonly readBytes: (start: number, length: number) => Promise<Buffer>,
    readonly end: number,
    private readonly windowBytes = WINDOW_BYTES,
  ) {}

  /**
   * Reads at a place, again with more bytes where they were too few.
   * @returns what was read, and the place behind it
   * @throws EndsTooEarlyError where what there is is not enough; what `read` and `readBytes` throw
   */
  async at<T>(place: number, read: (reader: ByteReader) => T): Promise<{ readonly value: T; readonly next: number }> {
    for (;;) {
      const { start, bytes } = this;
      const from = place - start;
      const have = from >= 0 ? Math.max(0, bytes.length - from) : 0;
      if (have > 0) {
        const reader = new ByteReader(bytes, from, bytes.length);
        try {
          return { value: read(reader), next: start + reader.at };
        } catch (error) {
          if (!(error instanceof EndsTooEarlyError)) throw error;
        }
      }
      const left = this.end - place - have;
      if (left <= 0) throw new EndsTooEarlyError();
      const more = await this.readBytes(place + have, Math.min(left, Math.max(this.windowBytes, have)));
      this.bytes = have === 0 ? more : Buffer.concat([bytes.subarray(from), more]);
      this.start = place;
    }
  }
}

/** As many as are in memory, one at least, and no more than `left`. */
export function manyOf<T>(reader: ByteReader, left: number, read: (reader: ByteReader) => T): T[] {
  const many: T[] = [];
  const most = Math.min(left, MANY);
  while (many.length < most) {
    const before = reader.at;
    try {
      many.push(read(reader));
    } catch (error) {
      if (!(error instanceof EndsTooEarlyError) || many.length === 0) throw error;
      reader.at = before;
      break;
    }
  }
  return many;
}
