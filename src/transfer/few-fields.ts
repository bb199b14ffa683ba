import type { FieldOfLarge } from '../convert/file-keys';
import { Element } from '../payload/element';
import { bytesBehindHead, readString } from '../payload/rdb-string';
import { unitsOf } from '../payload/value-units';
import { HASH, HASH_EXPIRING, HASH_OF_VALKEY } from '../payload/value-types';
import type { ByteWindow } from './byte-window';

/** Hashes with more fields are not looked into. */
const FEW = 3;
/** Names that take more are not read, bytes. */
const LONGEST_NAME = 1_024;
const MOMENT_BYTES = 8;

/**
 * The fields of a hash that has few, without their values, however long these are; undefined where it has more, stands packed, or is
 * something else.
 * @param place where the value begins
 * @throws BadPayloadError, what reading throws
 */
export async function fewFields(
  type: number,
  place: number,
  window: ByteWindow,
): Promise<readonly FieldOfLarge[] | undefined> {
  const kind = unitsOf(type);
  if (kind === undefined || ![HASH, HASH_EXPIRING, HASH_OF_VALKEY].includes(type)) return undefined;
  const { value: head, next } = await window.at(place, kind.head);
  if (head.units > FEW) return undefined;
  const element = new Element();
  const fields: FieldOfLarge[] = [];
  for (let at = next; fields.length < head.units;) {
    const { value: field, next: behind } = await window.at(at, (reader) => {
      const left = type === HASH_EXPIRING ? reader.length() : 0;
      const expiry = left === 0 ? undefined : head.since + left - 1;
      const start = reader.at;
      const bytes = bytesBehindHead(reader);
      if (bytes > LONGEST_NAME) return { name: undefined, expiry, unread: bytes };
      reader.at = start;
      readString(reader, element);
      return { name: element.copy(), expiry, unread: 0 };
    });
    const { value: bytes, next: value } = await window.at(behind + field.unread, bytesBehindHead);
    at = value + bytes;
    let { expiry } = field;
    if (type === HASH_OF_VALKEY) {
      const moment = Number((await window.at(at, (reader) => reader.int64())).value);
      expiry = moment < 0 ? undefined : moment;
      at += MOMENT_BYTES;
    }
    fields.push({ name: field.name, expiry });
  }
  return fields;
}
