import { TYPE_NAMES, TypeCode } from '../type-codes';
import { lengthPrefixed } from '../varint';
import { Primitive, Record, STREAM_HEADER } from './records';

/** How BinaryFormatter writes a lone value of a system type: constant bytes, the value, MessageEnd. */
export interface RootLayout {
  readonly typeCode: number;
  /** Everything before the value's bytes. */
  readonly prefix: Buffer;
  /** Bytes of the value; -1: one UTF-16 unit in UTF-8. */
  readonly size: number;
}

type Member = readonly [name: string, primitive: number];

/**
 * A lone primitive is boxed: a SystemClassWithMembersAndTypes record (MS-NRBF 2.3.2.3) of id 1 whose members are the
 * fields of the .NET Framework type, or what its GetObjectData adds (DateTime).
 */
function layout(typeCode: number, size: number, members: readonly Member[]): RootLayout {
  const prefix = Buffer.concat([
    STREAM_HEADER,
    Buffer.of(Record.SystemClassWithMembersAndTypes, 1, 0, 0, 0),
    lengthPrefixed(Buffer.from(TYPE_NAMES[typeCode] ?? '', 'latin1')),
    Buffer.of(members.length, 0, 0, 0),
    ...members.map(([name]) => lengthPrefixed(Buffer.from(name, 'latin1'))),
    Buffer.alloc(members.length),
    Buffer.from(members.map(([, primitive]) => primitive)),
  ]);
  return { typeCode, prefix, size };
}

const boxed = (typeCode: number, size: number, primitive: number): RootLayout =>
  layout(typeCode, size, [['m_value', primitive]]);

const GUID_MEMBERS: readonly Member[] = [
  ['_a', Primitive.Int32],
  ['_b', Primitive.Int16],
  ['_c', Primitive.Int16],
  ...['_d', '_e', '_f', '_g', '_h', '_i', '_j', '_k'].map((name): Member => [name, Primitive.Byte]),
];

/** All lone values of system types but strings. UIntPtr has Mono's layout beside the Framework's. */
export const ROOT_LAYOUTS: readonly RootLayout[] = [
  boxed(TypeCode.Int32, 4, Primitive.Int32),
  boxed(TypeCode.Boolean, 1, Primitive.Boolean),
  boxed(TypeCode.Byte, 1, Primitive.Byte),
  boxed(TypeCode.Char, -1, Primitive.Char),
  boxed(TypeCode.Single, 4, Primitive.Single),
  boxed(TypeCode.Double, 8, Primitive.Double),
  boxed(TypeCode.SByte, 1, Primitive.SByte),
  boxed(TypeCode.Int16, 2, Primitive.Int16),
  boxed(TypeCode.Int64, 8, Primitive.Int64),
  boxed(TypeCode.UInt16, 2, Primitive.UInt16),
  boxed(TypeCode.UInt32, 4, Primitive.UInt32),
  boxed(TypeCode.UInt64, 8, Primitive.UInt64),
  layout(TypeCode.DateTime, 16, [
    ['ticks', Primitive.Int64],
    ['dateData', Primitive.UInt64],
  ]),
  layout(
    TypeCode.Decimal,
    16,
    ['flags', 'hi', 'lo', 'mid'].map((name): Member => [name, Primitive.Int32]),
  ),
  layout(TypeCode.TimeSpan, 8, [['_ticks', Primitive.Int64]]),
  layout(TypeCode.Guid, 16, GUID_MEMBERS),
  layout(TypeCode.IntPtr, 8, [['value', Primitive.Int64]]),
  layout(TypeCode.UIntPtr, 8, [['value', Primitive.UInt64]]),
  layout(TypeCode.UIntPtr, 8, [['pointer', Primitive.UInt64]]),
];

/** Layouts by the length of the class name, which is the byte at 22. */
export const layoutsByNameLength: readonly (readonly RootLayout[])[] = Array.from({ length: 16 }, (_, length) =>
  ROOT_LAYOUTS.filter(({ prefix }) => prefix[STREAM_HEADER.length + 5] === length),
);
