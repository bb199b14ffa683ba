import { bad, type ByteReader } from './byte-reader';
import { skipString } from './rdb-string';
import * as types from './value-types';

const LONGEST_TEXT_DOUBLE = 252;
const ID_BYTES = 16;

/** What stands in a module's value before each part of it. */
const MODULE_END = 0;
const MODULE_SIGNED = 1;
const MODULE_UNSIGNED = 2;
const MODULE_FLOAT = 3;
const MODULE_DOUBLE = 4;
const MODULE_STRING = 5;

/**
 * Goes from behind a type byte to the value's end, without looking into what need not be looked into.
 * @throws BadPayloadError also where the type is unknown: then nobody can tell where the value ends
 */
export function skipValue(reader: ByteReader, type: number): void {
  switch (type) {
    case types.STRING:
    case types.HASH_ZIPMAP:
    case types.LIST_ZIPLIST:
    case types.SET_INTSET:
    case types.SORTED_SET_ZIPLIST:
    case types.HASH_ZIPLIST:
    case types.HASH_LISTPACK:
    case types.SORTED_SET_LISTPACK:
    case types.SET_LISTPACK:
      skipString(reader);
      return;
    case types.HASH_LISTPACK_EXPIRING:
      reader.take(8);
      skipString(reader);
      return;
    case types.LIST:
    case types.SET:
    case types.LIST_QUICKLIST:
      times(reader.length(), () => {
        skipString(reader);
      });
      return;
    case types.HASH:
      times(2 * reader.length(), () => {
        skipString(reader);
      });
      return;
    case types.SORTED_SET:
      times(reader.length(), () => {
        skipString(reader);
        const length = reader.byte();
        if (length <= LONGEST_TEXT_DOUBLE) reader.take(length);
      });
      return;
    case types.SORTED_SET_2:
      times(reader.length(), () => {
        skipString(reader);
        reader.take(8);
      });
      return;
    case types.LIST_QUICKLIST_2:
      times(reader.length(), () => {
        reader.length();
        skipString(reader);
      });
      return;
    case types.HASH_OF_VALKEY:
      times(reader.length(), () => {
        skipString(reader);
        skipString(reader);
        reader.take(8);
      });
      return;
    case types.HASH_EXPIRING:
      reader.take(8);
      times(reader.length(), () => {
        reader.length();
        skipString(reader);
        skipString(reader);
      });
      return;
    case types.STREAM:
    case types.STREAM_2:
    case types.STREAM_3:
      skipStream(reader, type);
      return;
    case types.MODULE:
      reader.length();
      skipModule(reader);
      return;
    default:
      bad(`a value is of the unknown type ${type}`);
  }
}

/** Goes over a module's value from behind its id; modules' other records in files are the same from there on. */
export function skipModule(reader: ByteReader): void {
  for (;;) {
    switch (reader.length()) {
      case MODULE_END:
        return;
      case MODULE_SIGNED:
      case MODULE_UNSIGNED:
        reader.length();
        break;
      case MODULE_FLOAT:
        reader.take(4);
        break;
      case MODULE_DOUBLE:
        reader.take(8);
        break;
      case MODULE_STRING:
        skipString(reader);
        break;
      default:
        bad('a part of a module is of an unknown kind');
    }
  }
}

function skipStream(reader: ByteReader, type: number): void {
  const length = () => {
    reader.length();
  };
  times(2 * reader.length(), () => {
    skipString(reader);
  });
  times(type === types.STREAM ? 3 : 8, length);
  times(reader.length(), () => {
    skipString(reader);
    times(type === types.STREAM ? 2 : 3, length);
    times(reader.length(), () => {
      reader.take(ID_BYTES + 8);
      reader.length();
    });
    times(reader.length(), () => {
      skipString(reader);
      reader.take(type === types.STREAM_3 ? 16 : 8);
      const own = reader.length();
      reader.take(ID_BYTES * own);
    });
  });
}

/** Every one of them takes a byte at least, so that too large a number ends where the bytes do. */
function times(count: number, skip: () => void): void {
  for (let left = count; left > 0; left--) skip();
}
