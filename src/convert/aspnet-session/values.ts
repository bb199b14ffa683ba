/** What a session's item holds, told apart by `kind`; the names are those of .NET. */
export type SessionValue =
  | { readonly kind: 'Null' }
  | { readonly kind: 'String'; readonly utf8: Buffer }
  | { readonly kind: 'Boolean'; readonly value: boolean }
  | { readonly kind: 'Byte' | 'SByte' | 'Int16' | 'UInt16' | 'Int32' | 'UInt32'; readonly value: number }
  | { readonly kind: 'Int64' | 'UInt64' | 'IntPtr' | 'UIntPtr'; readonly value: bigint }
  /** `bits` are those of IEEE 754, so that NaNs stay what they are. */
  | { readonly kind: 'Single' | 'Double'; readonly value: number; readonly bits: bigint }
  /** `text` keeps the zeros at the end, as .NET does. */
  | { readonly kind: 'Decimal'; readonly text: string }
  /** One UTF-16 unit. */
  | { readonly kind: 'Char'; readonly code: number }
  /** Ticks of 100 ns since the year 1. */
  | { readonly kind: 'DateTime'; readonly ticks: bigint; readonly dateTimeKind: DateTimeKind }
  | { readonly kind: 'TimeSpan'; readonly ticks: bigint }
  /** The bytes in the order of Guid.ToByteArray(). */
  | { readonly kind: 'Guid'; readonly bytes: Buffer }
  /** Everything else: a BinaryFormatter stream. */
  | { readonly kind: 'Object'; readonly nrbf: Buffer }
  /** A type code that version 5 reads as null without complaint. */
  | { readonly kind: 'Unknown'; readonly typeCode: number };

export type DateTimeKind = 'Unspecified' | 'Utc' | 'Local';
