import { bad, BadPayloadError, ByteReader } from './byte-reader';
import { isList, isSet, isSortedSet, readHash, readList, readSet, readSortedSet } from './collections';
import { FOOTER_BYTES } from './footer';
import { checkString } from './rdb-string';
import { skipValue } from './skip-value';
import { isStream, readStream } from './stream';
import { MODULE, STRING } from './value-types';
import type { Workspace } from './workspace';

/**
 * Looks at a value from its type byte at `start` to `end`, at all that a server relies on when it loads and uses it. (Of a
 * module's value only where it ends: the rest is known to the module alone.)
 * @throws BadPayloadError where it is none that a server wrote, does not end there, or is of an unknown type
 */
export function checkValue(bytes: Buffer, start: number, end: number, space: Workspace): void {
  const reader = new ByteReader(bytes, start, end);
  const type = reader.byte();
  if (type === STRING) checkString(reader);
  else if (type === MODULE) skipValue(reader, type);
  else if (isList(type)) readList(reader, type, space, nothing);
  else if (isSet(type)) readSet(reader, type, space, nothing);
  else if (isSortedSet(type)) readSortedSet(reader, type, space, nothing);
  else if (isStream(type)) readStream(reader, type, space);
  else readHash(reader, type, space, nothing);
  if (reader.at !== end) bad('bytes are left behind a value');
}

/** Whether a payload's value is one that a server writes, as far as `checkValue` tells. */
export function isSound(payload: Buffer, space: Workspace): boolean {
  try {
    checkValue(payload, 0, payload.length - FOOTER_BYTES, space);
    return true;
  } catch (error) {
    if (error instanceof BadPayloadError) return false;
    throw error;
  }
}

function nothing(): void {
  // Reading is looking.
}
