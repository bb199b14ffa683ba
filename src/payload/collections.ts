import { bad, type ByteReader } from './byte-reader';
import type { Element, Elements } from './element';
import { Intset } from './intset';
import { Listpack } from './listpack';
import { readPacked, readString } from './rdb-string';
import { scoreOf, scoreOfText } from './score';
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
  SET,
  SET_INTSET,
  SET_LISTPACK,
  SORTED_SET,
  SORTED_SET_2,
  SORTED_SET_LISTPACK,
  SORTED_SET_ZIPLIST,
} from './value-types';
import type { Workspace } from './workspace';
import { Ziplist } from './ziplist';
import { Zipmap } from './zipmap';

/*
 * Readers of the kinds of values, whatever their type byte, from behind it to the value's end. Each looks at all that a
 * server relies on when it loads such a value: no kind may be empty, no member or field twice, no score that is no number.
 * Elements are good only while the call lasts.
 */

/** How a node of a quicklist 2 holds its elements. */
export const PLAIN_NODE = 1;
export const PACKED_NODE = 2;

/** Lengths of the text of a score that say what it is. */
export const NOT_A_NUMBER = 253;
export const PLUS_INFINITY = 254;
export const MINUS_INFINITY = 255;

export function readList(reader: ByteReader, type: number, space: Workspace, item: (item: Element) => void): void {
  const { first, packed } = space;
  const count = type === LIST_ZIPLIST ? 1 : reader.count(1);
  if (count === 0) bad('a list is empty');
  for (let i = 0; i < count; i++) {
    if (type === LIST) {
      readString(reader, first);
      item(first);
      continue;
    }
    const node = type === LIST_QUICKLIST_2 ? reader.length() : PACKED_NODE;
    if (node === PLAIN_NODE) {
      readString(reader, first);
      item(first);
    } else if (node === PACKED_NODE) {
      readPacked(reader, packed);
      readNode(elementsOf(packed, type), first, item);
    } else bad('a node of a list is of an unknown kind');
  }
}

/** The elements of one packed node of a list. */
export function readNode(elements: Elements, into: Element, item: (item: Element) => void): void {
  let empty = true;
  for (; elements.next(into); empty = false) item(into);
  if (empty) bad('a node of a list is empty');
}

export function readSet(reader: ByteReader, type: number, space: Workspace, member: (member: Element) => void): void {
  const { first, packed, members } = space;
  members.clear();
  if (type === SET) {
    for (let left = reader.count(1); left > 0; left--) {
      readString(reader, first);
      member(first);
      members.add(first);
    }
  } else {
    readPacked(reader, packed);
    const elements = elementsOf(packed, type);
    while (elements.next(first)) {
      member(first);
      members.add(first);
    }
  }
  if (members.count === 0) bad('a set is empty');
}

/** @param expiry in ms since 1970; undefined for none */
export type Field = (name: Element, value: Element, expiry: number | undefined) => void;

export function readHash(reader: ByteReader, type: number, space: Workspace, field: Field): void {
  const { first, second, packed, members } = space;
  members.clear();
  switch (type) {
    case HASH:
      for (let left = reader.count(2); left > 0; left--) {
        readString(reader, first);
        readString(reader, second);
        field(first, second, undefined);
        members.add(first);
      }
      break;
    case HASH_EXPIRING: {
      const least = reader.int64();
      for (let left = reader.count(3); left > 0; left--) {
        const after = reader.length();
        readString(reader, first);
        readString(reader, second);
        field(first, second, after === 0 ? undefined : momentOf(least + BigInt(after) - 1n));
        members.add(first);
      }
      break;
    }
    case HASH_OF_VALKEY:
      for (let left = reader.count(10); left > 0; left--) {
        readString(reader, first);
        readString(reader, second);
        const expiry = reader.int64();
        field(first, second, expiry === -1n ? undefined : momentOf(expiry));
        members.add(first);
      }
      break;
    case HASH_LISTPACK_EXPIRING: {
      const { third } = space;
      reader.int64();
      readPacked(reader, packed);
      const elements = elementsOf(packed, type);
      while (elements.next(first)) {
        if (!elements.next(second) || !elements.next(third)) bad('a field has no value or no expiry');
        field(first, second, expiryIn(third));
        members.add(first);
      }
      break;
    }
    case HASH_ZIPLIST:
    case HASH_LISTPACK:
    case HASH_ZIPMAP:
      readPacked(reader, packed);
      readFields(elementsOf(packed, type), space, field);
      break;
    default:
      bad('no hash');
  }
  if (members.count === 0) bad('a hash is empty');
}

