import { bad, EndsTooEarlyError, type ByteReader } from '../../payload/byte-reader';
import { readId, UNKNOWN_READ } from '../../payload/stream';
import { readName } from '../../payload/stream-content';
import { ID_BYTES, readRawId, type StreamId } from '../../payload/stream-id';
import { STREAM, STREAM_3 } from '../../payload/value-types';
import type { Workspace } from '../../payload/workspace';
import { ByteWindow, manyOf } from '../byte-window';
import { exact } from './exact';
import { PendingIds } from './pending-ids';

/** What is held of groups with all that is pending in them: all of it, where it is no more. Bytes. */
export const PENDING_BYTES = 4 * 1_048_576;
/** What is read at once of what is pending in one of very many groups. Bytes. */
const LEAST_WINDOW = 4_096;

export type ReadBytes = (start: number, length: number) => Promise<Buffer>;

interface Consumer {
  readonly name: Buffer;
  readonly ids: PendingIds;
}

/** A group, and how what is pending in it is read. */
export interface Group {
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

interface PendingEntry {
  /** As its bytes stand, whose order is that of ids. */
  readonly id: string;
  readonly deliveredAt: bigint;
  readonly times: number;
}

function readPending(reader: ByteReader): PendingEntry {
  return { id: readRawId(reader), deliveredAt: reader.int64(), times: exact(reader.length()) };
}

/** What is pending in a group with ids from one to another, as their bytes stand, `count` at most. */
export async function pendingOf(group: Group, from: string, to: string, count: number): Promise<PendingEntry[]> {
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

/** A group as it stands. */
export interface FoundGroup extends Pick<Group, 'name' | 'lastDelivered' | 'entriesRead' | 'pending' | 'first'> {
  /** Where the ids of each begin, and how many there are. */
  readonly consumers: readonly { readonly name: Buffer; readonly ids: number; readonly own: number }[];
  readonly next: number;
}

/** @throws BadPayloadError, NotInPiecesError, and what reading throws */
export async function readGroup(
  window: ByteWindow,
  type: number,
  place: number,
  space: Workspace,
): Promise<FoundGroup> {
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
export function groupsOf(found: readonly FoundGroup[], readBytes: ReadBytes, end: number): Group[] {
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

/** A name as text that is another one for other bytes. */
export function nameOf(name: Buffer): string {
  return name.toString('latin1');
}
