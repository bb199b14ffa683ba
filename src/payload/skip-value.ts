import { bad, type ByteReader } from './byte-reader';
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

/**
 * Goes from behind a type byte to the value's end, without looking into what need not be looked into.
 * @throws BadPayloadError also where the type is unknown: then nobody can tell where the value ends
 */
export function skipValue(reader: ByteReader, type: number): void {
  follow(reader, valueSteps(type));
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
      yield* stringSteps();
      return;
    case types.HASH_LISTPACK_EXPIRING:
      yield 8;
      yield* stringSteps();
      return;
    case types.LIST:
    case types.SET:
    case types.LIST_QUICKLIST:
      for (let left = yield LENGTH; left > 0; left--) yield* stringSteps();
      return;
    case types.HASH:
      for (let left = 2 * (yield LENGTH); left > 0; left--) yield* stringSteps();
      return;
    case types.SORTED_SET:
      for (let left = yield LENGTH; left > 0; left--) {
        yield* stringSteps();
        const length = yield BYTE;
        if (length <= LONGEST_TEXT_DOUBLE) yield length;
      }
      return;
    case types.SORTED_SET_2:
      for (let left = yield LENGTH; left > 0; left--) {
        yield* stringSteps();
        yield 8;
      }
      return;
    case types.LIST_QUICKLIST_2:
      for (let left = yield LENGTH; left > 0; left--) {
        yield LENGTH;
        yield* stringSteps();
      }
      return;
    case types.HASH_OF_VALKEY:
      for (let left = yield LENGTH; left > 0; left--) {
        yield* stringSteps();
        yield* stringSteps();
        yield 8;
      }
      return;
    case types.HASH_EXPIRING:
      yield 8;
      for (let left = yield LENGTH; left > 0; left--) {
        yield LENGTH;
        yield* stringSteps();
        yield* stringSteps();
      }
      return;
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
