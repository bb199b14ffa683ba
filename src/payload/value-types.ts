/** The byte before a value, which says how it stands. Sources: redis/src/rdb.h, valkey/src/rdb.h. */
export const STRING = 0;
export const LIST = 1;
export const SET = 2;
export const SORTED_SET = 3;
export const HASH = 4;
export const SORTED_SET_2 = 5;
/** Of pre-releases of Redis 4.0 only: it cannot be gone over without its module. */
export const MODULE_PRE_RELEASE = 6;
export const MODULE = 7;
export const HASH_ZIPMAP = 9;
export const LIST_ZIPLIST = 10;
export const SET_INTSET = 11;
export const SORTED_SET_ZIPLIST = 12;
export const HASH_ZIPLIST = 13;
export const LIST_QUICKLIST = 14;
export const STREAM = 15;
export const HASH_LISTPACK = 16;
export const SORTED_SET_LISTPACK = 17;
export const LIST_QUICKLIST_2 = 18;
export const STREAM_2 = 19;
export const SET_LISTPACK = 20;
export const STREAM_3 = 21;
/** Of Valkey, from 9.0. Redis's 22 and 23 are of pre-releases of 7.4 only. */
export const HASH_OF_VALKEY = 22;
export const HASH_EXPIRING = 24;
export const HASH_LISTPACK_EXPIRING = 25;

/** The first of the payload versions that are Valkey's own; all below are Redis's, up to 11 Valkey's too. */
export const FIRST_OF_VALKEY = 80;

/**
 * The versions that wrote each type byte first, of Redis. From 22 on they are Redis's alone: Valkey's 22 is another type
 * than Redis's (which no release wrote). Modules' are decided apart, 8 does not exist. From 26 on this is known from
 * sources only; what such a target does not know it refuses, without harm.
 */
export const FIRST_VERSIONS: Readonly<Record<number, number>> = {
  ...{ 0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 9: 2, 10: 2, 11: 2, 12: 2, 13: 4, 14: 7, 5: 8, 15: 9 },
  ...{ 16: 10, 17: 10, 18: 10, 19: 10, 20: 11, 21: 11, 24: 12, 25: 12, 26: 13, 27: 14 },
};
/** Those that Valkey has too, also under its own versions. */
export const LAST_COMMON_TYPE = STREAM_3;
/** The last version that both write. */
export const LAST_COMMON_VERSION = 11;

/** The newest version of Redis whose payloads are known from real servers. */
const NEWEST_TRIED = 12;

/** Whether a payload of this version certainly has behind this type byte what is read here as it. */
export function isUnderstood(type: number, version: number): boolean {
  const first = FIRST_VERSIONS[type];
  if (version === FIRST_OF_VALKEY) {
    return type === HASH_OF_VALKEY || (first !== undefined && type <= LAST_COMMON_TYPE);
  }
  return version <= NEWEST_TRIED && first !== undefined && first <= version;
}
