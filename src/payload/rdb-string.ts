import { bad, type ByteReader } from './byte-reader';
import type { Element } from './element';
import { compress, decompress, mayUnpackTo } from './lzf';
import type { Output } from './output';

/** How a string stands that has no length before it: the byte's upper two bits are set, the lower ones say how. */
const ENCODED = 0xc0;
const INT8 = 0xc0;
const INT16 = 0xc1;
const INT32 = 0xc2;
const LZF = 0xc3;

/** Redis tries to compress what is longer, and keeps what came out at least so much shorter. */
const TRY_ABOVE = 20;
const WORTH_BYTES = 4;
/** Of a compressed string: its first byte, and two lengths of 5 bytes. */
const LONGEST_HEAD = 11;

/** A string of a server is no longer, unless it was told to allow that (`proto-max-bulk-len`). */
export const LONGEST_STRING = 512 << 20;

/** Goes over a string without looking into it. */
export function skipString(reader: ByteReader): void {
  reader.take(bytesBehindHead(reader));
}

/** Goes over what stands before a string's bytes, and gives how many follow. */
export function bytesBehindHead(reader: ByteReader): number {
  const length = stringLength(reader);
  if (length >= 0) return length;
  const encoding = reader.byte();
  if (encoding !== LZF) return integerBytes(encoding);
  const packed = reader.length();
  reader.length();
  return packed;
}

/** Goes over a string that every server can read: also what is compressed was looked at. */
export function checkString(reader: ByteReader): void {
  if (reader.bytes[reader.at] !== LZF || reader.at >= reader.end) {
    skipString(reader);
    return;
  }
  const { packed, size, start } = compressedHead(reader);
  decompress(reader.bytes, start, start + packed, size);
}

/** Goes over what stands before the bytes of a long string: how many there are when they are unpacked, and whether they are packed. */
export function readStringHead(reader: ByteReader): { readonly size: number; readonly packed: boolean } {
  const length = stringLength(reader);
  if (length >= 0) return { size: length, packed: false };
  if (reader.byte() !== LZF) bad('a number stands where a long string belongs');
  const packed = reader.length();
  const size = reader.length();
  if (!mayUnpackTo(packed, size)) bad('a string claims to become more than its bytes can');
  return { size, packed: true };
}

export function readString(reader: ByteReader, into: Element): void {
  const length = stringLength(reader);
  if (length >= 0) {
    const start = reader.take(length);
    into.setText(reader.bytes, start, start + length);
    return;
  }
  if (reader.bytes[reader.at] === LZF) {
    const { packed, size, start } = compressedHead(reader);
    if (size > LONGEST_STRING) bad('a compressed string is too long to be looked at');
    const room = into.own(size);
    decompress(reader.bytes, start, start + packed, size, room);
    into.setText(room, 0, size);
    into.compressed = true;
    return;
  }
  const encoding = reader.byte();
  const bytes = integerBytes(encoding);
  into.setInteger(reader.bytes.readIntLE(reader.take(bytes), bytes));
}

/** Reads a string that holds a packed value. */
export function readPacked(reader: ByteReader, into: Element): void {
  readString(reader, into);
  if (into.kind !== 'text') bad('a number stands where a packed value belongs');
}

/** An element as a string: a number of 32 bits at most as one, a text as it is, compressed where it was. */
export function writeString(out: Output, element: Element): void {
  if (element.kind === 'integer') {
    writeInteger(out, element.integer);
    return;
  }
  element.toText();
  const { bytes, start, end, compressed } = element;
  writeBytes(out, bytes, start, end, compressed);
}

/** Bytes as a string, compressed where that is asked for and worth it. */
export function writeBytes(out: Output, bytes: Buffer, start: number, end: number, compressed: boolean): void {
  const size = end - start;
  if (compressed && size > TRY_ABOVE) {
    // The head says how long it has become: what comes out is put where the longest head ends, and moved.
    const begin = out.length + LONGEST_HEAD;
    out.reserve(LONGEST_HEAD + size);
    const packed = compress(bytes, start, end, out.bytes, begin, size - WORTH_BYTES);
    if (packed > 0) {
      out.byte(LZF);
      out.rdbLength(packed);
      out.rdbLength(size);
      out.bytes.copyWithin(out.length, begin, begin + packed);
      out.length += packed;
      return;
    }
  }
  out.rdbString(bytes, start, end);
}

function writeInteger(out: Output, value: number): void {
  out.reserve(5);
  const { bytes } = out;
  if (value >= -128 && value <= 127) {
    bytes[out.length++] = INT8;
    bytes[out.length++] = value & 255;
  } else if (value >= -32_768 && value <= 32_767) {
    bytes[out.length++] = INT16;
    out.length = bytes.writeInt16LE(value, out.length);
  } else {
    bytes[out.length++] = INT32;
    out.length = bytes.writeInt32LE(value, out.length);
  }
}

/** The length of a string that is neither compressed nor a number, otherwise -1 with the reader before its first byte. */
function stringLength(reader: ByteReader): number {
  if (reader.at < reader.end && (reader.bytes[reader.at] ?? 0) >= ENCODED) return -1;
  return reader.length();
}

function integerBytes(encoding: number): number {
  return encoding === INT8 ? 1 : encoding === INT16 ? 2 : encoding === INT32 ? 4 : bad('a string of an unknown kind');
}

function compressedHead(reader: ByteReader): { packed: number; size: number; start: number } {
  reader.byte();
  const packed = reader.length();
  const size = reader.length();
  if (!mayUnpackTo(packed, size)) bad('a string claims to become more than its bytes can');
  return { packed, size, start: reader.take(packed) };
}
