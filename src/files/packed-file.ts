import { Turns } from '../basics/turns';
import { FileError } from './file-error';
import type { FileStore } from './file-store';
import { unpackInOrder, UnpackError } from './read-in-order';

/** So many readers go through a file at once: one for pages, and what is large is fetched behind it by two parts in work. */
const MOST_PLACES = 4;

/** A place that was reached: the bytes from `start` on are in memory, and `more` gives those behind them. */
interface Place {
  readonly more: AsyncIterator<Buffer, void>;
  start: number;
  piece: Buffer;
}

/**
 * Reads a file that gzip packed as if it was not. Nobody can begin in its middle: it is unpacked from its first byte, and each place
 * that was reached is gone on from. So it is made for reads that go forward.
 */
export class PackedFile {
  /** That which was used last stands at the end. */
  private places: Place[] = [];
  /** What is open of a place is one reader's. */
  private readonly turns = new Turns(1);

  /** @param packedBytes its own size in the store */
  constructor(
    private readonly store: Pick<FileStore, 'read'>,
    private readonly packedBytes: number,
  ) {}

  /** Unpacked bytes from `start`: `length` of them, which must all be there. @throws FileError */
  async read(file: string, version: string, start: number, length: number): Promise<Buffer> {
    return await this.turns.take(() => this.readNow(file, version, start, length));
  }

  private async readNow(file: string, version: string, start: number, length: number): Promise<Buffer> {
    const place = this.nearest(start) ?? {
      more: unpackInOrder(this.store, file, version, this.packedBytes),
      start: 0,
      piece: Buffer.alloc(0),
    };
    this.places = this.places.filter((each) => each !== place);
    const parts: Buffer[] = [];
    for (let at = start; at < start + length;) {
      if (at >= place.start + place.piece.length) {
        await this.goOn(place, file);
        continue;
      }
      const from = at - place.start;
      const part = place.piece.subarray(from, from + start + length - at);
      parts.push(part);
      at += part.length;
    }
    const dropped = this.places.length >= MOST_PLACES ? this.places.shift() : undefined;
    this.places.push(place);
    await dropped?.more.return?.();
    return Buffer.concat(parts, length);
  }

  private nearest(start: number): Place | undefined {
    return this.places
      .filter((place) => place.start <= start)
      .reduce<Place | undefined>(
        (best, place) => (best === undefined || place.start > best.start ? place : best),
        undefined,
      );
  }

  private async goOn(place: Place, file: string): Promise<void> {
    try {
      const { value } = await place.more.next();
      if (value === undefined) throw new FileError('broken', file);
      place.start += place.piece.length;
      place.piece = value;
    } catch (error) {
      throw error instanceof UnpackError ? new FileError('broken', file, error) : error;
    }
  }
}
