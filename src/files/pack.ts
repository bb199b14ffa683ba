import { promisify } from 'node:util';
import { constants, gunzipSync, gzip } from 'node:zlib';

const pack = promisify(gzip);

/** A block of a file as it is kept. What gzip packed piece by piece is, one behind the other, a file that gzip packed. */
export async function asKept(
  bytes: Buffer,
  { gzip: isPacked }: { readonly gzip?: boolean | undefined },
): Promise<Buffer> {
  return isPacked === true ? await pack(bytes) : bytes;
}

/** How a file begins, by its first bytes: unpacked where gzip packed it, as far as they go. */
export function beginningOf(bytes: Buffer): Buffer {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return Buffer.alloc(0);
  }
}
