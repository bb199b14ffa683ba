import { ByteReader } from '../byte-reader';
import { FormatError } from '../format-error';
import { TypeCode } from '../type-codes';
import { utf8SequenceLength } from '../utf8';
import { lengthPrefixed } from '../varint';
import { checkDateTime, TICKS_HIGH_MASK } from './primitive';
import { hasStreamHeader, Record, STREAM_HEADER } from './records';
import { layoutsByNameLength, ROOT_LAYOUTS } from './root-layouts';

/** A value as a SessionStateItemCollection holds it. The payload may be a view of the bytes that it was read from. */
export interface NativeItem {
  readonly typeCode: number;
  readonly payload: Buffer;
}

/** A value as a part of a longer buffer. One object takes one value after the other. */
export interface PlacedItem {
  typeCode: number;
  bytes: Buffer;
  start: number;
  end: number;
}

const START = STREAM_HEADER.length;
/** A record's type and object id. */
const HEAD = 5;
/** The class that version 4's serializer writes for null; its assembly's name varies. */
const REDIS_NULL = Buffer.from('Microsoft.Web.Redis.RedisNull', 'latin1');
const SCALE_AND_SIGN = 0x80ff_0000 | 0;

/**
 * Decodes a BinaryFormatter stream whose root is a string, a primitive, DateTime, Decimal, TimeSpan, Guid, IntPtr,
 * UIntPtr, or version 4's stand-in for null, into the item that version 5 itself would write for that value. Bytes are taken over,
 * not interpreted, so nothing is rounded. DateTime loses its Kind, as it does in version 5.
 * Returns undefined for everything else (which says nothing about whether it is well-formed).
 * @throws FormatError 'invalid' for a system value that .NET would refuse (a decimal's flags, a DateTime's ticks …).
 */
export function decodeRootItem(nrbf: Buffer): NativeItem | undefined {
  const item = { typeCode: 0, bytes: nrbf, start: 0, end: nrbf.length };
  return placeRootItem(item)
    ? { typeCode: item.typeCode, payload: item.bytes.subarray(item.start, item.end) }
    : undefined;
}

/**
 * As decodeRootItem, for the stream that lies where `item` says: where it is decoded, `item` becomes its value and the
 * answer is true; otherwise it is of no use afterwards. Makes no object for a value. Offsets in errors are those of `item.bytes`.
 */
export function placeRootItem(item: PlacedItem): boolean {
  const { bytes, start, end } = item;
  if (end - start < START + HEAD + 1 || bytes[end - 1] !== Record.MessageEnd || !hasStreamHeader(bytes, start, end))
    return false;
  switch (bytes[start + START]) {
    case Record.SystemClassWithMembersAndTypes:
      return placeBoxed(item);
    case Record.BinaryObjectString:
      return placeString(item);
    case Record.BinaryLibrary:
      return isRedisNull(item) && place(item, TypeCode.Null, end, end);
    default:
      return false;
  }
}

function place(item: PlacedItem, typeCode: number, start: number, end: number): true {
  item.typeCode = typeCode;
  item.start = start;
  item.end = end;
  return true;
}

/** Kind of a DateTime in the top two bits of its dateData: 0 Unspecified, 1 Utc, 2 Local, 3 Local in the doubled hour. */
export function rootDateTimeKind(nrbf: Buffer): number {
  return (nrbf[nrbf.length - 2] ?? 0) >> 6;
}

/**
 * Writes a lone value as BinaryFormatter would. `payload` is that of the type code; `dateTimeKind` as above.
 * @throws TypeError for codes that are no lone value here (Object, Null).
 */
export function encodeRoot(typeCode: number, payload: Buffer, dateTimeKind = 0): Buffer {
  const end = Buffer.of(Record.MessageEnd);
  if (typeCode === TypeCode.String) {
    return Buffer.concat([STREAM_HEADER, Buffer.of(Record.BinaryObjectString, 1, 0, 0, 0), payload, end]);
  }
  const layout = ROOT_LAYOUTS.find((candidate) => candidate.typeCode === typeCode);
  if (layout === undefined) throw new TypeError(`type code ${typeCode} has no lone form`);
  let value = payload;
  if (typeCode === TypeCode.Decimal) {
    const part = (index: number) => payload.subarray(index * 4, index * 4 + 4);
    value = Buffer.concat([part(3), part(2), part(0), part(1)]);
  } else if (typeCode === TypeCode.DateTime) {
    value = Buffer.concat([payload, payload]);
    value[15] = ((value[15] ?? 0) & 0x3f) | (dateTimeKind << 6);
  }
  return Buffer.concat([layout.prefix, value, end]);
}

/** Writes a byte[] as BinaryFormatter would (MS-NRBF 2.4.3.3 ArraySinglePrimitive). */
export function encodeByteArray(bytes: Buffer): Buffer {
  const head = Buffer.alloc(10);
  head[0] = Record.ArraySinglePrimitive;
  head[1] = 1;
  head.writeInt32LE(bytes.length, 5);
  head[9] = 2;
  return Buffer.concat([STREAM_HEADER, head, bytes, Buffer.of(Record.MessageEnd)]);
}

