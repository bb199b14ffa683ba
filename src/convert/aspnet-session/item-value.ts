import { ByteReader } from './byte-reader';
import { decimalText } from './decimal';
import { FormatError } from './format-error';
import { checkNrbf } from './nrbf/check';
import { MAX_TICKS } from './nrbf/primitive';
import { decodeRootItem, type NativeItem, rootDateTimeKind } from './nrbf/root-value';
import { PAYLOAD_SIZES, TYPE_NAMES, TypeCode } from './type-codes';
import { utf8SequenceLength } from './utf8';
import type { DateTimeKind, SessionValue } from './values';

const KINDS: readonly DateTimeKind[] = ['Unspecified', 'Utc', 'Local', 'Local'];

/**
 * Reads an item's value. Type 20 is looked into: a lone system value in it is that value (with DateTime's Kind).
 * Bytes behind a value are ignored, as .NET ignores them.
 * @throws FormatError when the payload is too short, or .NET would refuse the value; offsets are the payload's.
 */
export function itemValue({ typeCode, payload }: NativeItem): SessionValue {
  if (typeCode === TypeCode.Object) return nrbfValue(payload);
  if (typeCode === TypeCode.Null) return { kind: 'Null' };
  const size = PAYLOAD_SIZES[typeCode];
  if (size === undefined || TYPE_NAMES[typeCode] === '') return { kind: 'Unknown', typeCode };
  new ByteReader(payload).need(Math.max(size, 0), TYPE_NAMES[typeCode]);
  switch (typeCode) {
    case TypeCode.String:
      return { kind: 'String', utf8: new ByteReader(payload).stringBytes() };
    case TypeCode.Boolean:
      return { kind: 'Boolean', value: payload[0] !== 0 };
    case TypeCode.Byte:
      return { kind: 'Byte', value: payload.readUInt8() };
    case TypeCode.SByte:
      return { kind: 'SByte', value: payload.readInt8() };
    case TypeCode.Int16:
      return { kind: 'Int16', value: payload.readInt16LE() };
    case TypeCode.UInt16:
      return { kind: 'UInt16', value: payload.readUInt16LE() };
    case TypeCode.Int32:
      return { kind: 'Int32', value: payload.readInt32LE() };
    case TypeCode.UInt32:
      return { kind: 'UInt32', value: payload.readUInt32LE() };
    case TypeCode.Int64:
      return { kind: 'Int64', value: payload.readBigInt64LE() };
    case TypeCode.UInt64:
      return { kind: 'UInt64', value: payload.readBigUInt64LE() };
    case TypeCode.IntPtr:
      return { kind: 'IntPtr', value: payload.readBigInt64LE() };
    case TypeCode.UIntPtr:
      return { kind: 'UIntPtr', value: payload.readBigUInt64LE() };
    case TypeCode.Single:
      return { kind: 'Single', value: payload.readFloatLE(), bits: BigInt(payload.readUInt32LE()) };
    case TypeCode.Double:
      return { kind: 'Double', value: payload.readDoubleLE(), bits: payload.readBigUInt64LE() };
    case TypeCode.Decimal:
      return { kind: 'Decimal', text: decimalText(payload) };
    case TypeCode.Char:
      return { kind: 'Char', code: charCode(payload) };
    case TypeCode.DateTime:
      return { kind: 'DateTime', ticks: ticks(payload), dateTimeKind: 'Unspecified' };
    case TypeCode.TimeSpan:
      return { kind: 'TimeSpan', ticks: payload.readBigInt64LE() };
    default:
      return { kind: 'Guid', bytes: payload.subarray(0, 16) };
  }
}

/**
 * Reads a field's value as version 4 keeps it, or a type 20 payload: a BinaryFormatter stream, checked whole.
 * @throws FormatError when it is not well-formed.
 */
export function nrbfValue(nrbf: Buffer): SessionValue {
  const check = checkNrbf(nrbf, { trailing: 'ignore' });
  if (!check.ok) throw new FormatError(check.code, check.offset, check.reason);
  const stream = nrbf.subarray(0, check.length);
  const item = decodeRootItem(stream);
  if (item === undefined) return { kind: 'Object', nrbf: stream };
  const value = itemValue(item);
  if (value.kind !== 'DateTime') return value;
  return { ...value, dateTimeKind: KINDS[rootDateTimeKind(stream)] ?? 'Unspecified' };
}

function charCode(payload: Buffer): number {
  const length = utf8SequenceLength(payload, 0, payload.length);
  if (length === 0 || length > 3) throw new FormatError('invalid', 0, 'System.Char is not one UTF-16 unit in UTF-8');
  return payload.toString('utf8', 0, length).charCodeAt(0);
}

function ticks(payload: Buffer): bigint {
  const value = payload.readBigInt64LE();
  if (value < 0n || value > MAX_TICKS) throw new FormatError('invalid', 0, 'System.DateTime is out of range');
  return value;
}
