import { bad, type ByteReader } from './byte-reader';
import type { Element } from './element';
import { Listpack } from './listpack';
import type { Output } from './output';
import { readPacked, readString } from './rdb-string';
import { idAt, ID_BYTES, isBefore, ZERO_ID, type StreamId } from './stream-id';
import { STREAM, STREAM_2, STREAM_3 } from './value-types';
import type { Workspace } from './workspace';

const DELETED = 1;
const SAME_FIELDS = 2;

/** What a stream says of its past, that older servers do not hold. */
export interface StreamPast {
  /** It says more than its entries do: some were deleted other than by trimming, or trimmed. */
  readonly ofItsOwn: boolean;
}

/** What is written of a stream while it is read. */
interface Copy {
  readonly out: Output;
  /** As it stands, or an older type. */
  readonly type: number;
}

export function isStream(type: number): boolean {
  return type === STREAM || type === STREAM_2 || type === STREAM_3;
}

/**
 * Reads a stream from behind its type byte to its end, and looks at all that a server relies on when it loads and uses it.
 * @param copy where it is to be written, as it stands or in an older type
 */
export function readStream(reader: ByteReader, type: number, space: Workspace, copy?: Copy): StreamPast {
  const writer = new Pieces(reader, copy?.out);
  const to = copy?.type ?? type;
  let entries = 0;
  let last: StreamId = ZERO_ID;
  // Each node takes 2 strings.
  for (let left = reader.count(2); left > 0; left--) {
    const node = checkNode(reader, space, last);
    entries += node.entries;
    last = node.last;
  }
  const length = reader.length();
  if (length !== entries) bad('a stream has not as many entries as it says');
  const lastId = readId(reader);
  if (isBefore(lastId, last)) bad("a stream's last id is before that of an entry");
  let ofItsOwn = false;
  if (type !== STREAM) {
    writer.keep();
    readId(reader);
    const maxDeleted = readId(reader);
    const added = reader.length();
    ofItsOwn = isBefore(ZERO_ID, maxDeleted) || added !== length;
    if (to === STREAM) writer.drop();
  }
  const names = new Set<string>();
  // A name, an id, two counts.
  for (let left = reader.count(5); left > 0; left--) readGroup(reader, { from: type, to }, space, names, writer);
  writer.keep();
  return { ofItsOwn };
}

/** How many entries a group has read, where it does not know that. */
export const UNKNOWN_READ = 0xffff_ffff_ffff_ffffn;

/** An id as it stands outside of nodes. */
export function readId(reader: ByteReader): StreamId {
  return { ms: reader.length64(), seq: reader.length64() };
}

/** Copies what was read in pieces, and leaves some out. */
class Pieces {
  private from: number;

  constructor(
    private readonly reader: ByteReader,
    private readonly out: Output | undefined,
  ) {
    this.from = reader.at;
  }

  /** What was read since the last call goes in. */
  keep(): void {
    this.out?.raw(this.reader.bytes, this.from, this.reader.at);
    this.drop();
  }

  /** What was read since the last call is left out. */
  drop(): void {
    this.from = this.reader.at;
  }
}

function readGroup(
  reader: ByteReader,
  { from, to }: { from: number; to: number },
  { first }: Workspace,
  groups: Set<string>,
  pieces: Pieces,
): void {
  addName(reader, first, groups);
  readId(reader);
  if (from !== STREAM) {
    pieces.keep();
    // How many entries it has read.
    reader.length();
    if (to === STREAM) pieces.drop();
  }
  const { bytes } = reader;
  const idAt = (at: number) => bytes.toString('latin1', at, at + ID_BYTES);
  const pending = new Set<string>();
  // An id, a time of 8 bytes, a count.
  for (let left = reader.count(ID_BYTES + 9); left > 0; left--) {
    const id = idAt(reader.take(ID_BYTES));
    if (pending.has(id)) bad('an entry is pending twice in a group');
    pending.add(id);
    reader.int64();
    reader.length();
  }
  const consumers = new Set<string>();
  // A name, a time, a count.
  for (let left = reader.count(10); left > 0; left--) {
    addName(reader, first, consumers);
    reader.int64();
    if (from === STREAM_3) {
      pieces.keep();
      reader.int64();
      if (to !== STREAM_3) pieces.drop();
    }
    for (let own = reader.count(ID_BYTES); own > 0; own--) {
      if (!pending.delete(idAt(reader.take(ID_BYTES)))) bad('an entry is pending with a consumer and not in its group');
    }
  }
  if (pending.size > 0) bad('an entry is pending with no consumer');
}

function addName(reader: ByteReader, into: Element, names: Set<string>): void {
  readString(reader, into);
  into.toText();
  const name = into.bytes.toString('latin1', into.start, into.end);
  if (names.has(name)) bad('a group or a consumer comes twice');
  names.add(name);
}

/**
 * A node: the id that those of its entries are counted from, and a listpack of a head (entries that are there, deleted
 * ones, fields, their names, 0) and entries (flags, both parts of the id, fields where they are others than the head's,
 * values, how many elements these were). Source: redis/src/t_stream.c.
 * @param before the id of the last entry of the node before
 */
export function checkNode(
  reader: ByteReader,
  { first, packed }: Workspace,
  before: StreamId,
): { readonly entries: number; readonly last: StreamId } {
  readPacked(reader, packed);
  if (packed.end - packed.start !== ID_BYTES) bad('a node of a stream has no id');
  const base = idAt(packed.bytes, packed.start);
  readPacked(reader, packed);
  const node = new NodeReader(new Listpack(packed.bytes, packed.start, packed.end), first);
  const [there, deleted, masterFields] = [node.count(), node.count(), node.count()];
  node.skip(masterFields);
  if (node.count() !== 0) bad('the head of a node has no end');
  let [left, gone] = [there, deleted];
  let last = before;
  while (left + gone > 0) {
    const flags = node.count();
    if ((flags & DELETED) === 0) left--;
    else gone--;
    if (left < 0 || gone < 0) bad('a node has not as many entries as it says');
    const id: StreamId = { ms: plus(base.ms, node.integer()), seq: plus(base.seq, node.integer()) };
    if (!isBefore(last, id)) bad('the entries of a stream are not in order');
    last = id;
    const same = (flags & SAME_FIELDS) !== 0;
    const fields = same ? masterFields : node.count();
    node.skip(same ? fields : 2 * fields);
    if (node.count() !== (same ? fields + 3 : 2 * fields + 4)) bad('an entry has not as many elements as it says');
  }
  node.end();
  return { entries: there, last };
}

function plus(base: bigint, difference: number | bigint): bigint {
  return difference === 0 ? base : BigInt.asUintN(64, base + BigInt(difference));
}

/** The elements of a node, as what they must be. */
class NodeReader {
  constructor(
    private readonly elements: Listpack,
    private readonly element: Element,
  ) {}

  integer(): number | bigint {
    const { element } = this;
    if (!this.elements.next(element) || element.kind === 'text') bad('a number is missing in a node of a stream');
    return element.kind === 'integer' ? element.integer : element.large;
  }

  /** A number that counts. */
  count(): number {
    const count = this.integer();
    return typeof count === 'number' && count >= 0 ? count : bad('a count in a node of a stream is none');
  }

  skip(count: number): void {
    for (let i = 0; i < count; i++) if (!this.elements.next(this.element)) bad('an entry of a stream ends too early');
  }

  end(): void {
    if (this.elements.next(this.element)) bad('a node of a stream has more entries than it says');
  }
}
