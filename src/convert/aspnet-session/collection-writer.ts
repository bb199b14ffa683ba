import type { NativeItem } from './nrbf/root-value';
import { varintSize, writeVarint } from './varint';

/** One named item of a session. */
export interface CollectionItem extends NativeItem {
  /** UTF-8. Null only where a version 5 application used a null name. */
  readonly name: Buffer | null;
}

/**
 * Writes the bytes of SessionStateItemCollection.Serialize (.NET Framework, System.Web): count, index of the item
 * without a name, names, end offsets, values. Little-endian; nothing before or after; no items: four zero bytes.
 * @throws RangeError when the values are over 2 GiB, TypeError when two items have no name.
 */
export function writeCollection(items: readonly CollectionItem[]): Buffer {
  if (items.length === 0) return Buffer.alloc(4);
  let nullIndex = -1;
  let head = 8 + items.length * 4;
  let values = 0;
  items.forEach(({ name, payload }, index) => {
    if (name !== null) head += varintSize(name.length) + name.length;
    else if (nullIndex === -1) nullIndex = index;
    else throw new TypeError('only one item can be without a name');
    values += 1 + payload.length;
  });
  if (values > 0x7fff_ffff) throw new RangeError('the values are over 2 GiB');

  const blob = Buffer.allocUnsafe(head + values);
  blob.writeInt32LE(items.length, 0);
  blob.writeInt32LE(nullIndex, 4);
  let at = 8;
  for (const { name } of items) {
    if (name === null) continue;
    at = writeVarint(blob, name.length, at);
    at += name.copy(blob, at);
  }
  let end = 0;
  for (const { payload } of items) {
    end += 1 + payload.length;
    at = blob.writeInt32LE(end, at);
  }
  for (const { typeCode, payload } of items) {
    blob[at++] = typeCode;
    at += payload.copy(blob, at);
  }
  return blob;
}
