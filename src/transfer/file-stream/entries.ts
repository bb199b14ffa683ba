import { bad, EndsTooEarlyError, type ByteReader } from '../../payload/byte-reader';
import { bytesBehindHead, readPacked, readStringHead } from '../../payload/rdb-string';
import { checkNode } from '../../payload/stream';
import { readNode } from '../../payload/stream-content';
import { idAfter, idAt, ID_BYTES, isBefore, ZERO_ID, type StreamId } from '../../payload/stream-id';
import { Workspace } from '../../payload/workspace';
import { manyOf, type ByteWindow } from '../byte-window';

/** Of so many nodes at most is kept where they stand, so that one far from the beginning is found without reading all before it. */
const MOST_MARKS = 1_024;
/** A page ends behind the entry with which it becomes as large. */
const MOST_PAGE_BYTES = 1_048_576;

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

/** What a stream says of its entries. */
export interface EntriesTold {
  readonly length: number;
  readonly lastId: StreamId;
}

/** A stream's entry as it stands. */
export interface StreamEntry {
  readonly id: StreamId;
  /** Its fields and values one after the other. */
  readonly parts: readonly Buffer[];
}

interface Node {
  readonly place: number;
  readonly base: StreamId;
  readonly next: number;
  readonly last: StreamId;
  readonly entries: readonly StreamEntry[];
}

/** The entries of a stream in a file, of which as much is in memory as is asked for at once. */
export class StreamEntries {
  /** The node that was read last. */
  private reached: Mark | undefined;
  /** All entries before `next` were told, one page behind the other: so many. Undefined behind the greatest id. */
  private told: { readonly next: StreamId | undefined; readonly entries: number } = { next: ZERO_ID, entries: 0 };
  /** The node that was read last, in memory: a page mostly begins where the one before ended. */
  private node: Node | undefined;
  private readonly space = new Workspace();

  constructor(
    private readonly window: ByteWindow,
    private readonly firstNode: NodePlace,
    private readonly marks: readonly Mark[],
    private readonly facts: EntriesTold,
  ) {}

  /**
   * As XRANGE: entries with ids from one to another, `count` at most; fewer where they are large, but none only where there are none.
   */
  async range(from: StreamId, to: StreamId, count: number): Promise<readonly StreamEntry[]> {
    const found: StreamEntry[] = [];
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
    return found;
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
      const entries: StreamEntry[] = [];
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
}

function baseOf(reader: ByteReader, { packed }: Workspace): StreamId {
  readPacked(reader, packed);
  if (packed.end - packed.start !== ID_BYTES) bad('a node of a stream has no id');
  return idAt(packed.bytes, packed.start);
}

/** Goes over nodes without unpacking them. */
export async function passNodes(
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
