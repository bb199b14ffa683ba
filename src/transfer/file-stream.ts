import { bad, EndsTooEarlyError, type ByteReader } from '../payload/byte-reader';
import { bytesBehindHead, readPacked, readStringHead } from '../payload/rdb-string';
import { checkNode, readId, UNKNOWN_READ } from '../payload/stream';
import { readName, readNode } from '../payload/stream-content';
import {
  formatId,
  idAfter,
  idAt,
  idOfRaw,
  ID_BYTES,
  isBefore,
  rawOfId,
  readRawId,
  ZERO_ID,
  type StreamId,
} from '../payload/stream-id';
import { STREAM, STREAM_3 } from '../payload/value-types';
import { Workspace } from '../payload/workspace';
import type { Reply } from '../redis/redis-port';
import { ByteWindow } from './byte-window';
import { PendingIds } from './pending-ids';

/** Of so many nodes at most is kept where they stand, so that one far from the beginning is found without reading all before it. */
const MOST_MARKS = 1_024;
/** Pending entries that are read at once. */
const PENDING_AT_ONCE = 1_000;
/** What is held of groups with all that is pending in them: all of it, where it is no more. Bytes. */
export const PENDING_BYTES = 4 * 1_048_576;
/** A page ends behind the entry with which it becomes as large. */
const MOST_PAGE_BYTES = 1_048_576;
/** What is read at once of what is pending in one of very many groups. Bytes. */
const LEAST_WINDOW = 4_096;

type ReadBytes = (start: number, length: number) => Promise<Buffer>;

/** A stream that is sound, and cannot be read in pieces. The message is for people. */
export class NotInPiecesError extends Error {}

const TOO_MUCH_PENDING = `The consumer groups of this stream take more than ${PENDING_BYTES / 1_048_576} MiB in a packed file: unpack the file first.`;
const TOO_GREAT =
  'One of the numbers of this stream (deliveries, entries added or read) is greater than 2^53 - 1, which cannot be told exactly.';

/** A number that commands tell. @throws NotInPiecesError */
function exact(count: number): number {
  if (!Number.isSafeInteger(count)) throw new NotInPiecesError(TOO_GREAT);
  return count;
}

/** A node, where it stands. */
interface NodePlace {
  readonly place: number;
  /** How many nodes there are from this one on. */
  readonly left: number;
  /** The id of the last entry before it, as far as that is known. */
  readonly before: StreamId;
}

/** One whose own id is known: none of the entries before it has that id or a greater one. */
interface Mark extends NodePlace {
  readonly base: StreamId;
}

interface Consumer {
  readonly name: Buffer;
  readonly ids: PendingIds;
}

interface Group {
  readonly name: Buffer;
  readonly lastDelivered: StreamId;
  readonly entriesRead: bigint | undefined;
  readonly pending: number;
  /** Where the first pending entry stands. */
  readonly first: number;
  /** What is pending is read by it. */
  readonly window: ByteWindow;
  readonly consumers: readonly Consumer[];
  /** The first pending entry at or behind the id that was asked for last. */
  reached: { readonly from: string; readonly place: number; readonly left: number };
}

interface Facts {
  readonly length: number;
  readonly lastId: StreamId;
  readonly past: { readonly maxDeleted: StreamId; readonly added: number } | undefined;
}

interface Node {
  readonly place: number;
  readonly base: StreamId;
  readonly next: number;
  readonly last: StreamId;
  readonly entries: readonly { readonly id: StreamId; readonly parts: readonly Buffer[] }[];
}

/**
 * A stream's value in a file, as the commands tell it by which a stream is read. Of entries and of what is pending as much is in memory as
 * one of these commands asks for. It is gone over once when it is opened; what is told is looked at as servers would have to rely on it.
 */
