import { dateTimeText, timeSpanText } from './date-time';
import { Primitive } from './nrbf/records';
import type { DateTimeKind } from './values';

const KINDS: readonly DateTimeKind[] = ['Unspecified', 'Utc', 'Local', 'Local'];

/**
 * The text of the primitive value (MS-NRBF 2.1.1) at bytes [start, end) of a stream that was found well-formed.
 * Numbers stand as .NET's invariant culture writes them, except that floats are JavaScript's shortest form.
 */
export function primitiveText(bytes: Buffer, type: number, start: number, end: number): string {
  switch (type) {
    case Primitive.Boolean:
      return bytes[start] === 0 ? 'False' : 'True';
    case Primitive.Byte:
      return String(bytes.readUInt8(start));
    case Primitive.SByte:
      return String(bytes.readInt8(start));
    case Primitive.Char:
      return `'${bytes.toString('utf8', start, end)}'`;
    case Primitive.Decimal:
      return bytes.toString('latin1', start + 1, end);
    case Primitive.Single:
      return floatText(bytes.readFloatLE(start), true);
    case Primitive.Double:
      return floatText(bytes.readDoubleLE(start), false);
    case Primitive.Int16:
      return String(bytes.readInt16LE(start));
    case Primitive.UInt16:
      return String(bytes.readUInt16LE(start));
    case Primitive.Int32:
      return String(bytes.readInt32LE(start));
    case Primitive.UInt32:
      return String(bytes.readUInt32LE(start));
    case Primitive.Int64:
      return String(bytes.readBigInt64LE(start));
    case Primitive.UInt64:
      return String(bytes.readBigUInt64LE(start));
    case Primitive.TimeSpan:
      return timeSpanText(bytes.readBigInt64LE(start));
    case Primitive.DateTime: {
      const data = bytes.readBigUInt64LE(start);
      return dateTimeText(data & 0x3fff_ffff_ffff_ffffn, KINDS[Number(data >> 62n)] ?? 'Unspecified');
    }
    default:
      return '?';
  }
}

/** The shortest text that reads back as the same value; of a Single with at most nine digits. */
export function floatText(value: number, single: boolean): string {
  if (Object.is(value, -0)) return '-0';
  if (!single || !Number.isFinite(value)) return String(value);
  for (let digits = 1; digits < 9; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return String(text);
  }
  return String(Number(value.toPrecision(9)));
}
