import { bad } from '../../payload/byte-reader';
import { readId, UNKNOWN_READ } from '../../payload/stream';
import { formatId, idOfRaw, rawOfId, ZERO_ID, type StreamId } from '../../payload/stream-id';
import { STREAM } from '../../payload/value-types';
import { Workspace } from '../../payload/workspace';
import type { Reply } from '../../redis/redis-port';
import { ByteWindow } from '../byte-window';
import { passNodes, StreamEntries, type EntriesTold } from './entries';
import { exact, NotInPiecesError } from './exact';
import {
  groupsOf,
  nameOf,
  PENDING_BYTES,
  pendingOf,
  readGroup,
  type FoundGroup,
  type Group,
  type ReadBytes,
} from './groups';

const TOO_MUCH_PENDING = `The consumer groups of this stream take more than ${PENDING_BYTES / 1_048_576} MiB in a packed file: unpack the file first.`;
interface Facts extends EntriesTold {
  readonly past: { readonly maxDeleted: StreamId; readonly added: number } | undefined;
}

/**
 * A stream's value in a file, as the commands tell it by which a stream is read. Of entries and of what is pending as much is in memory as
 * one of these commands asks for. It is gone over once when it is opened; what is told is looked at as servers would have to rely on it.
 */
export class FileStream {
  private constructor(
    private readonly entries: StreamEntries,
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
    const entries = new StreamEntries(nodes, { place: first, left, before: ZERO_ID }, marks, head.facts);
    return new FileStream(entries, head.facts, groups, bytes);
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

  /** As XRANGE: entries with ids from one to another, as `StreamEntries.range` gives them. */
  async range(from: StreamId, to: StreamId, count: number): Promise<Reply> {
    const found = await this.entries.range(from, to, count);
    return found.map(({ id, parts }) => [textOf(id), [...parts]]);
  }

  /**
   * As XPENDING with ids from one to another, `count` at most. How long ago each was delivered is told as by a clock that stands at 0,
   * which is what TIME tells of a file.
   */
  async pending(name: Buffer, from: StreamId, to: StreamId, count: number): Promise<Reply> {
    const group = this.groupOf(name);
    const page = await pendingOf(group, rawOfId(from), rawOfId(to), count);
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

  private groupOf(name: Buffer): Group {
    const group = this.groups.find((each) => each.name.equals(name));
    if (group === undefined) throw new Error('A group was asked for that the stream does not have.');
    return group;
  }
}

/** A part of the file, from memory. */
async function held(readBytes: ReadBytes, from: number, end: number): Promise<ReadBytes> {
  const bytes = await readBytes(from, end - from);
  return (start, length) => Promise.resolve(bytes.subarray(start - from, start - from + length));
}

function fields(of: Readonly<Record<string, Reply>>): Reply {
  return Object.entries(of).flatMap(([name, value]) => [Buffer.from(name), value]);
}

function textOf(id: StreamId): Buffer {
  return Buffer.from(formatId(id));
}
