import type { ByteReader } from '../byte-reader';
import { FormatError } from '../format-error';
import { utf8SequenceLength } from '../utf8';
import { Primitive, PRIMITIVE_NAMES, PRIMITIVE_SIZES } from './records';

/** DateTime.MaxValue.Ticks. */
export const MAX_TICKS = 3_155_378_975_999_999_999n;
const MAX_TICKS_HIGH = Number(MAX_TICKS >> 32n);
const MAX_TICKS_LOW = Number(MAX_TICKS & 0xffff_ffffn);
/** Of a DateTime's high 32 bits, those that are ticks; the two above are its Kind. */
export const TICKS_HIGH_MASK = 0x3fff_ffff;
const MAX_DECIMAL = 2n ** 96n - 1n;
const DECIMAL_TEXT = /^-?\d{1,29}(?:\.\d{1,28})?$/;

/** Reads a primitive type's number and makes sure that objects can hold it (17 Null and 18 String are for calls only). */
export function readPrimitiveType(reader: ByteReader): number {
  const offset = reader.offset;
  const type = reader.u8('primitive type');
  if ((PRIMITIVE_SIZES[type] ?? 0) === 0)
    throw new FormatError('invalid', offset, `primitive type ${type} is not known`);
  return type;
}

/**
 * Passes over `count` values of primitive type `type` (MS-NRBF 2.1.1, 2.5.1), checking what a reader would refuse or
 * BinaryWriter cannot write. The count is measured against the bytes left first. Time is linear in the bytes passed.
 */
export function skipPrimitives(reader: ByteReader, type: number, count: number): void {
  const size = PRIMITIVE_SIZES[type] ?? 0;
  if (size > 0) {
    const start = reader.skip(size * count, PRIMITIVE_NAMES[type]);
    if (type === Primitive.Boolean) checkBooleans(reader.bytes, start, reader.offset);
    else if (type === Primitive.DateTime) checkDateTimes(reader.bytes, start, reader.offset);
    return;
  }
  reader.need(type === Primitive.Decimal ? count * 2 : count, PRIMITIVE_NAMES[type]);
  if (type === Primitive.Char) skipChars(reader, count);
  else for (let i = 0; i < count; i++) skipDecimalText(reader);
}

function checkBooleans(bytes: Buffer, start: number, end: number): void {
  for (let i = start; i < end; i++) {
    if ((bytes[i] ?? 0) > 1) throw new FormatError('invalid', i, 'System.Boolean is neither 0 nor 1');
  }
}

function checkDateTimes(bytes: Buffer, start: number, end: number): void {
  for (let i = start; i < end; i += 8) checkDateTime(bytes, i);
}

/** 62 bits of ticks, two of Kind (MS-NRBF 2.1.1.5). */
export function checkDateTime(bytes: Buffer, at: number): void {
  const high = bytes.readUInt32LE(at + 4) & TICKS_HIGH_MASK;
  if (high > MAX_TICKS_HIGH || (high === MAX_TICKS_HIGH && bytes.readUInt32LE(at) > MAX_TICKS_LOW)) {
    throw new FormatError('invalid', at, 'System.DateTime is past the year 9999');
  }
}

/** A Char is one UTF-16 unit in UTF-8; in a char[] a pair of surrogates stands as one sequence of four bytes. */
function skipChars(reader: ByteReader, count: number): void {
  for (let left = count; left > 0;) {
    const length = utf8SequenceLength(reader.bytes, reader.offset, reader.end);
    const units = length === 4 ? 2 : 1;
    if (length === 0 || units > left) {
      throw new FormatError('invalid', reader.offset, 'System.Char is not one UTF-16 unit in UTF-8');
    }
    reader.offset += length;
    left -= units;
  }
}

/** A decimal is its invariant text (MS-NRBF 2.1.1.7). */
function skipDecimalText(reader: ByteReader): void {
  const start = reader.offset;
  const length = reader.varint('System.Decimal');
  reader.skip(length, 'System.Decimal');
  const text =
    length > 60 || reader.offset - start !== length + 1
      ? ''
      : reader.bytes.toString('latin1', reader.offset - length, reader.offset);
  const fits = DECIMAL_TEXT.test(text) && (text.length <= 28 || BigInt(text.replace(/[-.]/g, '')) <= MAX_DECIMAL);
  if (!fits) throw new FormatError('invalid', start, 'System.Decimal is not a decimal number');
}