/** Fields and values in turns. */
export function readFields(elements: Elements, { first, second, members }: Workspace, field: Field): void {
  members.clear();
  while (elements.next(first)) {
    if (!elements.next(second)) bad('a field has no value');
    field(first, second, undefined);
    members.add(first);
  }
  if (members.count === 0) bad('a hash is empty');
}

/** @param element the score where it stands as an element; undefined where it is a double */
export type Scored = (member: Element, score: number, element: Element | undefined) => void;

export function readSortedSet(reader: ByteReader, type: number, space: Workspace, scored: Scored): void {
  const { first, packed, members } = space;
  if (type !== SORTED_SET && type !== SORTED_SET_2) {
    readPacked(reader, packed);
    readScored(elementsOf(packed, type), space, scored);
    return;
  }
  members.clear();
  for (let left = reader.count(2); left > 0; left--) {
    readString(reader, first);
    const score = type === SORTED_SET ? textDouble(reader) : reader.bytes.readDoubleLE(reader.take(8));
    if (Number.isNaN(score)) bad('a score is no number');
    scored(first, score, undefined);
    members.add(first);
  }
  if (members.count === 0) bad('a sorted set is empty');
}

/** Members and scores in turns, the lowest score first. */
export function readScored(elements: Elements, { first, second, members }: Workspace, scored: Scored): void {
  members.clear();
  let before = -Infinity;
  while (elements.next(first)) {
    if (!elements.next(second)) bad('a member has no score');
    const score = scoreOf(second);
    if (score < before) bad('the members of a sorted set are not in order');
    before = score;
    scored(first, score, second);
    members.add(first);
  }
  if (members.count === 0) bad('a sorted set is empty');
}

function textDouble(reader: ByteReader): number {
  const length = reader.byte();
  if (length === NOT_A_NUMBER) return NaN;
  if (length === PLUS_INFINITY) return Infinity;
  if (length === MINUS_INFINITY) return -Infinity;
  const start = reader.take(length);
  return scoreOfText(reader.bytes, start, start + length);
}

const PACKINGS: Readonly<Record<number, new (bytes: Buffer, start: number, end: number) => Elements>> = {
  [LIST_ZIPLIST]: Ziplist,
  [LIST_QUICKLIST]: Ziplist,
  [LIST_QUICKLIST_2]: Listpack,
  [SET_INTSET]: Intset,
  [SET_LISTPACK]: Listpack,
  [SORTED_SET_ZIPLIST]: Ziplist,
  [SORTED_SET_LISTPACK]: Listpack,
  [HASH_ZIPMAP]: Zipmap,
  [HASH_ZIPLIST]: Ziplist,
  [HASH_LISTPACK]: Listpack,
  [HASH_LISTPACK_EXPIRING]: Listpack,
};

/** The elements of the packed value, or node, of a type. */
export function elementsOf({ bytes, start, end }: Element, type: number): Elements {
  const Packing = PACKINGS[type] ?? bad('a value is of an unknown type');
  return new Packing(bytes, start, end);
}

/** Of an element that is 0 for none. */
function expiryIn(element: Element): number | undefined {
  if (element.kind === 'text') bad('an expiry is no number');
  const expiry = element.kind === 'integer' ? element.integer : momentOf(element.large);
  if (expiry < 0) bad('an expiry is before all times');
  return expiry === 0 ? undefined : expiry;
}

function momentOf(expiry: bigint): number {
  if (expiry < 0n || expiry > Number.MAX_SAFE_INTEGER) bad('an expiry is at no time that is known');
  return Number(expiry);
}

export function isList(type: number): boolean {
  return type === LIST || type === LIST_ZIPLIST || type === LIST_QUICKLIST || type === LIST_QUICKLIST_2;
}

export function isSet(type: number): boolean {
  return type === SET || type === SET_INTSET || type === SET_LISTPACK;
}

export function isSortedSet(type: number): boolean {
  return type === SORTED_SET || type === SORTED_SET_2 || type === SORTED_SET_ZIPLIST || type === SORTED_SET_LISTPACK;
}
