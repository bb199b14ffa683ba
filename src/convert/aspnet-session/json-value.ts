import { parseJsonDate, parseTimeSpan } from './date-time';
import { decimalPayload } from './decimal';
import { guidBytes } from './guid';
import { LONGEST_NUMBER, scanJson, unquote } from './json-scalar';
import { encodeByteArray, type NativeItem, stringPayload } from './nrbf/root-value';
import { TypeCode } from './type-codes';
import type { DateTimeKind } from './values';

/** What Json.NET's text stands for. */
export type JsonItem =
  | { readonly kind: 'item'; readonly item: NativeItem; readonly dateTimeKind?: DateTimeKind }
  /** A value of a type that has no form here; `type` is its .NET name, or `object`, `array`. */
  | { readonly kind: 'unrepresentable'; readonly type: string }
  | { readonly kind: 'invalid'; readonly offset: number };

/** Longest JSON text that is decoded. */
export const MAX_JSON_BYTES = 128 * 1024 * 1024;

const NULL: JsonItem = { kind: 'item', item: { typeCode: TypeCode.Null, payload: Buffer.alloc(0) } };
const INTEGER = /^-?\d{1,39}$/;

/**
 * Decodes a value that Json.NET (JsonConvert, TypeNameHandling.All) wrote, into what the same Json.NET would hand to
 * the application: a bare integer is Int64, a bare fraction Double, a string that is a date is DateTime, and
 * `{"$type", "$value"}` is what $type says. Objects and arrays have no form but byte[].
 */
export function decodeJson(bytes: Buffer): JsonItem {
  const text = bytes.toString('utf8');
  const scan = scanJson(text.startsWith('\uFEFF') ? text.slice(1) : text);
  switch (scan.kind) {
    case 'invalid':
      return scan;
    case 'nested':
      return { kind: 'unrepresentable', type: scan.type };
    case 'typed':
      return decodeTyped(scan.type, scan.token);
    case 'scalar':
      return decodeScalar(scan.token);
  }
}

function decodeScalar(token: string): JsonItem {
  if (token === 'null') return NULL;
  if (token.startsWith('"')) return decodeString(unquote(token));
  if (token === 'true' || token === 'false') return decodeAs('System.Boolean', token) ?? NULL;
  if (token.length > LONGEST_NUMBER || !/^-?\d+$/.test(token))
    return decodeAs('System.Double', token) ?? unrepresentable('System.Double');
  return decodeAs('System.Int64', token) ?? unrepresentable('System.Numerics.BigInteger');
}

function decodeString(text: string): JsonItem {
  const date = parseJsonDate(text);
  return date === undefined ? item(TypeCode.String, stringPayload(text)) : dateItem(date);
}

/** `type` is "System.Int32, mscorlib" or the like: the name stands before the first comma. */
function decodeTyped(type: string, token: string): JsonItem {
  if (token === 'null') return NULL;
  const name = type.split(',', 1)[0]?.trim() ?? '';
  return decodeAs(name, token) ?? unrepresentable(type);
}

function decodeAs(name: string, token: string): JsonItem | undefined {
  const text = token.startsWith('"') ? unquote(token) : token;
  const isText = token.startsWith('"');
  if (text.length > LONGEST_NUMBER && name !== 'System.String' && name !== 'System.Byte[]') return undefined;
  switch (name) {
    case 'System.String':
      return isText ? item(TypeCode.String, stringPayload(text)) : undefined;
    case 'System.Boolean':
      return token === 'true' || token === 'false'
        ? item(TypeCode.Boolean, Buffer.of(Number(token === 'true')))
        : undefined;
    case 'System.Char':
      return isText && /^[^\ud800-\udfff]$/.test(text) ? item(TypeCode.Char, Buffer.from(text)) : undefined;
    case 'System.Decimal': {
      const payload = decimalPayload(text);
      return payload && item(TypeCode.Decimal, payload);
    }
    case 'System.Single':
    case 'System.Double':
      return floating(name, isText, text);
    case 'System.DateTime': {
      const date = isText ? parseJsonDate(text) : undefined;
      return date && dateItem(date);
    }
    case 'System.TimeSpan': {
      const ticks = isText ? parseTimeSpan(text) : undefined;
      return ticks === undefined ? undefined : item(TypeCode.TimeSpan, int64(ticks));
    }
    case 'System.Guid': {
      const bytes = isText ? guidBytes(text) : undefined;
      return bytes && item(TypeCode.Guid, bytes);
    }
    case 'System.Byte[]':
      return isText && isBase64(text) ? item(TypeCode.Object, encodeByteArray(Buffer.from(text, 'base64'))) : undefined;
    default:
      return integer(name, text);
  }
}

const INTEGERS: Readonly<Record<string, readonly [typeCode: number, bits: number, signed: boolean]>> = {
  'System.Byte': [TypeCode.Byte, 8, false],
  'System.SByte': [TypeCode.SByte, 8, true],
  'System.Int16': [TypeCode.Int16, 16, true],
  'System.UInt16': [TypeCode.UInt16, 16, false],
  'System.Int32': [TypeCode.Int32, 32, true],
  'System.UInt32': [TypeCode.UInt32, 32, false],
  'System.Int64': [TypeCode.Int64, 64, true],
  'System.UInt64': [TypeCode.UInt64, 64, false],
};

function integer(name: string, text: string): JsonItem | undefined {
  const form = Object.hasOwn(INTEGERS, name) ? INTEGERS[name] : undefined;
  if (form === undefined || !INTEGER.test(text)) return undefined;
  const [typeCode, bits, signed] = form;
  const value = BigInt(text);
  if (value !== (signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value))) return undefined;
  return item(typeCode, int64(value).subarray(0, bits / 8));
}

function floating(name: string, isText: boolean, text: string): JsonItem | undefined {
  const symbol = text === 'NaN' || text === 'Infinity' || text === '-Infinity';
  if (isText && !symbol) return undefined;
  const value = Number(text);
  if (!symbol && !Number.isFinite(value)) return undefined;
  if (name === 'System.Double') {
    const payload = Buffer.alloc(8);
    payload.writeDoubleLE(value);
    return item(TypeCode.Double, payload);
  }
  const payload = Buffer.alloc(4);
  payload.writeFloatLE(value);
  return item(TypeCode.Single, payload);
}

function dateItem(date: { ticks: bigint; dateTimeKind: DateTimeKind }): JsonItem {
  return {
    kind: 'item',
    item: { typeCode: TypeCode.DateTime, payload: int64(date.ticks) },
    dateTimeKind: date.dateTimeKind,
  };
}

function int64(value: bigint): Buffer {
  const payload = Buffer.alloc(8);
  payload.writeBigInt64LE(BigInt.asIntN(64, value));
  return payload;
}

function item(typeCode: number, payload: Buffer): JsonItem {
  return { kind: 'item', item: { typeCode, payload } };
}

function unrepresentable(type: string): JsonItem {
  return { kind: 'unrepresentable', type };
}

function isBase64(text: string): boolean {
  return text.length % 4 === 0 && !/[^A-Za-z0-9+/=]/.test(text);
}
