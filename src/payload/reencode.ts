import { bad, ByteReader } from './byte-reader';
import {
  elementsOf,
  PACKED_NODE,
  PLAIN_NODE,
  readFields,
  readHash,
  readList,
  readNode,
  readScored,
  readSet,
} from './collections';
import type { Element } from './element';
import { readPacked, skipString, writeString } from './rdb-string';
import { readStream } from './stream';
import * as types from './value-types';
import type { Workspace } from './workspace';
import { ZiplistBuilder } from './ziplist';

/**
 * Beyond it a value of pairs is written in plain form, which the server packs as it likes. What the usual limits of
 * encodings allow is below: 512 fields of 64 bytes, with values as long.
 */
const MOST_PACKED = 128 << 10;

/** What a value had that its new form cannot hold. */
export interface Lost {
  /** Fields of a hash that would have expired. */
  readonly fieldExpiries: number;
  /** A stream's counters or the greatest id deleted from it. */
  readonly streamPast: boolean;
}

export const NOTHING_LOST: Lost = { fieldExpiries: 0, streamPast: false };

/** Types as which a value can be written instead of its own, the best first. */
export const OTHER_FORMS: Readonly<Record<number, readonly number[]>> = {
  [types.HASH_LISTPACK]: [types.HASH_ZIPLIST],
  [types.SORTED_SET_LISTPACK]: [types.SORTED_SET_ZIPLIST],
  [types.LIST_QUICKLIST_2]: [types.LIST_QUICKLIST],
  [types.SET_LISTPACK]: [types.SET],
  [types.STREAM_2]: [types.STREAM],
  [types.STREAM_3]: [types.STREAM_2, types.STREAM],
  [types.HASH_EXPIRING]: [types.HASH_OF_VALKEY, types.HASH],
  [types.HASH_LISTPACK_EXPIRING]: [types.HASH_OF_VALKEY, types.HASH],
  [types.HASH_OF_VALKEY]: [types.HASH_EXPIRING, types.HASH],
};

/**
 * Writes a value in another form to `space.out`, type byte and all. What compact forms are too large for is written in
 * plain ones, which every server knows.
 * @param bytes the value, from its type byte at 0 to `end`
 * @param to one of `OTHER_FORMS` of its type
 * @param now ms since 1970, by the clock that its fields expire by: those that have are left out where none could any more
 * @throws BadPayloadError where it is no value that a server wrote, or nothing is left of it
 */
export function reencode(bytes: Buffer, end: number, to: number, now: () => number, space: Workspace): Lost {
  const reader = new ByteReader(bytes, 0, end);
  const from = reader.byte();
  space.out.clear();
  const lost = write(reader, from, to, now, space);
  if (reader.at !== end) bad('bytes are left behind a value');
  return lost;
}

function write(reader: ByteReader, from: number, to: number, now: () => number, space: Workspace): Lost {
  switch (from) {
    case types.HASH_LISTPACK:
      writeHash(reader, space);
      return NOTHING_LOST;
    case types.SORTED_SET_LISTPACK:
      writeSortedSet(reader, space);
      return NOTHING_LOST;
    case types.LIST_QUICKLIST_2:
      writeList(reader, space);
      return NOTHING_LOST;
    case types.SET_LISTPACK:
      writeSet(reader, space);
      return NOTHING_LOST;
    case types.STREAM_2:
    case types.STREAM_3: {
      space.out.byte(to);
      const { ofItsOwn } = readStream(reader, from, space, { out: space.out, type: to });
      return { fieldExpiries: 0, streamPast: to === types.STREAM && ofItsOwn };
    }
    case types.HASH_EXPIRING:
    case types.HASH_LISTPACK_EXPIRING:
    case types.HASH_OF_VALKEY:
      return to === types.HASH ? withoutExpiries(reader, from, now, space) : withExpiries(reader, from, to, space);
    default:
      return bad('a value has no other form');
  }
}

function writeHash(reader: ByteReader, space: Workspace): void {
  const { packed, body, pack, out } = space;
  readPacked(reader, packed);
  const elements = elementsOf(packed, types.HASH_LISTPACK);
  if (fitsPacked(packed)) {
    const ziplist = new ZiplistBuilder(pack);
    readFields(elements, space, (name, value) => {
      ziplist.add(name);
      ziplist.add(value);
    });
    out.byte(types.HASH_ZIPLIST);
    ziplist.closeInto(out, packed.compressed);
    return;
  }
  body.clear();
  readFields(elements, space, (name, value) => {
    writeString(body, name);
    writeString(body, value);
  });
  closeCounted(space, types.HASH, space.members.count);
}

