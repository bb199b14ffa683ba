import type { ByteReader } from '../byte-reader';
import { FormatError } from '../format-error';
import { readSlot, type Slot } from './class-table';
import { skipPrimitives } from './primitive';
import { ArrayKind, BinaryType } from './records';

/** The most dimensions of a .NET array. */
const MAX_RANK = 32;

/** What an array record says before its elements. */
export interface ArrayShape {
  readonly slot: Slot;
  /** Elements along each dimension; one for most arrays. */
  readonly lengths: readonly number[];
  /** Elements in all. */
  readonly total: number;
  readonly kind: number;
}

/** Reads the length of a one-dimensional array. */
export function readLength(reader: ByteReader): number {
  const at = reader.offset;
  const length = reader.i32('array length');
  if (length < 0) throw new FormatError('invalid', at, 'array length is negative');
  return length;
}

/** Reads a BinaryArray record's head, behind its id (MS-NRBF 2.4.3.1). */
export function readBinaryArray(reader: ByteReader, hasLibrary: (id: number) => boolean): ArrayShape {
  const at = reader.offset;
  const kind = reader.u8('array kind');
  if (kind > ArrayKind.RectangularOffset) throw new FormatError('invalid', at, `array kind ${kind} is not known`);
  const rank = reader.i32('array rank');
  const rectangular = kind === ArrayKind.Rectangular || kind === ArrayKind.RectangularOffset;
  if (rank < 1 || rank > MAX_RANK || (rank === 1) === rectangular) {
    throw new FormatError('invalid', at + 1, `rank ${rank} does not suit array kind ${kind}`);
  }
  const lengths: number[] = [];
  let total = 1;
  for (let i = 0; i < rank; i++) {
    const length = readLength(reader);
    lengths.push(length);
    total *= length;
  }
  if (kind >= ArrayKind.SingleOffset) checkLowerBounds(reader, lengths);
  if (total > 0x7fff_ffff) throw new FormatError('invalid', at, 'array has more than 2147483647 elements');
  const typeAt = reader.offset;
  const slot = readSlot(reader, reader.u8('element type'), typeAt, hasLibrary);
  if ((kind === ArrayKind.Jagged || kind === ArrayKind.JaggedOffset) && slot.type < BinaryType.SystemClass) {
    throw new FormatError('invalid', typeAt, `element type ${slot.type} is no array`);
  }
  return { slot, lengths, total, kind };
}

/** Passes over the elements of an array of primitives. */
export function skipPrimitiveElements(reader: ByteReader, shape: ArrayShape): void {
  skipPrimitives(reader, shape.slot.primitive, shape.total);
}

/** The shape of the arrays with records of their own (MS-NRBF 2.4.3.2 – 2.4.3.4). */
export function singleShape(type: number, primitive: number, length: number): ArrayShape {
  return { slot: { type, primitive }, lengths: [length], total: length, kind: ArrayKind.Single };
}

/** Whether a run of nulls may be told as one record: BinaryFormatter writes a rectangle's one by one. */
export function allowsNullRuns(shape: ArrayShape): boolean {
  return shape.kind !== ArrayKind.Rectangular && shape.kind !== ArrayKind.RectangularOffset;
}

/** Whether the elements are values without records. */
export function isPrimitiveShape(shape: ArrayShape): boolean {
  return shape.slot.type === BinaryType.Primitive;
}

function checkLowerBounds(reader: ByteReader, lengths: readonly number[]): void {
  for (const length of lengths) {
    const at = reader.offset;
    const lower = reader.i32('lower bound');
    if (lower + Math.max(length - 1, 0) > 0x7fff_ffff) {
      throw new FormatError('invalid', at, 'array ends past index 2147483647');
    }
  }
}
