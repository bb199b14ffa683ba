/**
 * The type byte in front of each value of a SessionStateItemCollection, as .NET Framework's
 * System.Web.Util.AltSerialization numbers them.
 */
export const TypeCode = {
  String: 1,
  Int32: 2,
  Boolean: 3,
  DateTime: 4,
  Decimal: 5,
  Byte: 6,
  Char: 7,
  Single: 8,
  Double: 9,
  SByte: 10,
  Int16: 11,
  Int64: 12,
  UInt16: 13,
  UInt32: 14,
  UInt64: 15,
  TimeSpan: 16,
  Guid: 17,
  IntPtr: 18,
  UIntPtr: 19,
  /** A BinaryFormatter stream; the reader takes it for values of any type. */
  Object: 20,
  Null: 21,
} as const;

/** The .NET type of each code; codes that are no type are empty. */
export const TYPE_NAMES = [
  ...['', 'System.String', 'System.Int32', 'System.Boolean', 'System.DateTime', 'System.Decimal', 'System.Byte'],
  ...['System.Char', 'System.Single', 'System.Double', 'System.SByte', 'System.Int16', 'System.Int64'],
  ...['System.UInt16', 'System.UInt32', 'System.UInt64', 'System.TimeSpan', 'System.Guid', 'System.IntPtr'],
  ...['System.UIntPtr', 'System.Object', ''],
] as const;

/** Payload bytes of each code; -1: varies. IntPtr and UIntPtr are those of a 64-bit process. */
export const PAYLOAD_SIZES = [-1, -1, 4, 1, 8, 16, 1, -1, 4, 8, 1, 2, 8, 2, 4, 8, 8, 16, 8, 8, -1, 0] as const;
