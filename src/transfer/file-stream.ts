import { bad, EndsTooEarlyError, type ByteReader } from '../payload/byte-reader';
import { bytesBehindHead, readPacked, readString, readStringHead } from '../payload/rdb-string';
import { checkNode, isBefore, NO_ID, readId, type EntryId } from '../payload/stream';
import { readNode } from '../payload/stream-content';
import { STREAM, STREAM_3 } from '../payload/value-types';
import { Workspace } from '../payload/workspace';
import type { Reply } from '../redis/redis-port';
import type { ByteWindow } from './byte-window';
import { PendingIds } from './pending-ids';

const ID_BYTES = 16;
/** Of so many nodes at most is kept where they stand, so that one far from the beginning is found without reading all before it. */
const MOST_MARKS = 1_024;
/** Pending entries that are read at once. */
const PENDING_AT_ONCE = 1_000;
/** What is held of the lists of all consumers, about. Bytes. */
export const PENDING_BYTES = 4 * 1_048_576;
/** How many entries a group has read, where it does not know that. */
const UNKNOWN = 0xffff_ffff_ffff_ffffn;

/** A node, where it stands. */
interface NodePlace {
  readonly place: number;
  /** How many nodes there are from this one on. */
  readonly left: number;
  /** The id of the last entry before it, as far as that is known. */
  readonly before: EntryId;
}

interface Consumer {
  readonly name: Buffer;
  readonly ids: PendingIds;
}

interface Group {
  readonly name: Buffer;
  readonly lastDelivered: EntryId;
  readonly entriesRead: bigint | undefined;
  readonly pending: number;
  /** Where the first pending entry stands. */
  readonly first: number;
  readonly consumers: readonly Consumer[];
  /** The first pending entry at or behind the id that was asked for last. */
  reached: { readonly from: string; readonly place: number; readonly left: number };
}

interface Facts {
  readonly length: number;
  readonly lastId: EntryId;
  readonly past: { readonly maxDeleted: EntryId; readonly added: number } | undefined;
}

interface Node {
  readonly place: number;
  readonly next: number;
  readonly last: EntryId;
  readonly entries: readonly { readonly id: EntryId; readonly parts: readonly Buffer[] }[];
}

/**
 * A stream's value in a file, as the commands tell it by which a stream is read. Of entries and of what is pending as much is in memory as
 * one of these commands asks for. It is gone over once when it is opened; what is told is looked at as servers would have to rely on it.
 */
export class FileStream {
  private reached: NodePlace & { readonly from: EntryId };
  /** Entries from the first on to the first node that was not read yet. */
  private counted: { readonly entries: number; readonly left: number };
  /** The node that was read last: a page mostly begins where the one before ended. */
  private node: Node | undefined;
  private readonly space = new Workspace();

  private constructor(
    private readonly window: ByteWindow,
    private readonly firstNode: NodePlace,
    private readonly marks: readonly (NodePlace & { readonly base: EntryId })[],
    private readonly facts: Facts,
    private readonly groups: readonly Group[],
    /** What its nodes become when they are unpacked. */
    readonly bytes: number,
  ) {
    this.reached = { ...firstNode, from: NO_ID };
    this.counted = { entries: 0, left: firstNode.left };
  }

  /**
   * @param type its type byte
   * @param place behind its type byte
   * @throws BadPayloadError, and what reading throws
   */
  static async read(
    window: ByteWindow,
    readBytes: (start: number, length: number) => Promise<Buffer>,
    type: number,
    place: number,
  ): Promise<FileStream> {
    const space = new Workspace();
    const { value: left, next: first } = await window.at(place, (reader) => reader.length());
    const { marks, bytes, next } = await passNodes(window, first, left, space);
    const { value: head, next: behind } = await window.at(next, (reader) => {
      const [length, lastId] = [reader.length(), readId(reader)];
      if (type === STREAM) return { facts: { length, lastId, past: undefined }, groups: reader.length() };
      readId(reader);
      const past = { maxDeleted: readId(reader), added: reader.length() };
      return { facts: { length, lastId, past }, groups: reader.length() };
    });
    const groups: Group[] = [];
    const names = new Set<string>();
    let at = behind;
    for (let of = head.groups; of > 0; of--) {
      const read = await readGroup(window, readBytes, type, at, space);
      if (names.size === names.add(nameOf(read.group.name)).size) bad('a group comes twice');
      groups.push(read.group);
      at = read.next;
    }
    if (at !== window.end) bad('bytes are left behind a value');
    const consumers = groups.reduce((sum, group) => sum + group.consumers.filter(({ ids }) => ids.count > 0).length, 0);
    for (const group of groups) for (const { ids } of group.consumers) ids.hold(PENDING_BYTES / Math.max(1, consumers));
    const node = { place: first, left, before: NO_ID };
    return new FileStream(window, node, marks, head.facts, groups, bytes);
  }

  get length(): number {
    return this.facts.length;
  }

