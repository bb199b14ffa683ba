import { pipeline, Readable } from 'node:stream';
import { constants, createGunzip } from 'node:zlib';
import { FileError } from './file-error';
import type { FileStore } from './file-store';

type ReadStore = Pick<FileStore, 'read'>;

/** Pieces that are on their way while one is worked on. */
const AHEAD = 2;

/** Gives a file's bytes from the first to the last. @throws FileError */
export async function* readInOrder(
  store: ReadStore,
  file: string,
  version: string,
  bytes: number,
  pieceBytes: number,
): AsyncGenerator<Buffer, void, undefined> {
  const reading: Promise<Buffer>[] = [];
  for (let at = 0; at < bytes || reading.length > 0;) {
    while (at < bytes && reading.length <= AHEAD) {
      const piece = store.read(file, version, at, Math.min(pieceBytes, bytes - at));
      piece.catch(() => undefined);
      reading.push(piece);
      at += pieceBytes;
    }
    const piece = await reading.shift();
    if (piece === undefined || piece.length === 0) throw new FileError('broken', file);
    yield piece;
  }
}

/** How a file begins that gzip packed. */
const MAGIC = Buffer.from([0x1f, 0x8b]);
const PACKED_PIECE_BYTES = 1_048_576;
const UNPACKED_PIECE_BYTES = 1_048_576;

/** A packed file cannot be unpacked any further: it is damaged. */
export class UnpackError extends Error {}

export async function isPacked(store: ReadStore, file: string, version: string, bytes: number): Promise<boolean> {
  return bytes > MAGIC.length && MAGIC.equals(await store.read(file, version, 0, MAGIC.length));
}

/** The same of what a file was before gzip packed it. @throws UnpackError, FileError */
export async function* unpackInOrder(
  store: ReadStore,
  file: string,
  version: string,
  packedBytes: number,
): AsyncGenerator<Buffer, void, undefined> {
  const packed = Readable.from(readInOrder(store, file, version, packedBytes, PACKED_PIECE_BYTES));
  // Of one that is cut off all is given that can be unpacked: whether it is whole, its content tells, by its own end and checksum.
  const finishFlush = constants.Z_SYNC_FLUSH;
  const unpacked = createGunzip({ chunkSize: UNPACKED_PIECE_BYTES, finishFlush });
  pipeline(packed, unpacked, () => undefined);
  try {
    for await (const piece of unpacked) yield piece as Buffer;
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new UnpackError('it cannot be unpacked', { cause: error });
  }
}
