import { BadPayloadError } from '../payload/byte-reader';
import type { LayoutReader } from '../payload/file-layout';
import { MAGIC_BYTES } from '../payload/file-records';
import { readMagic } from '../payload/read-record';
import { sourceFileOf, unreadFile, type SourceFile } from '../payload/source-file';
import { FileError } from './file-error';
import type { FileStore, StoredFile } from './file-store';
import { PackedFile } from './packed-file';
import { isPacked, readInOrder, unpackInOrder, UnpackError } from './read-in-order';

/** Read at once when a file is looked through. */
const PASS_BYTES = 1_048_576;
/** Whoever goes on in the middle of a packed file unpacks all before it first, which must not take a message's time. */
export const MOST_UNPACKED = 16 * 2 ** 30;

/** A file in its store. */
export interface FileAt {
  readonly store: Pick<FileStore, 'find' | 'read'>;
  readonly file: string;
  /** What it is called for people. */
  readonly place: string;
}

/**
 * What a file tells before it is read: where it is, how large, and by which server's version.
 * @param known where it was found already
 * @throws FileError also where it is no RDB file
 */
export async function lookAtHead({ store, file, place }: FileAt, known?: StoredFile): Promise<SourceFile> {
  const found = known ?? (await store.find(file));
  if (found === undefined) throw new FileError('noFile', place);
  const { bytes, version } = found;
  const packed = await isPacked(store, file, version, bytes);
  const head = packed
    ? await beginningOf(unpackInOrder(store, file, version, bytes))
    : bytes < MAGIC_BYTES
      ? Buffer.alloc(0)
      : await store.read(file, version, 0, MAGIC_BYTES);
  try {
    return unreadFile(readMagic(head), bytes, version, packed);
  } catch (error) {
    if (!(error instanceof BadPayloadError)) throw error;
    throw new FileError('noRdb', place, error);
  }
}

/** The first bytes of what is unpacked, as far as there are any. */
async function beginningOf(pieces: AsyncGenerator<Buffer, void, undefined>): Promise<Buffer> {
  let head = Buffer.alloc(0);
  try {
    for await (const piece of pieces) {
      head = Buffer.concat([head, piece.subarray(0, MAGIC_BYTES)]);
      if (head.length >= MAGIC_BYTES) break;
    }
  } catch (error) {
    if (!(error instanceof UnpackError)) throw error;
  }
  return head;
}

/** One look through an RDB file, from its first byte to its last, with its checksum; or what is left of one. What gzip packed is unpacked on the way. */
export class FileLook {
  private cannotUnpack = false;

  /**
   * @param head what `lookAtHead` told
   * @param reader finds out what stands where; it may have been before
   */
  constructor(
    private readonly at: Pick<FileAt, 'file' | 'place'> & { readonly store: Pick<FileStore, 'read'> },
    private readonly head: SourceFile,
    private readonly reader: LayoutReader,
  ) {}

  /**
   * Reads on to the end, or to where nothing more is good. Of a packed file all is unpacked once more that was read before.
   * @yields after each piece, how many bytes of the file as it is in its store were read
   * @throws FileError
   */
  async *goOn(): AsyncGenerator<number, void, undefined> {
    const { head, reader } = this;
    if (reader.isOver) return;
    const from = reader.given;
    yield* head.packedBytes === undefined ? this.readOn(from) : this.unpackOn(head.packedBytes, from);
  }

  private async *readOn(from: number): AsyncGenerator<number, void, undefined> {
    const { head, reader } = this;
    const { store, file } = this.at;
    for await (const piece of readInOrder(store, file, head.etag, head.bytes, PASS_BYTES, from)) {
      reader.push(piece);
      yield reader.given;
      if (reader.isOver) return;
    }
  }

  private async *unpackOn(packedBytes: number, from: number): AsyncGenerator<number, void, undefined> {
    const { reader } = this;
    const { store, file, place } = this.at;
    let [read, unpacked] = [0, 0];
    const counted: Pick<FileStore, 'read'> = {
      read: async (...[name, version, start, length]) => {
        const bytes = await store.read(name, version, start, length);
        read = Math.max(read, start + length);
        return bytes;
      },
    };
    try {
      for await (const piece of unpackInOrder(counted, file, this.head.etag, packedBytes)) {
        const known = Math.max(0, Math.min(piece.length, from - unpacked));
        unpacked += piece.length;
        if (unpacked > MOST_UNPACKED) throw new FileError('packedTooLarge', place);
        if (known < piece.length) reader.push(piece.subarray(known));
        yield Math.min(read, packedBytes);
        if (reader.isOver) return;
      }
    } catch (error) {
      if (!(error instanceof UnpackError)) throw error;
      this.cannotUnpack = true;
    }
  }

  /** What it found, once it is at the end. Of a file that is damaged it says so. */
  result(): SourceFile {
    const { head, reader } = this;
    const layout = reader.finish(this.cannotUnpack ? 'what gzip packed there is damaged, or cut off' : undefined);
    const { packedBytes, etag } = head;
    return sourceFileOf(layout, packedBytes === undefined ? head.bytes : reader.given, etag, packedBytes);
  }
}

/** What the content of a file that was looked through is read from. */
export function contentOf(store: Pick<FileStore, 'read'>, { packedBytes }: SourceFile): Pick<FileStore, 'read'> {
  return packedBytes === undefined ? store : new PackedFile(store, packedBytes);
}
