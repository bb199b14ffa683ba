import type { NativeItem, PlacedItem } from './nrbf/root-value';
import { TypeCode } from './type-codes';
import { varintSize, writeVarint } from './varint';

/** One named item of a session. */
export interface CollectionItem extends NativeItem {
  /** UTF-8. Null only where a version 5 application used a null name. */
  readonly name: Buffer | null;
}

/** Writes the bytes of SessionStateItemCollection.Serialize; see CollectionWriter. */
export function writeCollection(items: readonly CollectionItem[]): Buffer {
  const writer = new CollectionWriter();
  for (const { name, typeCode, payload } of items) {
    const index = name === null ? writer.addNull() : writer.add(name, 0, name.length);
    writer.set(index, { typeCode, bytes: payload, start: 0, end: payload.length });
  }
  return writer.write();
}

/**
 * Collects items and writes the bytes of SessionStateItemCollection.Serialize (.NET Framework, System.Web). Names and
 * values stay where they are until then; they are kept in columns, without an object for each.
 */
export class CollectionWriter {
  private readonly nameBytes: Buffer[] = [];
  private readonly nameStarts: number[] = [];
  private readonly nameEnds: number[] = [];
  private readonly typeCodes: number[] = [];
  private readonly bytes: Buffer[] = [];
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];
  private nullIndex = -1;

  get count(): number {
    return this.nameStarts.length;
  }

  /** Adds an item of that name (UTF-8), which is null until it is set; returns its index. */
  add(bytes: Buffer, start: number, end: number): number {
    this.nameBytes.push(bytes);
    this.nameStarts.push(start);
    return this.nameEnds.push(end) - 1;
  }

  /** Adds the item without a name; TypeError when there is one. */
  addNull(): number {
    if (this.nullIndex !== -1) throw new TypeError('only one item can be without a name');
    return (this.nullIndex = this.add(NOTHING, 0, 0));
  }

  /** Sets an item's value. */
  set(index: number, { typeCode, bytes, start, end }: PlacedItem): void {
    this.typeCodes[index] = typeCode;
    this.bytes[index] = bytes;
    this.starts[index] = start;
    this.ends[index] = end;
  }

  name(index: number): Buffer {
    return (this.nameBytes[index] ?? NOTHING).subarray(this.nameStarts[index], this.nameEnds[index]);
  }
  typeCode(index: number): number {
    return this.typeCodes[index] ?? TypeCode.Null;
  }
  /** Bytes of an item's payload. */
  size(index: number): number {
    return (this.ends[index] ?? 0) - (this.starts[index] ?? 0);
  }

  /** Bytes of the whole. */
  get length(): number {
    if (this.count === 0) return 4;
    let sum = 8;
    for (let i = 0; i < this.count; i++) {
      sum += 5 + this.size(i);
      if (i !== this.nullIndex) sum += varintSize(this.nameLength(i)) + this.nameLength(i);
    }
    return sum;
  }

  /**
   * Count, index of the item without a name, names, end offsets, values. Little-endian; nothing before or after; no items:
   * four zero bytes.
   * @throws RangeError when that is over 2 GiB
   */
  write(): Buffer {
    const { count, length } = this;
    if (length > 0x7fff_ffff) throw new RangeError('the collection is over 2 GiB');
    const blob = Buffer.allocUnsafe(length);
    blob.writeInt32LE(count, 0);
    if (count === 0) return blob;
    blob.writeInt32LE(this.nullIndex, 4);
    let at = 8;
    for (let i = 0; i < count; i++) {
      if (i === this.nullIndex) continue;
      at = writeVarint(blob, this.nameLength(i), at);
      at = copy(this.nameBytes[i], this.nameStarts[i], this.nameEnds[i], blob, at);
    }
    let end = 0;
    for (let i = 0; i < count; i++) {
      end += 1 + this.size(i);
      at = blob.writeInt32LE(end, at);
    }
    for (let i = 0; i < count; i++) {
      blob[at++] = this.typeCode(i);
      at = copy(this.bytes[i], this.starts[i], this.ends[i], blob, at);
    }
    return blob;
  }

  private nameLength(index: number): number {
    return (this.nameEnds[index] ?? 0) - (this.nameStarts[index] ?? 0);
  }
}

const NOTHING: Buffer = Buffer.alloc(0);
/** From so many bytes on the platform copies faster than a loop. */
const LONG = 64;

/** Copies bytes[start, end) to `at`; returns the offset behind them. */
function copy(bytes: Buffer = NOTHING, start = 0, end = 0, target: Buffer, at: number): number {
  if (end - start > LONG) return at + bytes.copy(target, at, start, end);
  let to = at;
  for (let from = start; from < end; from++) target[to++] = bytes[from] ?? 0;
  return to;
}
