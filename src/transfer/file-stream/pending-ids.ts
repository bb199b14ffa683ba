import type { ByteReader } from '../../payload/byte-reader';
import { ID_BYTES } from '../../payload/stream-id';
import type { ByteWindow } from '../byte-window';

const FEWEST = 16;
const MOST = 4_096;

/** The ids of what is pending with one consumer, as they stand in a file one behind the other: in their order. */
export class PendingIds {
  private readonly held: number;
  private chunk: { readonly first: number; readonly bytes: Buffer } = { first: 0, bytes: Buffer.alloc(0) };
  private reached = { from: '', index: 0 };

  /**
   * @param window by which the beginnings of such lists are read, that stand one behind the other
   * @param heldBytes of the list that may be in memory, about
   */
  constructor(
    private readonly readBytes: (start: number, length: number) => Promise<Buffer>,
    private readonly window: ByteWindow,
    private readonly place: number,
    readonly count: number,
    heldBytes: number,
  ) {
    this.held = Math.max(FEWEST, Math.min(MOST, Math.floor(heldBytes / ID_BYTES)));
  }

  /** The ids from one to another, both of them too; forward at the cost of one reading. */
  async between(from: string, to: string): Promise<string[]> {
    if (from < this.reached.from) this.reached = { from, index: 0 };
    const found: string[] = [];
    let { index } = this.reached;
    for (let i = index; i < this.count; i++) {
      const { first, bytes } = this.chunk;
      if (i < first || (i - first + 1) * ID_BYTES > bytes.length) await this.read(i);
      const at = (i - this.chunk.first) * ID_BYTES;
      const id = this.chunk.bytes.toString('latin1', at, at + ID_BYTES);
      if (id > to) break;
      if (id >= from) found.push(id);
      else index = i + 1;
    }
    this.reached = { from, index };
    return found;
  }

  private async read(first: number): Promise<void> {
    const length = Math.min(this.held, this.count - first) * ID_BYTES;
    const place = this.place + first * ID_BYTES;
    const beginning = (reader: ByteReader) => {
      const at = reader.take(length);
      return Buffer.from(reader.bytes.subarray(at, at + length));
    };
    const bytes = first === 0 ? (await this.window.at(place, beginning)).value : await this.readBytes(place, length);
    this.chunk = { first, bytes };
  }
}
