import { bad, type ByteReader } from './byte-reader';
import { MINUS_INFINITY, NOT_A_NUMBER, PACKED_NODE, PLAIN_NODE, PLUS_INFINITY } from './collections';
import { Element, type Elements } from './element';
import { Listpack } from './listpack';
import { readPacked, readString } from './rdb-string';
import { Ziplist } from './ziplist';
import * as types from './value-types';

/** What stands together in a value of several parts: a field with its value, a member with its score, or a node of a list. */
export interface Unit {
  /** As the commands of the type give them: scores as text. */
  readonly values: readonly Buffer[];
  /** Of a hash's field: when it expires, ms since 1970; -1: never. */
  readonly expiry?: number;
}

/** How the values of a type are read part by part. */
export interface UnitKind {
  readonly type: 'list' | 'set' | 'hash' | 'zset';
  /** Whether units may expire by themselves. */
  readonly expires?: boolean;
  /** What stands before the first unit: how many there are, and what their expiries count from. */
  readonly head: (reader: ByteReader) => { readonly units: number; readonly since: number };
  readonly read: (reader: ByteReader, since: number) => Unit;
}

const element = new Element();
const packed = new Element();

/** What was unpacked into an element stays in memory with it; not where that is much. */
const MOST_KEPT = 1 << 20;

function letGo(of: Element): void {
  if (of.bytes.length > MOST_KEPT) of.clear();
}

function text(reader: ByteReader): Buffer {
  readString(reader, element);
  const copy = element.copy();
  letGo(element);
  return copy;
}

const counted: UnitKind['head'] = (reader) => ({ units: reader.length(), since: 0 });

function elementsOf(elements: Elements): Unit {
  const values: Buffer[] = [];
  while (elements.next(element)) values.push(element.copy());
  letGo(element);
  return { values };
}

/** The node's packed elements. */
function nodeOf(reader: ByteReader, Packed: typeof Listpack | typeof Ziplist): Unit {
  readPacked(reader, packed);
  const unit = elementsOf(new Packed(packed.bytes, packed.start, packed.end));
  letGo(packed);
  return unit;
}

/** As servers write them. */
function scoreText(score: number): Buffer {
  if (Number.isNaN(score)) bad('a score is no number');
  if (!Number.isFinite(score)) return Buffer.from(score > 0 ? 'inf' : '-inf');
  return Buffer.from(Object.is(score, -0) ? '-0' : String(score));
}

function oldScore(reader: ByteReader): Buffer {
  const length = reader.byte();
  if (length === NOT_A_NUMBER) bad('a score is no number');
  if (length === PLUS_INFINITY) return Buffer.from('inf');
  if (length === MINUS_INFINITY) return Buffer.from('-inf');
  const start = reader.take(length);
  return Buffer.from(reader.bytes.subarray(start, start + length));
}

const KINDS: Readonly<Record<number, UnitKind>> = {
  [types.LIST]: { type: 'list', head: counted, read: (reader) => ({ values: [text(reader)] }) },
  [types.LIST_QUICKLIST]: { type: 'list', head: counted, read: (reader) => nodeOf(reader, Ziplist) },
  [types.LIST_QUICKLIST_2]: {
    type: 'list',
    head: counted,
    read: (reader) => {
      const container = reader.length();
      if (container === PLAIN_NODE) return { values: [text(reader)] };
      return container === PACKED_NODE ? nodeOf(reader, Listpack) : bad('a node of a list is of an unknown kind');
    },
  },
  [types.SET]: { type: 'set', head: counted, read: (reader) => ({ values: [text(reader)] }) },
  [types.HASH]: { type: 'hash', head: counted, read: (reader) => ({ values: [text(reader), text(reader)] }) },
  [types.HASH_OF_VALKEY]: {
    type: 'hash',
    expires: true,
    head: counted,
    read: (reader) => ({ values: [text(reader), text(reader)], expiry: Number(reader.int64()) }),
  },
  [types.HASH_EXPIRING]: {
    type: 'hash',
    expires: true,
    head: (reader) => {
      const since = Number(reader.int64());
      return { units: reader.length(), since };
    },
    read: (reader, since) => {
      const left = reader.length();
      return { values: [text(reader), text(reader)], expiry: left === 0 ? -1 : since + left - 1 };
    },
  },
  [types.SORTED_SET]: { type: 'zset', head: counted, read: (reader) => ({ values: [text(reader), oldScore(reader)] }) },
  [types.SORTED_SET_2]: {
    type: 'zset',
    head: counted,
    read: (reader) => ({ values: [text(reader), scoreText(reader.bytes.readDoubleLE(reader.take(8)))] }),
  },
};

/** How values of a type are read part by part; undefined for those that are one string, and for streams and modules. */
export function unitsOf(type: number): UnitKind | undefined {
  return KINDS[type];
}