  /** As XINFO STREAM, of what is used of it. */
  info(): Reply {
    const { length, lastId, past } = this.facts;
    return fields({
      length,
      'last-generated-id': textOf(lastId),
      ...(past === undefined ? {} : { 'entries-added': past.added, 'max-deleted-entry-id': textOf(past.maxDeleted) }),
    });
  }

  /** As XINFO GROUPS. */
  groupInfos(): Reply {
    return this.groups.map(({ name, lastDelivered, entriesRead, pending, consumers }) =>
      fields({
        name,
        'last-delivered-id': textOf(lastDelivered),
        pending,
        consumers: consumers.length,
        ...(entriesRead === undefined ? {} : { 'entries-read': entriesRead === UNKNOWN ? null : Number(entriesRead) }),
      }),
    );
  }

  /** As XINFO CONSUMERS. */
  consumerInfos(group: Buffer): Reply {
    return this.groupOf(group).consumers.map(({ name, ids }) => fields({ name, pending: ids.count }));
  }

  /** As XRANGE: entries with ids from one to another, `count` at most. */
  async range(from: EntryId, to: EntryId, count: number): Promise<Reply> {
    const found: Reply[] = [];
    let node: NodePlace = this.startFor(from);
    let before = node;
    while (node.left > 0 && found.length < count) {
      const read = await this.nodeAt(node);
      before = node;
      for (const { id, parts } of read.entries) {
        if (isBefore(id, from)) continue;
        if (isBefore(to, id)) {
          node = { ...node, left: 0 };
          break;
        }
        found.push([textOf(id), [...parts]]);
        if (found.length === count) break;
      }
      if (node.left > 0 && found.length < count) node = { place: read.next, left: node.left - 1, before: read.last };
    }
    // The node of the last entry is read again with the next ones.
    this.reached = { ...before, from };
    return found;
  }

  /**
   * As XPENDING with ids from one to another, `count` at most. How long ago each was delivered is told as by a clock that stands at 0,
   * which is what TIME tells of a file.
   */
  async pending(name: Buffer, from: EntryId, to: EntryId, count: number): Promise<Reply> {
    const group = this.groupOf(name);
    const page = await this.pendingOf(group, rawOf(from), rawOf(to), count);
    const [first, last] = [page[0]?.id, page.at(-1)?.id];
    if (first === undefined || last === undefined) return [];
    const owners = new Map<string, Buffer>();
    for (const { name: owner, ids } of group.consumers) {
      for (const id of await ids.between(first, last)) owners.set(id, owner);
    }
    return page.map(({ id, deliveredAt, times }) => {
      const owner = owners.get(id) ?? bad('an entry is pending with no consumer');
      return [textOf(idOf(id)), owner, Number(-deliveredAt), times];
    });
  }

  private startFor(from: EntryId): NodePlace {
    const { reached, marks, firstNode } = this;
    const known = isBefore(from, reached.from) ? firstNode : reached;
    const mark = marks.findLast(({ base }) => !isBefore(from, base));
    return mark !== undefined && mark.left < known.left ? mark : known;
  }

  private async nodeAt({ place, left, before }: NodePlace): Promise<Node> {
    if (this.node?.place === place) return this.node;
    const { space, window } = this;
    const { value, next } = await window.at(place, (reader) => {
      const start = reader.at;
      const { last } = checkNode(reader, space, before);
      reader.at = start;
      const entries: Node['entries'][number][] = [];
      readNode(reader, space, (id, parts) => entries.push({ id, parts }));
      return { last, entries };
    });
    if (isBefore(this.facts.lastId, value.last)) bad("a stream's last id is before that of an entry");
    if (left === this.counted.left) {
      this.counted = { entries: this.counted.entries + value.entries.length, left: left - 1 };
      if (left === 1 && this.counted.entries !== this.facts.length) bad('a stream has not as many entries as it says');
    }
    this.node = { place, next, ...value };
    return this.node;
  }

  private groupOf(name: Buffer): Group {
    const group = this.groups.find((each) => each.name.equals(name));
    if (group === undefined) throw new Error('A group was asked for that the stream does not have.');
    return group;
  }

  private async pendingOf(group: Group, from: string, to: string, count: number): Promise<PendingEntry[]> {
    if (from < group.reached.from) group.reached = { from: '', place: group.first, left: group.pending };
    let { place, left } = group.reached;
    const page: PendingEntry[] = [];
    let reached = { from, place, left };
    for (let isOver = false; !isOver && left > 0 && page.length < count;) {
      const { value, next } = await this.window.at(place, (reader) => manyOf(reader, left, readPending));
      place = next;
      for (const entry of value) {
        if (entry.id > to || page.length === count) {
          isOver = true;
          break;
        }
        left--;
        if (entry.id >= from) page.push(entry);
      }
      if (page.length === 0 && !isOver) reached = { from, place, left };
    }
    group.reached = reached;
    return page;
  }
}

interface PendingEntry {
  /** As its bytes stand, whose order is that of ids. */
  readonly id: string;
  readonly deliveredAt: bigint;
  readonly times: number;
}

function readPending(reader: ByteReader): PendingEntry {
  const at = reader.take(ID_BYTES);
  const id = reader.bytes.toString('latin1', at, at + ID_BYTES);
  return { id, deliveredAt: reader.int64(), times: reader.length() };
}

