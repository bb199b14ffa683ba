import { ByteReader } from '../byte-reader';
import { FormatError } from '../format-error';
import { TypeCode } from '../type-codes';
import { utf8SequenceLength } from '../utf8';
import { lengthPrefixed } from '../varint';
import { MAX_TICKS } from './primitive';
import { hasStreamHeader, Record, STREAM_HEADER } from './records';
import { layoutsByNameLength, ROOT_LAYOUTS } from './root-layouts';

/** A value as a SessionStateItemCollection holds it. The payload may be a view of the bytes that it was read from. */
export interface NativeItem {
  readonly typeCode: number;
  readonly payload: Buffer;
}

const START = STREAM_HEADER.length;
const EMPTY = Buffer.alloc(0);
const NULL_ITEM: NativeItem = { typeCode: TypeCode.Null, payload: EMPTY };
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
  if (nrbf.length < START + 6 || !hasStreamHeader(nrbf) || nrbf[nrbf.length - 1] !== Record.MessageEnd)
    return undefined;
  switch (nrbf[START]) {
    case Record.SystemClassWithMembersAndTypes:
      return decodeBoxed(nrbf);
    case Record.BinaryObjectString:
      return decodeString(nrbf);
    case Record.BinaryLibrary:
      return isRedisNull(nrbf) ? NULL_ITEM : undefined;
    default:
      return undefined;
  }
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

function decodeBoxed(nrbf: Buffer): NativeItem | undefined {
  for (const { typeCode, prefix, size } of layoutsByNameLength[nrbf[START + 5] ?? 0] ?? []) {
    const valueSize = nrbf.length - prefix.length - 1;
    if (valueSize !== size && (size !== -1 || valueSize < 1 || valueSize > 3)) continue;
    if (prefix.compare(nrbf, START, prefix.length, START, prefix.length) !== 0) continue;
    return checkBoxed(typeCode, nrbf, prefix.length);
  }
  return undefined;
}

function checkBoxed(typeCode: number, nrbf: Buffer, start: number): NativeItem | undefined {
  const value = nrbf.subarray(start, nrbf.length - 1);
  switch (typeCode) {
    case TypeCode.Boolean:
      if ((value[0] ?? 0) > 1) throw new FormatError('invalid', start, 'System.Boolean is neither 0 nor 1');
      break;
    case TypeCode.Char:
      if (value.length > 3 || utf8SequenceLength(value, 0, value.length) !== value.length) {
        throw new FormatError('invalid', start, 'System.Char is not one UTF-16 unit in UTF-8');
      }
      break;
    case TypeCode.DateTime:
      return decodeDateTime(value, start);
    case TypeCode.Decimal:
      return decodeDecimal(value, start);
    default:
  }
  return { typeCode, payload: value };
}

/** ticks repeats what dateData says; if it did not, dateData would hold, so the stream is then left as it is. */
function decodeDateTime(value: Buffer, start: number): NativeItem | undefined {
  const ticks = value.readBigUInt64LE(8) & 0x3fff_ffff_ffff_ffffn;
  if (ticks > MAX_TICKS) throw new FormatError('invalid', start, 'System.DateTime is past the year 9999');
  if (value.readBigUInt64LE(0) !== ticks) return undefined;
  return { typeCode: TypeCode.DateTime, payload: value.subarray(0, 8) };
}

/** flags, hi, lo, mid become lo, mid, hi, flags. */
function decodeDecimal(value: Buffer, start: number): NativeItem {
  const flags = value.readInt32LE(0);
  if ((flags & ~SCALE_AND_SIGN) !== 0 || ((flags >> 16) & 0xff) > 28) {
    throw new FormatError('invalid', start, 'System.Decimal has impossible flags');
  }
  const payload = Buffer.allocUnsafe(16);
  value.copy(payload, 0, 8, 16);
  value.copy(payload, 8, 4, 8);
  value.copy(payload, 12, 0, 4);
  return { typeCode: TypeCode.Decimal, payload };
}

function decodeString(nrbf: Buffer): NativeItem | undefined {
  if (nrbf.readInt32LE(START + 1) !== 1) return undefined;
  const reader = new ByteReader(nrbf, START + 5, nrbf.length - 1);
  reader.skipString();
  if (reader.remaining > 0) return undefined;
  return { typeCode: TypeCode.String, payload: nrbf.subarray(START + 5, nrbf.length - 1) };
}

/** A library, then a class of id 1 from it by that name and without members. */
function isRedisNull(nrbf: Buffer): boolean {
  const tail = START + 5;
  const suffix = 1 + 4 + 1 + REDIS_NULL.length + 4 + 4 + 1;
  const at = nrbf.length - suffix;
  if (at < tail || nrbf[at] !== Record.ClassWithMembersAndTypes || nrbf.readInt32LE(at + 1) !== 1) return false;
  if (nrbf[at + 5] !== REDIS_NULL.length || !nrbf.subarray(at + 6, at + 6 + REDIS_NULL.length).equals(REDIS_NULL))
    return false;
  const libraryId = nrbf.readInt32LE(START + 1);
  if (nrbf.readInt32LE(nrbf.length - 9) !== 0 || nrbf.readInt32LE(nrbf.length - 5) !== libraryId) return false;
  const reader = new ByteReader(nrbf, tail, at);
  return libraryId > 1 && reader.skipString() > 0 && reader.remaining === 0;
}
