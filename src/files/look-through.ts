import { LayoutReader } from '../payload/file-layout';
import type { KeyRecord } from '../payload/read-record';
import { sourceFileOf, type SourceFile } from '../payload/source-file';
import { FileError } from './file-error';
import type { FileStore } from './file-store';
import { PackedFile } from './packed-file';
import { isPacked, readInOrder, unpackInOrder, UnpackError } from './read-in-order';

/** Read at once when a file is looked through. */
const PASS_BYTES = 1_048_576;
/** Whoever goes on in the middle of a packed file unpacks all before it first, which must not take a message's time. */
export const MOST_UNPACKED = 16 * 2 ** 30;

/**
 * Reads an RDB file once, from its first byte to its last, with its checksum. One that gzip packed is unpacked on the way.
 * @param place what the file is called for people
 * @param largeBytes records above are told
 * @param seen told of each key
 * @throws FileError also where it is no RDB file; of one that is damaged the result says so
 */
export async function lookThrough(
  store: Pick<FileStore, 'find' | 'read'>,
  file: string,
  place: string,
  largeBytes: number,
  seen?: (database: number, key: KeyRecord) => void,
): Promise<SourceFile> {
  const found = await store.find(file);
  if (found === undefined) throw new FileError('noFile', place);
  const { bytes, version } = found;
  const packed = await isPacked(store, file, version, bytes);
  const reader = new LayoutReader(largeBytes, seen);
  let length = 0;
  let unpackedTo: number | undefined;
  try {
    const pieces = packed
      ? unpackInOrder(store, file, version, bytes)
      : readInOrder(store, file, version, bytes, PASS_BYTES);
    for await (const piece of pieces) {
      length += piece.length;
      if (packed && length > MOST_UNPACKED) throw new FileError('packedTooLarge', place);
      reader.push(piece);
      if (reader.isOver) break;
    }
  } catch (error) {
    if (!(error instanceof UnpackError)) throw error;
    unpackedTo = length;
  }
  const layout = reader.finish();
  if (layout.version === 0) throw new FileError('noRdb', place);
  const damage =
    unpackedTo === undefined || layout.damage === undefined
      ? layout.damage
      : { ...layout.damage, reason: 'what gzip packed there is damaged, or cut off' };
  return sourceFileOf({ ...layout, damage }, length, version, packed ? bytes : undefined);
}

/** What the content of a file that was looked through is read from. */
export function contentOf(store: Pick<FileStore, 'read'>, { packedBytes }: SourceFile): Pick<FileStore, 'read'> {
  return packedBytes === undefined ? store : new PackedFile(store, packedBytes);
}
