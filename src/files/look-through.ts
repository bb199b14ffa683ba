import { LayoutReader } from '../payload/file-layout';
import { sourceFileOf, type SourceFile } from '../payload/source-file';
import { FileError } from './file-error';
import type { FileStore } from './file-store';

/** Read at once when a file is looked through. */
const PASS_BYTES = 4_194_304;

/**
 * Reads an RDB file once, from its first byte to its last, with its checksum.
 * @param place what the file is called for people
 * @param largeBytes records above are told
 * @throws FileError also where it is no RDB file; of one that is damaged the result says so
 */
export async function lookThrough(
  store: Pick<FileStore, 'find' | 'read'>,
  file: string,
  place: string,
  largeBytes: number,
): Promise<SourceFile> {
  const found = await store.find(file);
  if (found === undefined) throw new FileError('noFile', place);
  const { bytes, version } = found;
  const reader = new LayoutReader(largeBytes);
  const read = (at: number) => {
    const reading = store.read(file, version, at, Math.min(PASS_BYTES, bytes - at));
    reading.catch(() => undefined);
    return reading;
  };
  let ahead = read(0);
  for (let at = 0; at < bytes && !reader.isOver;) {
    const piece = await ahead;
    if (piece.length === 0) throw new FileError('broken', place);
    at += piece.length;
    ahead = read(at);
    reader.push(piece);
  }
  const layout = reader.finish();
  if (layout.version === 0) throw new FileError('noRdb', place);
  return sourceFileOf(layout, bytes, version);
}
