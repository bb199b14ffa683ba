import { BadPayloadError, ByteReader } from '../payload/byte-reader';
import { readHash } from '../payload/collections';
import { FOOTER_BYTES, payloadVersionOf } from '../payload/footer';
import { readString } from '../payload/rdb-string';
import { typeNameOf } from '../payload/type-names';
import { isUnderstood, STRING } from '../payload/value-types';
import { Workspace } from '../payload/workspace';

const space = new Workspace();
/** What was unpacked for one value stays with the workspace; not where that is much. */
const MOST_KEPT = 1 << 20;

/**
 * A payload's fields and values in turns, as HGETALL gives them at a moment, ms since 1970; undefined where it is no hash, or none that
 * a server writes.
 */
export function hashIn(payload: Buffer, now: number): readonly Buffer[] | undefined {
  const fields: Buffer[] = [];
  const isRead = read(payload, 'hash', (reader, type) => {
    readHash(reader, type, space, (field, value, expiry) => {
      if (expiry === undefined || expiry > now) fields.push(field.copy(), value.copy());
    });
  });
  return isRead ? fields : undefined;
}

/** A payload's string; undefined where it is something else, or none that a server writes. */
export function stringIn(payload: Buffer): Buffer | undefined {
  let text: Buffer | undefined;
  const isRead = read(payload, 'string', (reader) => {
    readString(reader, space.first);
    text = space.first.copy();
  });
  return isRead ? text : undefined;
}

function read(payload: Buffer, name: 'hash' | 'string', value: (reader: ByteReader, type: number) => void): boolean {
  const type = payload[0] ?? STRING;
  if (!isUnderstood(type, payloadVersionOf(payload)) || typeNameOf(type) !== name) return false;
  const reader = new ByteReader(payload, 1, payload.length - FOOTER_BYTES);
  try {
    value(reader, type);
    return reader.at === reader.end;
  } catch (error) {
    if (error instanceof BadPayloadError) return false;
    throw error;
  } finally {
    for (const element of [space.first, space.second, space.packed])
      if (element.bytes.length > MOST_KEPT) element.clear();
  }
}
