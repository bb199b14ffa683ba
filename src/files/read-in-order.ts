import { constants, createGunzip } from 'node:zlib';
import { Turns } from '../basics/turns';
import { FileError } from './file-error';
import type { FileStore } from './file-store';

type ReadStore = Pick<FileStore, 'read'>;

/** Pieces that are on their way while one is worked on. */
const AHEAD = 2;

/** Gives a file's bytes from the first, or another one, to the last. @throws FileError */
export async function* readInOrder(
  store: ReadStore,
  file: string,
  version: string,
  bytes: number,
  pieceBytes: number,
  from = 0,
): AsyncGenerator<Buffer, void, undefined> {
  const reading: { readonly length: number; readonly piece: Promise<Buffer> }[] = [];
  for (let at = from; at < bytes || reading.length > 0;) {
    while (at < bytes && reading.length <= AHEAD) {
      const length = Math.min(pieceBytes, bytes - at);
      const piece = store.read(file, version, at, length);
      piece.catch(() => undefined);
      reading.push({ length, piece });
      at += length;
    }
    const next = reading.shift();
    const piece = await next?.piece;
    // What is missing would stand as damage of the file, at a place that is none.
    if (piece === undefined || piece.length !== next?.length) throw new FileError('broken', file);
    yield piece;
  }
}

/** How a file begins that gzip packed. */
const MAGIC = Buffer.from([0x1f, 0x8b]);
const PACKED_PIECE_BYTES = 1_048_576;
/** Unpacked at once: what they become is in memory, up to a thousand times as much. */
const SLICE_BYTES = 16_384;
const UNPACKED_PIECE_BYTES = 1_048_576;

/** A packed file cannot be unpacked any further: it is damaged. */
export class UnpackError extends Error {}

export async function isPacked(store: ReadStore, file: string, version: string, bytes: number): Promise<boolean> {
  return bytes > MAGIC.length && MAGIC.equals(await store.read(file, version, 0, MAGIC.length));
}

/** The same of what a file was before gzip packed it, to the last byte before it is damaged. @throws UnpackError, FileError */
export async function* unpackInOrder(
  store: ReadStore,
  file: string,
  version: string,
  packedBytes: number,
): AsyncGenerator<Buffer, void, undefined> {
  const slices = () => slicesOf(readInOrder(store, file, version, packedBytes, PACKED_PIECE_BYTES));
  const unpacker = new Unpacker();
  let sound = 0;
  try {
    for await (const slice of slices()) {
      yield* await unpacker.unpack(slice);
      sound++;
    }
    yield* await unpacker.end();
  } catch (error) {
    if (!(error instanceof UnpackError)) throw error;
    yield* beforeDamage(slices(), sound);
    throw error;
  } finally {
    unpacker.close();
  }
}

async function* slicesOf(pieces: AsyncGenerator<Buffer, void, undefined>): AsyncGenerator<Buffer, void, undefined> {
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; at += SLICE_BYTES) yield piece.subarray(at, at + SLICE_BYTES);
  }
}

/** What a damaged slice still gives, byte by byte: all before it is unpacked once more for that. */
async function* beforeDamage(
  slices: AsyncGenerator<Buffer, void, undefined>,
  sound: number,
): AsyncGenerator<Buffer, void, undefined> {
  const unpacker = new Unpacker();
  let before = 0;
  try {
    for await (const slice of slices) {
      if (before++ < sound) {
        await unpacker.unpack(slice);
        continue;
      }
      for (let at = 0; at < slice.length; at++) yield* await unpacker.unpack(slice.subarray(at, at + 1));
      return;
    }
  } catch (error) {
    if (!(error instanceof UnpackError)) throw error;
  } finally {
    unpacker.close();
  }
}

/** Unpacks one slice after the other. What fills a file up behind what was packed, zeros, is nothing. */
class Unpacker {
  // Of one that is cut off all is given that can be unpacked: whether it is whole, its content tells, by its own end and checksum.
  private readonly gunzip = createGunzip({ chunkSize: UNPACKED_PIECE_BYTES, finishFlush: constants.Z_SYNC_FLUSH });
  private unpacked: Buffer[] = [];
  private written = 0;
  private ended = false;
  private failure: UnpackError | undefined;
  private goOn: () => void = () => undefined;
  /** What is unpacked of a slice is nobody else's. */
  private readonly turns = new Turns(1);

  constructor() {
    this.gunzip.on('data', (piece: Buffer) => this.unpacked.push(piece));
    // It ends by itself at the first zero behind a member, and does not call back whoever wrote that.
    this.gunzip.on('end', () => {
      this.ended = true;
      this.goOn();
    });
    this.gunzip.on('error', (cause) => {
      this.failure = new UnpackError('it cannot be unpacked', { cause });
      this.goOn();
    });
  }

  /** @throws UnpackError */
  async unpack(slice: Buffer): Promise<readonly Buffer[]> {
    return await this.turns.take(() => this.unpackNow(slice));
  }

  private async unpackNow(slice: Buffer): Promise<readonly Buffer[]> {
    await this.step((done) => {
      this.written += slice.length;
      this.gunzip.write(slice, (error) => {
        if (!error) done();
      });
    });
    if (this.ended) {
      const left = Math.min(slice.length, this.written - this.gunzip.bytesWritten);
      if (slice.subarray(slice.length - left).some((byte) => byte !== 0)) {
        throw new UnpackError('something follows what fills it up');
      }
      // What follows is looked at from its first byte.
      this.written = Infinity;
    }
    return this.taken();
  }

  /** @throws UnpackError */
  async end(): Promise<readonly Buffer[]> {
    return await this.turns.take(async () => {
      await this.step(() => this.gunzip.end());
      return this.taken();
    });
  }

  close(): void {
    this.gunzip.destroy();
  }

  /** Waits for what was begun, for the end, or for a failure, unless one of these was before. @throws UnpackError */
  private async step(begin: (done: () => void) => void): Promise<void> {
    if (!this.ended && this.failure === undefined) {
      await new Promise<void>((resolve) => {
        this.goOn = resolve;
        begin(resolve);
      });
    }
    if (this.failure !== undefined) throw this.failure;
  }

  private taken(): readonly Buffer[] {
    const { unpacked } = this;
    this.unpacked = [];
    return unpacked;
  }
}