/** A string payload (length and UTF-8) from text; a lone surrogate becomes U+FFFD, as in .NET's UTF-8. */
export function stringPayload(text: string): Buffer {
  return lengthPrefixed(Buffer.from(text, 'utf8'));
}

function placeBoxed(item: PlacedItem): boolean {
  const { bytes, start, end } = item;
  for (const { typeCode, prefix, size } of layoutsByNameLength[bytes[start + START + HEAD] ?? 0] ?? []) {
    const valueSize = end - start - prefix.length - 1;
    if (valueSize !== size && (size !== -1 || valueSize < 1 || valueSize > 3)) continue;
    if (!isAt(bytes, start, prefix)) continue;
    place(item, typeCode, start + prefix.length, end - 1);
    return checkBoxed(item);
  }
  return false;
}

/** Whether a layout's bytes are at `start`, behind the header, which has been looked at. */
function isAt(bytes: Buffer, start: number, prefix: Buffer): boolean {
  for (let i = START; i < prefix.length; i++) if (bytes[start + i] !== prefix[i]) return false;
  return true;
}

function checkBoxed(item: PlacedItem): boolean {
  const { typeCode, bytes, start, end } = item;
  switch (typeCode) {
    case TypeCode.Boolean:
      if ((bytes[start] ?? 0) > 1) throw new FormatError('invalid', start, 'System.Boolean is neither 0 nor 1');
      return true;
    case TypeCode.Char:
      if (utf8SequenceLength(bytes, start, end) === end - start) return true;
      throw new FormatError('invalid', start, 'System.Char is not one UTF-16 unit in UTF-8');
    case TypeCode.DateTime:
      item.end = start + 8;
      return isPlainDateTime(bytes, start);
    case TypeCode.Decimal:
      reorderDecimal(item);
      return true;
    default:
      return true;
  }
}

/** ticks repeats what dateData says; if it did not, dateData would hold, so the stream is then left as it is. */
function isPlainDateTime(bytes: Buffer, ticks: number): boolean {
  const dateData = ticks + 8;
  checkDateTime(bytes, dateData);
  return (
    bytes.readUInt32LE(ticks) === bytes.readUInt32LE(dateData) &&
    bytes.readUInt32LE(ticks + 4) === (bytes.readUInt32LE(dateData + 4) & TICKS_HIGH_MASK)
  );
}

/** flags, hi, lo, mid become lo, mid, hi, flags. */
function reorderDecimal(item: PlacedItem): void {
  const { bytes, start } = item;
  const flags = bytes.readInt32LE(start);
  if ((flags & ~SCALE_AND_SIGN) !== 0 || ((flags >> 16) & 0xff) > 28) {
    throw new FormatError('invalid', start, 'System.Decimal has impossible flags');
  }
  const payload = Buffer.allocUnsafe(16);
  for (let i = 0; i < 8; i++) payload[i] = bytes[start + 8 + i] ?? 0;
  for (let i = 0; i < 4; i++) payload[8 + i] = bytes[start + 4 + i] ?? 0;
  for (let i = 0; i < 4; i++) payload[12 + i] = bytes[start + i] ?? 0;
  item.bytes = payload;
  place(item, TypeCode.Decimal, 0, payload.length);
}

function placeString(item: PlacedItem): boolean {
  const { bytes, start, end } = item;
  const prefix = start + START + HEAD;
  if (bytes.readInt32LE(prefix - 4) !== 1) return false;
  const reader = new ByteReader(bytes, prefix, end - 1);
  reader.skipString();
  return reader.remaining === 0 && place(item, TypeCode.String, prefix, end - 1);
}

/** A library, then a class of id 1 from it by that name and without members. */
function isRedisNull({ bytes, start, end }: PlacedItem): boolean {
  const library = start + START + 1;
  const tail = library + 4;
  const suffix = 1 + 4 + 1 + REDIS_NULL.length + 4 + 4 + 1;
  const at = end - suffix;
  if (at < tail || bytes[at] !== Record.ClassWithMembersAndTypes || bytes.readInt32LE(at + 1) !== 1) return false;
  const name = at + 6;
  if (bytes[name - 1] !== REDIS_NULL.length) return false;
  if (bytes.compare(REDIS_NULL, 0, REDIS_NULL.length, name, name + REDIS_NULL.length) !== 0) return false;
  const libraryId = bytes.readInt32LE(library);
  if (bytes.readInt32LE(end - 9) !== 0 || bytes.readInt32LE(end - 5) !== libraryId) return false;
  const reader = new ByteReader(bytes, tail, at);
  return libraryId > 1 && reader.skipString() > 0 && reader.remaining === 0;
}
