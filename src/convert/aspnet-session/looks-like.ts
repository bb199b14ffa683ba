import { looksLikeMessagePack, looksLikeProtobuf } from './binary-guesses';
import { hasStreamHeader } from './nrbf/records';
import { isValidUtf8 } from './utf8';

/** What bytes that were meant to be a BinaryFormatter stream look like. A guess, for the report only. */
export type Appearance =
  | 'empty'
  | 'JSON'
  | 'XML'
  | 'text'
  | 'UTF-16 text'
  | 'base64 of a BinaryFormatter stream'
  | 'gzip'
  | 'zlib'
  | 'zstd'
  | 'LZ4'
  | 'a BinaryFormatter stream with an unusual header'
  | 'a damaged BinaryFormatter stream'
  | 'ObjectStateFormatter'
  | 'MessagePack'
  | 'protobuf'
  | 'unknown binary data';

/** How much of a value is looked at. */
const SAMPLE = 64 * 1024;

const MAGICS: readonly (readonly [magic: string, appearance: Appearance])[] = [
  ['1f8b08', 'gzip'],
  ['28b52ffd', 'zstd'],
  ['04224d18', 'LZ4'],
  ['7801', 'zlib'],
  ['785e', 'zlib'],
  ['789c', 'zlib'],
  ['78da', 'zlib'],
  ['ff01', 'ObjectStateFormatter'],
  ['fffe', 'UTF-16 text'],
];

/** Says what a field's value looks like. Looks at no more than the first 64 KiB; never fails. */
export function looksLike(bytes: Buffer): Appearance {
  if (bytes.length === 0) return 'empty';
  if (hasStreamHeader(bytes)) return 'a damaged BinaryFormatter stream';
  const sample = bytes.subarray(0, SAMPLE);
  const whole = sample.length === bytes.length;
  const magic = MAGICS.find(([hex]) => bytes.toString('hex', 0, hex.length / 2) === hex && !isText(sample, whole));
  if (magic !== undefined) return magic[1];
  if (isText(sample, whole)) return textAppearance(sample);
  if (bytes[0] === 0 && bytes.length > 17 && bytes.readInt32LE(9) === 1 && bytes.readInt32LE(13) === 0) {
    return 'a BinaryFormatter stream with an unusual header';
  }
  if (isUtf16(sample)) return 'UTF-16 text';
  if (looksLikeMessagePack(sample, whole)) return 'MessagePack';
  if (looksLikeProtobuf(sample, whole)) return 'protobuf';
  return 'unknown binary data';
}

function textAppearance(sample: Buffer): Appearance {
  const text = sample
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trimStart();
  if (text.startsWith('AAEAAAD/////')) return 'base64 of a BinaryFormatter stream';
  if (text.startsWith('<')) return 'XML';
  if (/^(?:[[{"]|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\s*$|(?:true|false|null)\s*$)/.test(text)) return 'JSON';
  return 'text';
}

/** UTF-8 (cut anywhere) without control characters but white space. */
function isText(sample: Buffer, whole: boolean): boolean {
  for (const byte of sample) {
    if (byte < 0x09 || (byte > 0x0d && byte < 0x20) || byte === 0x7f) return false;
  }
  let end = sample.length;
  if (!whole) while (end > sample.length - 4 && ((sample[end - 1] ?? 0) & 0x80) !== 0) end--;
  return isValidUtf8(sample, 0, end);
}

/** Every second byte zero, and the others text. */
function isUtf16(sample: Buffer): boolean {
  if (sample.length < 4 || sample.length % 2 !== 0) return false;
  for (let i = 0; i < sample.length; i += 2) {
    if (sample[i + 1] !== 0 || (sample[i] ?? 0) < 0x09) return false;
  }
  return true;
}
