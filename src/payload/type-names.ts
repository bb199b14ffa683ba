import { ByteReader } from './byte-reader';
import { isList, isSet, isSortedSet } from './collections';
import { isStream } from './stream';
import {
  HASH,
  HASH_EXPIRING,
  HASH_LISTPACK,
  HASH_LISTPACK_EXPIRING,
  HASH_OF_VALKEY,
  HASH_ZIPLIST,
  HASH_ZIPMAP,
  LIST,
  LIST_QUICKLIST,
  LIST_QUICKLIST_2,
  LIST_ZIPLIST,
  MODULE,
  MODULE_PRE_RELEASE,
  SET,
  SET_INTSET,
  SET_LISTPACK,
  SORTED_SET,
  SORTED_SET_2,
  SORTED_SET_LISTPACK,
  SORTED_SET_ZIPLIST,
  STRING,
} from './value-types';

/** What TYPE calls the type of a value with this type byte; a module's types have names of their own. */
export function typeNameOf(type: number): string {
  if (type === STRING) return 'string';
  if (isList(type)) return 'list';
  if (isSet(type)) return 'set';
  if (isSortedSet(type)) return 'zset';
  if (isStream(type)) return 'stream';
  return type === MODULE || type === MODULE_PRE_RELEASE ? 'module' : 'hash';
}

const ENCODINGS: Readonly<Record<number, string>> = {
  [LIST]: 'linkedlist',
  [SET]: 'hashtable',
  [SORTED_SET]: 'skiplist',
  [HASH]: 'hashtable',
  [SORTED_SET_2]: 'skiplist',
  [HASH_ZIPMAP]: 'zipmap',
  [LIST_ZIPLIST]: 'ziplist',
  [SET_INTSET]: 'intset',
  [SORTED_SET_ZIPLIST]: 'ziplist',
  [HASH_ZIPLIST]: 'ziplist',
  [LIST_QUICKLIST]: 'quicklist',
  [HASH_LISTPACK]: 'listpack',
  [SORTED_SET_LISTPACK]: 'listpack',
  [LIST_QUICKLIST_2]: 'quicklist',
  [SET_LISTPACK]: 'listpack',
  [HASH_OF_VALKEY]: 'hashtable',
  [HASH_EXPIRING]: 'hashtable',
  [HASH_LISTPACK_EXPIRING]: 'listpackex',
};
/** Texts up to so many bytes stand in one piece with what a server keeps of a key. Source: redis/src/object.c. */
const LONGEST_EMBEDDED = 44;
/** Strings whose first byte is not below stand as numbers (to below the second), or compressed. */
const ENCODED = 0xc0;
const COMPRESSED = 0xc3;
/** Numbers of 64 bits, of which most stand as texts. */
const INTEGER = /^(?:0|-?[1-9]\d{0,18})$/;

/**
 * What OBJECT ENCODING calls the form in which a value stands; of a string, that which it has on a server.
 * @param payload undefined for a large value
 */
export function encodingNameOf(type: number, payload: Buffer | undefined): string {
  if (isStream(type)) return 'stream';
  if (type !== STRING) return ENCODINGS[type] ?? 'unknown';
  return payload === undefined ? 'raw' : encodingOfString(payload);
}

function encodingOfString(payload: Buffer): string {
  const [, first = 0] = payload;
  if (first >= ENCODED && first < COMPRESSED) return 'int';
  const reader = new ByteReader(payload, 1, payload.length);
  if (first === COMPRESSED) {
    reader.byte();
    reader.length();
  }
  const length = reader.length();
  if (length > LONGEST_EMBEDDED) return 'raw';
  const text = first === COMPRESSED ? '' : payload.toString('latin1', reader.at, reader.at + length);
  return INTEGER.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text) ? 'int' : 'embstr';
}

/** Whether fields of a value of this type can have expiries of their own. */
export function mayHaveFieldExpiries(type: number): boolean {
  return type === HASH_OF_VALKEY || type === HASH_EXPIRING || type === HASH_LISTPACK_EXPIRING;
}