export class FileStream {
  /** The node that was read last. */
  private reached: Mark | undefined;
  /** All entries before `next` were told, one page behind the other: so many. Undefined behind the greatest id. */
  private told: { readonly next: StreamId | undefined; readonly entries: number } = { next: ZERO_ID, entries: 0 };
  /** The node that was read last, in memory: a page mostly begins where the one before ended. */
  private node: Node | undefined;
  private readonly space = new Workspace();

  private constructor(
    private readonly window: ByteWindow,
    private readonly firstNode: NodePlace,
    private readonly marks: readonly Mark[],
    private readonly facts: Facts,
    private readonly groups: readonly Group[],
    /** What its nodes become when they are unpacked. */
    readonly bytes: number,
  ) {}

  /**
   * @param readBytes gives bytes of the file, all that are asked for
   * @param forward whether bytes can be read only one behind the other, at the cost of all before them
   * @param type its type byte
   * @param place behind its type byte
   * @param end of its value
   * @throws BadPayloadError, NotInPiecesError, and what reading throws
   */
  static async read(
    readBytes: ReadBytes,
    forward: boolean,
    type: number,
    place: number,
    end: number,
  ): Promise<FileStream> {
    const space = new Workspace();
    const nodes = new ByteWindow(readBytes, end);
    const { value: left, next: first } = await nodes.at(place, (reader) => reader.length());
    const { marks, bytes, next } = await passNodes(nodes, first, left, space);
    const isHeld = end - next <= PENDING_BYTES;
    if (forward && !isHeld) throw new NotInPiecesError(TOO_MUCH_PENDING);
    const tail = isHeld ? await held(readBytes, next, end) : readBytes;
    const window = new ByteWindow(tail, end);
    const { value: head, next: behind } = await window.at(next, (reader) => {
      const [length, lastId] = [reader.length(), readId(reader)];
      if (type === STREAM) return { facts: { length, lastId, past: undefined }, groups: reader.length() };
      readId(reader);
      const past = { maxDeleted: readId(reader), added: exact(reader.length()) };
      return { facts: { length, lastId, past }, groups: reader.length() };
    });
    const found: FoundGroup[] = [];
    const names = new Set<string>();
    let at = behind;
    for (let of = head.groups; of > 0; of--) {
      const group = await readGroup(window, type, at, space);
      if (names.size === names.add(nameOf(group.name)).size) bad('a group comes twice');
      found.push(group);
      at = group.next;
    }
    if (at !== end) bad('bytes are left behind a value');
    const groups = groupsOf(found, tail, end);
    return new FileStream(nodes, { place: first, left, before: ZERO_ID }, marks, head.facts, groups, bytes);
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
        ...(entriesRead === undefined
          ? {}
          : { 'entries-read': entriesRead === UNKNOWN_READ ? null : Number(entriesRead) }),
      }),
    );
  }

  /** As XINFO CONSUMERS. */
  consumerInfos(group: Buffer): Reply {
    return this.groupOf(group).consumers.map(({ name, ids }) => fields({ name, pending: ids.count }));
  }

  /**
   * As XRANGE: entries with ids from one to another, `count` at most; fewer where they are large, but none only where there are none.
   */
  async range(from: StreamId, to: StreamId, count: number): Promise<Reply> {
    const found: Node['entries'][number][] = [];
    let bytes = 0;
    let place = this.startFor(from);
    const isFull = () => found.length >= count || bytes >= MOST_PAGE_BYTES;
    for (let isOver = false; !isOver && place.left > 0 && !isFull();) {
      const node = await this.nodeAt(place);
      for (const entry of node.entries) {
        if (isBefore(entry.id, from)) continue;
        isOver = isFull() || isBefore(to, entry.id);
        if (isOver) break;
        found.push(entry);
        bytes += entry.parts.reduce((sum, { length }) => sum + length, 0);
      }
      place = { place: node.next, left: place.left - 1, before: node.last };
    }
    this.count(from, isFull() ? found.at(-1)?.id : to, found);
    return found.map(({ id, parts }) => [textOf(id), [...parts]]);
  }

  /**
   * As XPENDING with ids from one to another, `count` at most. How long ago each was delivered is told as by a clock that stands at 0,
   * which is what TIME tells of a file.
   */
  async pending(name: Buffer, from: StreamId, to: StreamId, count: number): Promise<Reply> {
    const group = this.groupOf(name);
    const page = await this.pendingOf(group, rawOfId(from), rawOfId(to), count);
    const [first, last] = [page[0]?.id, page.at(-1)?.id];
    if (first === undefined || last === undefined) return [];
    const owners = new Map<string, Buffer>();
    for (const { name: owner, ids } of group.consumers) {
      for (const id of await ids.between(first, last)) owners.set(id, owner);
    }
    return page.map(({ id, deliveredAt, times }) => {
      const owner = owners.get(id) ?? bad('an entry is pending with no consumer');
      return [textOf(idOfRaw(id)), owner, Number(-deliveredAt), times];
    });
  }

  private startFor(from: StreamId): NodePlace {
    const { reached, marks, firstNode } = this;
    const known = reached === undefined || isBefore(from, reached.base) ? firstNode : reached;
    const mark = marks.findLast(({ base }) => !isBefore(from, base));
    return mark !== undefined && mark.left < known.left ? mark : known;
  }

  /**
   * Counts what is told without a gap from the first entry on.
   * @param through all up to it were told; undefined: none
   * @throws BadPayloadError at the last one, where they are not as many as the stream says
   */
  private count(from: StreamId, through: StreamId | undefined, found: readonly { readonly id: StreamId }[]): void {
    const { next, entries } = this.told;
    const isFurther = through !== undefined && next !== undefined && !isBefore(through, next);
    if (!isFurther || isBefore(next, from)) return;
    const more = found.filter(({ id }) => !isBefore(id, next)).length;
    this.told = { next: idAfter(through), entries: entries + more };
    if (!isBefore(through, this.facts.lastId) && entries + more !== this.facts.length) {
      bad('a stream has not as many entries as it says');
    }
  }

  private async nodeAt(at: NodePlace): Promise<Node> {
    const { place, before } = at;
    if (this.node?.place === place) return this.node;
    const { space, window } = this;
    const { value, next } = await window.at(place, (reader) => {
      const start = reader.at;
      const base = baseOf(reader, space);
      reader.at = start;
      const { last } = checkNode(reader, space, before);
      reader.at = start;
      const entries: Node['entries'][number][] = [];
      readNode(reader, space, (id, parts) => entries.push({ id, parts }));
      return { base, last, entries };
    });
    const { base, last, entries } = value;
    const [first] = entries;
    if (!isBefore(before, base) || (first !== undefined && isBefore(first.id, base))) {
      bad('the entries of a stream are not in order');
    }
    if (isBefore(this.facts.lastId, last)) bad("a stream's last id is before that of an entry");
    this.reached = { ...at, base };
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
      const { value, next } = await group.window.at(place, (reader) => manyOf(reader, left, readPending));
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
  return { id: readRawId(reader), deliveredAt: reader.int64(), times: exact(reader.length()) };
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

function baseOf(reader: ByteReader, { packed }: Workspace): StreamId {
  readPacked(reader, packed);
  if (packed.end - packed.start !== ID_BYTES) bad('a node of a stream has no id');
  return idAt(packed.bytes, packed.start);
}

/** Goes over nodes without unpacking them. */
async function passNodes(
  window: ByteWindow,
  first: number,
  count: number,
  space: Workspace,
): Promise<{ readonly marks: readonly Mark[]; readonly bytes: number; readonly next: number }> {
  let marks: Mark[] = [];
  let stride = 1;
  let bytes = 0;
  let place = first;
  let before = ZERO_ID;
  for (let left = count; left > 0;) {
    const from = place;
    const { value, next } = await window.at(from, (reader) => {
      const start = reader.at;
      return manyOf(reader, left, () => {
        const at = from + reader.at - start;
        const base = baseOf(reader, space);
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
      if (!isBefore(before, node.base)) bad('the nodes of a stream are not in order');
      before = node.base;
      bytes += node.size;
      if ((count - left) % stride === 0) marks.push({ place: node.at, left, base: node.base, before: ZERO_ID });
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

/** A part of the file, from memory. */
async function held(readBytes: ReadBytes, from: number, end: number): Promise<ReadBytes> {
  const bytes = await readBytes(from, end - from);
  return (start, length) => Promise.resolve(bytes.subarray(start - from, start - from + length));
}

/** A group as it stands. */
interface FoundGroup extends Pick<Group, 'name' | 'lastDelivered' | 'entriesRead' | 'pending' | 'first'> {
  /** Where the ids of each begin, and how many there are. */
  readonly consumers: readonly { readonly name: Buffer; readonly ids: number; readonly own: number }[];
  readonly next: number;
}

async function readGroup(window: ByteWindow, type: number, place: number, space: Workspace): Promise<FoundGroup> {
  const { value: head, next: first } = await window.at(place, (reader) => ({
    name: readName(reader, space),
    lastDelivered: readId(reader),
    entriesRead: type === STREAM ? undefined : reader.length64(),
    pending: reader.length(),
  }));
  if (head.entriesRead !== undefined && head.entriesRead !== UNKNOWN_READ) exact(Number(head.entriesRead));
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
  const consumers: FoundGroup['consumers'][number][] = [];
  const names = new Set<string>();
  let owned = 0;
  while (consumers.length < count) {
    const { value, next: ids } = await window.at(at, (reader) => ({
      name: readName(reader, space),
      times: reader.take(type === STREAM_3 ? 16 : 8),
      own: reader.length(),
    }));
    if (names.size === names.add(nameOf(value.name)).size) bad('a consumer comes twice');
    at = ids + value.own * ID_BYTES;
    if (at > window.end) throw new EndsTooEarlyError();
    owned += value.own;
    consumers.push({ name: value.name, ids, own: value.own });
  }
  if (owned !== head.pending) bad('not as many entries are pending with consumers as in their group');
  return { ...head, first, consumers, next: at };
}

/** Each reads what is pending by a window of its own, and all of them together hold no more than `PENDING_BYTES`, about. */
function groupsOf(found: readonly FoundGroup[], readBytes: ReadBytes, end: number): Group[] {
  const withPending = found.filter(({ pending }) => pending > 0).length;
  const consumers = found.reduce((sum, { consumers }) => sum + consumers.filter(({ own }) => own > 0).length, 0);
  const [ofGroup, ofConsumer] = [withPending, consumers].map((count) => PENDING_BYTES / 2 / Math.max(1, count));
  // The lists of consumers stand one behind the other: the first bytes of all are read together.
  const together = new ByteWindow(readBytes, end);
  return found.map((group) => {
    const { name, lastDelivered, entriesRead, pending, first } = group;
    const window = new ByteWindow(readBytes, end, Math.max(LEAST_WINDOW, Math.floor(ofGroup ?? 0)));
    return {
      ...{ name, lastDelivered, entriesRead, pending, first, window },
      consumers: group.consumers.map(({ name, ids, own }) => ({
        name,
        ids: new PendingIds(readBytes, together, ids, own, ofConsumer ?? 0),
      })),
      reached: { from: '', place: first, left: pending },
    };
  });
}

function nameOf(name: Buffer): string {
  return name.toString('latin1');
}

function fields(of: Readonly<Record<string, Reply>>): Reply {
  return Object.entries(of).flatMap(([name, value]) => [Buffer.from(name), value]);
}

function textOf(id: StreamId): Buffer {
  return Buffer.from(formatId(id));
}
