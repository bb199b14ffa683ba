import { ByteReader } from './byte-reader';
import type { CollectionItem } from './collection-writer';
import { FormatError } from './format-error';
import { firstEqualNames } from './names';
import { TypeCode } from './type-codes';

/** An item of a blob. Its place is only looked at when it is read, as in .NET. */
export interface StoredItem {
  /** UTF-8; null for the one item whose name is null. */
  readonly name: Buffer | null;
  /** Where the item's type byte should be, and the end of its payload; bytes of the blob. */
  readonly start: number;
  readonly end: number;
  /**
   * The item's type code and payload (a view of the blob).
   * @throws FormatError when the place is not within the values.
   */
  read(): CollectionItem;
}

/** What a version 5 blob holds. */
export interface StoredCollection {
  readonly items: readonly StoredItem[];
  /** Bytes behind the last value, which .NET ignores. */
  readonly trailing: number;
}

/**
 * Reads names and offsets of a version 5 blob (SessionStateItemCollection.Deserialize); values stay unread.
 * @throws FormatError where version 5 finds no session: an empty or truncated blob, a negative count, two names that
 * .NET takes for the same. Names that are not UTF-8 are refused too.
 */
export function readCollection(blob: Buffer): StoredCollection {
  const reader = new ByteReader(blob);
  const count = reader.i32('item count');
  if (count < 0) throw new FormatError('invalid', 0, 'item count is negative');
  if (count === 0) return { items: [], trailing: reader.remaining };
  const nullIndex = reader.i32('null key index');
  // The smallest item: an empty name (or none), and an end offset.
  reader.need(count * 5 - 1, 'items');

  const names: (Buffer | null)[] = [];
  for (let i = 0; i < count; i++) names.push(i === nullIndex ? null : reader.stringBytes('item name'));
  const ends: number[] = [];
  const endsAt = reader.skip(count * 4, 'end offsets');
  for (let i = 0; i < count; i++) ends.push(blob.readInt32LE(endsAt + i * 4));
  const base = reader.offset;
  const length = ends[count - 1] ?? 0;
  if (length < 0) throw new FormatError('invalid', base - 4, 'the last end offset is negative');
  reader.skip(length, 'values');
  refuseEqualNames(names);

  const items = names.map((name, i) =>
    storedItem(blob, name, base, i === 0 ? 0 : (ends[i - 1] ?? 0), ends[i] ?? 0, length),
  );
  return { items, trailing: reader.remaining };
}

function storedItem(
  blob: Buffer,
  name: Buffer | null,
  base: number,
  from: number,
  to: number,
  length: number,
): StoredItem {
  const start = base + from;
  const end = base + to;
  const read = (): CollectionItem => {
    if (from < 0 || to > length || from >= to) {
      throw new FormatError(
        'invalid',
        Math.max(start, 0),
        `item lies at ${from} to ${to} of ${length} bytes of values`,
      );
    }
    return { name, typeCode: blob[start] ?? TypeCode.Null, payload: blob.subarray(start + 1, end) };
  };
  return { name, start, end, read };
}

function refuseEqualNames(names: readonly (Buffer | null)[]): void {
  const given = names.filter((name) => name !== null);
  firstEqualNames(given).forEach((first, index) => {
    if (first !== index) {
      throw new FormatError('invalid', 8, `items ${first} and ${index} have names that .NET takes for the same`);
    }
  });
}