/** As many as are in memory, one at least, and no more than `left`. */
function manyOf<T>(reader: ByteReader, left: number, read: (reader: ByteReader) => T): T[] {
  const many: T[] = [];
  const most = Math.min(left, PENDING_AT_ONCE);
  while (many.length < most) {
    const before = reader.at;
    try {
      many.push(read(reader));
    } catch (error) {
      if (!(error instanceof EndsTooEarlyError) || many.length === 0) throw error;
      reader.at = before;
      break;
    }
  }
  return many;
}

/** Goes over nodes without unpacking them. */
async function passNodes(
  window: ByteWindow,
  first: number,
  count: number,
  space: Workspace,
): Promise<{
  readonly marks: readonly (NodePlace & { base: EntryId })[];
  readonly bytes: number;
  readonly next: number;
}> {
  let marks: (NodePlace & { base: EntryId })[] = [];
  let stride = 1;
  let bytes = 0;
  let place = first;
  for (let left = count; left > 0;) {
    const from = place;
    const { value, next } = await window.at(from, (reader) => {
      const start = reader.at;
      return manyOf(reader, left, () => {
        const at = from + reader.at - start;
        readPacked(reader, space.packed);
        const { packed } = space;
        if (packed.end - packed.start !== ID_BYTES) bad('a node of a stream has no id');
        const base = idAt(packed.bytes, packed.start);
        const head = reader.at;
        const behind = bytesBehindHead(reader);
        reader.at = head;
        const { size } = readStringHead(reader);
        // One that is not whole in memory is the last of these.
        const jump = Math.max(0, behind - (reader.end - reader.at));
        reader.take(behind - jump);
        return { at, base, size, jump };
      });
    });
    for (const node of value) {
      bytes += node.size;
      if ((count - left) % stride === 0) marks.push({ place: node.at, left, base: node.base, before: NO_ID });
      if (marks.length > MOST_MARKS) {
        marks = marks.filter((_, i) => i % 2 === 0);
        stride *= 2;
      }
      left--;
    }
    place = next + (value.at(-1)?.jump ?? 0);
    if (place > window.end) throw new EndsTooEarlyError();
  }
  return { marks, bytes, next: place };
}

async function readGroup(
  window: ByteWindow,
  readBytes: (start: number, length: number) => Promise<Buffer>,
  type: number,
  place: number,
  space: Workspace,
): Promise<{ readonly group: Group; readonly next: number }> {
  const { value: head, next: first } = await window.at(place, (reader) => ({
    name: nameIn(reader, space),
    lastDelivered: readId(reader),
    entriesRead: type === STREAM ? undefined : reader.length64(),
    pending: reader.length(),
  }));
  let at = first;
  let before = '';
  for (let left = head.pending; left > 0;) {
    const { value, next } = await window.at(at, (reader) => manyOf(reader, left, readPending));
    for (const { id } of value) {
      if (id <= before) bad('what is pending in a group is not in order');
      before = id;
    }
    left -= value.length;
    at = next;
  }
  const { value: count, next } = await window.at(at, (reader) => reader.length());
  at = next;
  const consumers: Consumer[] = [];
  const names = new Set<string>();
  let owned = 0;
  while (consumers.length < count) {
    const { value, next: ids } = await window.at(at, (reader) => ({
      name: nameIn(reader, space),
      times: reader.take(type === STREAM_3 ? 16 : 8),
      own: reader.length(),
    }));
    if (names.size === names.add(nameOf(value.name)).size) bad('a consumer comes twice');
    at = ids + value.own * ID_BYTES;
    if (at > window.end) throw new EndsTooEarlyError();
    owned += value.own;
    consumers.push({ name: value.name, ids: new PendingIds(readBytes, ids, value.own) });
  }
  if (owned !== head.pending) bad('not as many entries are pending with consumers as in their group');
  return { group: { ...head, first, consumers, reached: { from: '', place: first, left: head.pending } }, next: at };
}

function nameIn(reader: ByteReader, { first }: Workspace): Buffer {
  readString(reader, first);
  return first.copy();
}

function nameOf(name: Buffer): string {
  return name.toString('latin1');
}

function fields(of: Readonly<Record<string, Reply>>): Reply {
  return Object.entries(of).flatMap(([name, value]) => [Buffer.from(name), value]);
}

function textOf({ ms, seq }: EntryId): Buffer {
  return Buffer.from(`${ms}-${seq}`);
}

function rawOf({ ms, seq }: EntryId): string {
  const bytes = Buffer.alloc(ID_BYTES);
  bytes.writeBigUInt64BE(ms);
  bytes.writeBigUInt64BE(seq, 8);
  return bytes.toString('latin1');
}

function idOf(raw: string): EntryId {
  return idAt(Buffer.from(raw, 'latin1'), 0);
}

function idAt(bytes: Buffer, at: number): EntryId {
  return { ms: bytes.readBigUInt64BE(at), seq: bytes.readBigUInt64BE(at + 8) };
}
