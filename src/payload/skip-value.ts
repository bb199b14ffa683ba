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

/** How a string stands that is no plain one; see rdb-string.ts. */
const SPECIAL = 0xc0;
const INT8 = 0xc0;
const INT16 = 0xc1;
const INT32 = 0xc2;
const LZF = 0xc3;

/**
 * What is to be done next on the way over a value: so many bytes are passed over, or, below 0, something is read and told.
 * A way that is cut short where bytes end goes on when there are more.
 */
export type Step = number;
export const BYTE: Step = -1;
export const LENGTH: Step = -2;
/** As LENGTH, where the byte before it is one that says how a string stands: then that byte. */
export const STRING_HEAD: Step = -3;
export type Steps = Generator<Step, void, number>;

/** What stands in each element of a value: so many bytes, or one of these. */
type Part = number;
const STRING_PART: Part = -1;
const LENGTH_PART: Part = -2;
const TEXT_DOUBLE: Part = -3;

/** Values that are one string, and the bytes before it. */
const ONE_STRING: Readonly<Record<number, number>> = {
  [types.STRING]: 0,
  [types.HASH_ZIPMAP]: 0,
  [types.LIST_ZIPLIST]: 0,
  [types.SET_INTSET]: 0,
  [types.SORTED_SET_ZIPLIST]: 0,
  [types.HASH_ZIPLIST]: 0,
  [types.HASH_LISTPACK]: 0,
  [types.SORTED_SET_LISTPACK]: 0,
  [types.SET_LISTPACK]: 0,
  [types.HASH_LISTPACK_EXPIRING]: 8,
};

/** Values that are a number of elements, and the elements. */
const REPEATED: Readonly<Record<number, { readonly before: number; readonly parts: readonly Part[] }>> = {
  [types.LIST]: { before: 0, parts: [STRING_PART] },
  [types.SET]: { before: 0, parts: [STRING_PART] },
  [types.LIST_QUICKLIST]: { before: 0, parts: [STRING_PART] },
  [types.HASH]: { before: 0, parts: [STRING_PART, STRING_PART] },
  [types.SORTED_SET]: { before: 0, parts: [STRING_PART, TEXT_DOUBLE] },
  [types.SORTED_SET_2]: { before: 0, parts: [STRING_PART, 8] },
  [types.LIST_QUICKLIST_2]: { before: 0, parts: [LENGTH_PART, STRING_PART] },
  [types.HASH_OF_VALKEY]: { before: 0, parts: [STRING_PART, STRING_PART, 8] },
  [types.HASH_EXPIRING]: { before: 8, parts: [LENGTH_PART, STRING_PART, STRING_PART] },
};

/**
 * Goes from behind a type byte to the value's end, without looking into what need not be looked into.
 * @throws BadPayloadError also where the type is unknown: then nobody can tell where the value ends
 */
export function skipValue(reader: ByteReader, type: number): void {
  // As valueSteps goes, without a generator: of each of millions of keys.
  const before = ONE_STRING[type];
  if (before !== undefined) {
    reader.take(before);
    skipString(reader);
    return;
  }
  const repeated = REPEATED[type];
  if (repeated === undefined) {
    follow(reader, valueSteps(type));
    return;
  }
  reader.take(repeated.before);
  for (let left = reader.length(); left > 0; left--) {
    for (const part of repeated.parts) skipPart(reader, part);
  }
}

function skipPart(reader: ByteReader, part: Part): void {
  if (part === STRING_PART) skipString(reader);
  else if (part === LENGTH_PART) reader.length();
  else if (part === TEXT_DOUBLE) {
    const length = reader.byte();
    if (length <= LONGEST_TEXT_DOUBLE) reader.take(length);
  } else reader.take(part);
}

function* partSteps(part: Part): Steps {
  if (part === STRING_PART) yield* stringSteps();
  else if (part === LENGTH_PART) yield LENGTH;
  else if (part === TEXT_DOUBLE) {
    const length = yield BYTE;
    if (length <= LONGEST_TEXT_DOUBLE) yield length;
  } else yield part;
}

/** Goes over a module's value from behind its id; modules' other records in files are the same from there on. */
export function skipModule(reader: ByteReader): void {
  follow(reader, moduleSteps());
}

function follow(reader: ByteReader, steps: Steps): void {
  for (let step = steps.next(0); step.done !== true;) step = steps.next(take(reader, step.value));
}

/** Does one step. @throws EndsTooEarlyError, BadPayloadError */
export function take(reader: ByteReader, step: Step): number {
  if (step >= 0) {
    reader.take(step);
    return 0;
  }
  if (step === BYTE) return reader.byte();
  if (step === STRING_HEAD && reader.at < reader.end && (reader.bytes[reader.at] ?? 0) >= SPECIAL)
    return -reader.byte();
  return reader.length();
}

/** The way over a value, from behind its type byte. */
export function* valueSteps(type: number): Steps {
  const before = ONE_STRING[type];
  if (before !== undefined) {
    yield before;
    yield* stringSteps();
    return;
  }
  const repeated = REPEATED[type];
  if (repeated !== undefined) {
    yield repeated.before;
    for (let left = yield LENGTH; left > 0; left--) {
      for (const part of repeated.parts) yield* partSteps(part);
    }
    return;
  }
  switch (type) {
    case types.STREAM:
    case types.STREAM_2:
    case types.STREAM_3:
      yield* streamSteps(type);
      return;
    case types.MODULE:
      yield LENGTH;
      yield* moduleSteps();
      return;
    default:
      bad(`a value is of the unknown type ${type}`);
  }
}

/** The way over a string. */
export function* stringSteps(): Steps {
  const head = yield STRING_HEAD;
  if (head >= 0) {
    yield head;
    return;
  }
  switch (-head) {
    case INT8:
      yield 1;
      return;
    case INT16:
      yield 2;
      return;
    case INT32:
      yield 4;
      return;
    case LZF: {
      const packed = yield LENGTH;
      yield LENGTH;
      yield packed;
      return;
    }
    default:
      bad('a string of an unknown kind');
  }
}

/** The way over a module's own record in a file, from behind its type byte. */
export function* moduleAuxSteps(): Steps {
  yield LENGTH;
  yield LENGTH;
  yield LENGTH;
  yield* moduleSteps();
}

function* moduleSteps(): Steps {
  for (;;) {
    switch (yield LENGTH) {
      case MODULE_END:
        return;
      case MODULE_SIGNED:
      case MODULE_UNSIGNED:
        yield LENGTH;
        break;
      case MODULE_FLOAT:
        yield 4;
        break;
      case MODULE_DOUBLE:
        yield 8;
        break;
      case MODULE_STRING:
        yield* stringSteps();
        break;
      default:
        bad('a part of a module is of an unknown kind');
    }
  }
}

function* streamSteps(type: number): Steps {
  for (let left = 2 * (yield LENGTH); left > 0; left--) yield* stringSteps();
  for (let left = type === types.STREAM ? 3 : 8; left > 0; left--) yield LENGTH;
  for (let groups = yield LENGTH; groups > 0; groups--) {
    yield* stringSteps();
    for (let left = type === types.STREAM ? 2 : 3; left > 0; left--) yield LENGTH;
    for (let pending = yield LENGTH; pending > 0; pending--) {
      yield ID_BYTES + 8;
      yield LENGTH;
    }
    for (let consumers = yield LENGTH; consumers > 0; consumers--) {
      yield* stringSteps();
      yield type === types.STREAM_3 ? 16 : 8;
      const own = yield LENGTH;
      yield ID_BYTES * own;
    }
  }
}