function writeSortedSet(reader: ByteReader, space: Workspace): void {
  const { packed, body, pack, out } = space;
  readPacked(reader, packed);
  const elements = elementsOf(packed, types.SORTED_SET_LISTPACK);
  if (fitsPacked(packed)) {
    const ziplist = new ZiplistBuilder(pack);
    readScored(elements, space, (member, _, score) => {
      ziplist.add(member);
      if (score !== undefined) ziplist.add(score);
    });
    out.byte(types.SORTED_SET_ZIPLIST);
    ziplist.closeInto(out, packed.compressed);
    return;
  }
  body.clear();
  const places: number[] = [];
  readScored(elements, space, (member, score) => {
    places.push(body.length);
    writeString(body, member);
    body.double(score);
  });
  out.byte(types.SORTED_SET_2);
  out.rdbLength(places.length);
  // The highest first, as Redis writes them: so they are loaded without searching.
  for (let i = places.length - 1; i >= 0; i--) out.raw(body.bytes, places[i] ?? 0, places[i + 1] ?? body.length);
}

function writeSet(reader: ByteReader, space: Workspace): void {
  const { body } = space;
  body.clear();
  readSet(reader, types.SET_LISTPACK, space, (member) => {
    writeString(body, member);
  });
  closeCounted(space, types.SET, space.members.count);
}

/** A list that has an element of its own somewhere cannot be packed: older servers know no such nodes. */
function writeList(reader: ByteReader, space: Workspace): void {
  const { packed, first, body, pack, out } = space;
  if (hasPlainNode(reader)) {
    let count = 0;
    body.clear();
    readList(reader, types.LIST_QUICKLIST_2, space, (item) => {
      writeString(body, item);
      count++;
    });
    closeCounted(space, types.LIST, count);
    return;
  }
  const nodes = reader.count(1);
  if (nodes === 0) bad('a list is empty');
  out.byte(types.LIST_QUICKLIST);
  out.rdbLength(nodes);
  for (let left = nodes; left > 0; left--) {
    reader.length();
    readPacked(reader, packed);
    const ziplist = new ZiplistBuilder(pack);
    readNode(elementsOf(packed, types.LIST_QUICKLIST_2), first, (item) => {
      ziplist.add(item);
    });
    ziplist.closeInto(out, packed.compressed);
  }
}

/** Whether any node is not packed. The reader stands where it stood. */
function hasPlainNode(reader: ByteReader): boolean {
  const { at } = reader;
  let found = false;
  for (let left = reader.count(1); left > 0; left--) {
    const node = reader.length();
    if (node !== PLAIN_NODE && node !== PACKED_NODE) bad('a node of a list is of an unknown kind');
    found ||= node === PLAIN_NODE;
    skipString(reader);
  }
  reader.at = at;
  return found;
}

function withoutExpiries(reader: ByteReader, from: number, now: () => number, space: Workspace): Lost {
  const { body, members } = space;
  const moment = now();
  let [fieldExpiries, ended] = [0, 0];
  body.clear();
  readHash(reader, from, space, (name, value, expiry) => {
    if (expiry !== undefined && expiry <= moment) {
      ended++;
      return;
    }
    if (expiry !== undefined) fieldExpiries++;
    writeString(body, name);
    writeString(body, value);
  });
  const left = members.count - ended;
  if (left === 0) bad('all fields of a hash have ended');
  closeCounted(space, types.HASH, left);
  return { fieldExpiries, streamPast: false };
}

/** What Redis takes for the latest moment at which a field can expire. Source: redis/src/ebuckets.h. */
const LATEST_IN_REDIS = 2 ** 48 - 1;

function withExpiries(reader: ByteReader, from: number, to: number, space: Workspace): Lost {
  const { body, out, members } = space;
  let latest = 0;
  const ofValkey = to === types.HASH_OF_VALKEY;
  const base = ofValkey ? 0 : leastExpiry(reader, from, space);
  body.clear();
  readHash(reader, from, space, (name, value, expiry) => {
    if (!ofValkey) body.rdbLength(expiry === undefined ? 0 : expiry - base + 1);
    writeString(body, name);
    writeString(body, value);
    if (ofValkey) body.int64(expiry === undefined ? -1n : BigInt(expiry));
    latest = Math.max(latest, expiry ?? 0);
  });
  if (!ofValkey && latest > LATEST_IN_REDIS) bad('a field expires later than Redis knows');
  out.byte(to);
  if (!ofValkey) out.int64(BigInt(base));
  out.rdbLength(members.count);
  out.raw(body.bytes, 0, body.length);
  return NOTHING_LOST;
}

/** The first moment at which a field expires; 0 where none does. The reader stands where it stood. */
function leastExpiry(reader: ByteReader, from: number, space: Workspace): number {
  const { at } = reader;
  let least = Infinity;
  readHash(reader, from, space, (_name, _value, expiry) => {
    least = Math.min(least, expiry ?? Infinity);
  });
  reader.at = at;
  return Number.isFinite(least) ? least : 0;
}

function fitsPacked({ start, end }: Element): boolean {
  return end - start <= MOST_PACKED;
}

/** A type byte, a number, and what `space.body` holds. */
function closeCounted({ out, body }: Workspace, type: number, count: number): void {
  out.byte(type);
  out.rdbLength(count);
  out.raw(body.bytes, 0, body.length);
}
