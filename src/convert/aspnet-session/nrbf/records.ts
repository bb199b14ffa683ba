/** MS-NRBF 2.1.2.1 RecordTypeEnumeration: the first byte of each record. */
export const Record = {
  SerializedStreamHeader: 0x00,
  ClassWithId: 0x01,
  SystemClassWithMembers: 0x02,
  ClassWithMembers: 0x03,
  SystemClassWithMembersAndTypes: 0x04,
  ClassWithMembersAndTypes: 0x05,
  BinaryObjectString: 0x06,
  BinaryArray: 0x07,
  MemberPrimitiveTyped: 0x08,
  MemberReference: 0x09,
  ObjectNull: 0x0a,
  MessageEnd: 0x0b,
  BinaryLibrary: 0x0c,
  ObjectNullMultiple256: 0x0d,
  ObjectNullMultiple: 0x0e,
  ArraySinglePrimitive: 0x0f,
  ArraySingleObject: 0x10,
  ArraySingleString: 0x11,
} as const;

/** MS-NRBF 2.1.2.2 BinaryTypeEnumeration: what a class says of a member, or an array of its elements. */
export const BinaryType = {
  Primitive: 0,
  String: 1,
  Object: 2,
  SystemClass: 3,
  Class: 4,
  ObjectArray: 5,
  StringArray: 6,
  PrimitiveArray: 7,
} as const;

/** MS-NRBF 2.1.2.3 PrimitiveTypeEnumeration. */
export const Primitive = {
  Boolean: 1,
  Byte: 2,
  Char: 3,
  Decimal: 5,
  Double: 6,
  Int16: 7,
  Int32: 8,
  Int64: 9,
  SByte: 10,
  Single: 11,
  TimeSpan: 12,
  DateTime: 13,
  UInt16: 14,
  UInt32: 15,
  UInt64: 16,
} as const;

/** The .NET name of each primitive type, by its number; unused numbers are empty. */
export const PRIMITIVE_NAMES = [
  ...['', 'System.Boolean', 'System.Byte', 'System.Char', '', 'System.Decimal', 'System.Double', 'System.Int16'],
  ...['System.Int32', 'System.Int64', 'System.SByte', 'System.Single', 'System.TimeSpan', 'System.DateTime'],
  ...['System.UInt16', 'System.UInt32', 'System.UInt64'],
] as const;

/** Bytes of each primitive type's value, by its number; 0: no such type (in an object), -1: varies (Char, Decimal). */
export const PRIMITIVE_SIZES = [0, 1, 1, -1, 0, -1, 8, 2, 4, 8, 1, 4, 8, 8, 2, 4, 8] as const;

/** MS-NRBF 2.4.1.1 BinaryArrayTypeEnumeration. */
export const ArrayKind = {
  Single: 0,
  Jagged: 1,
  Rectangular: 2,
  SingleOffset: 3,
  JaggedOffset: 4,
  RectangularOffset: 5,
} as const;

/**
 * The 17 bytes that begin every stream of BinaryFormatter (MS-NRBF 2.6.1 SerializationHeaderRecord): root id 1,
 * header id -1, version 1.0.
 */
export const STREAM_HEADER = Buffer.from('0001000000ffffffff0100000000000000', 'hex');

/**
 * Whether bytes[start, end) begin like a BinaryFormatter stream. (Asked for every value; a loop is faster than
 * Buffer.compare.)
 */
export function hasStreamHeader(bytes: Buffer, start = 0, end = bytes.length): boolean {
  if (end - start < STREAM_HEADER.length) return false;
  for (let i = 0; i < STREAM_HEADER.length; i++) if (bytes[start + i] !== STREAM_HEADER[i]) return false;
  return true;
}
