import { bad, ByteReader } from './byte-reader';
import { Listpack } from './listpack';
import { readPacked, readString } from './rdb-string';
import { readId, readStream } from './stream';
import { formatId, idAt, idOfRaw, readRawId, type StreamId } from './stream-id';
import { STREAM, STREAM_3 } from './value-types';
import type { Workspace } from './workspace';

const DELETED = 1;
const SAME_FIELDS = 2;

/** A group of a stream, with consumers and pending entries in the order in which a server tells them. */
export interface StreamGroup {
  readonly name: Buffer;
  readonly lastDelivered: string;
  readonly consumers: readonly { readonly name: Buffer; readonly pending: number }[];
  readonly pending: readonly { readonly id: string; readonly consumer: Buffer; readonly times: number }[];
}

/** What is in a stream beside its entries. */
export interface StreamContent {
  readonly length: number;
  readonly lastId: string;
  /** In the order in which a server tells them: by their names. */
  readonly groups: readonly StreamGroup[];
}

/**
 * Reads a stream from behind its type byte to its end, once it was looked at as readStream does.
 * @param entry called for each that is not deleted, with fields and values in turns
 * @throws BadPayloadError
 */
export function readStreamContent(
  reader: ByteReader,
  type: number,
  space: Workspace,
  entry: (id: string, parts: readonly Buffer[]) => void,
): StreamContent {
  readStream(new ByteReader(reader.bytes, reader.at, reader.end), type, space);
  for (let left = reader.length(); left > 0; left--)
    readNode(reader, space, ({ ms, seq }, parts) => {
      entry(`${ms}-${seq}`, parts);
    });
  const length = reader.length();
  const lastId = formatId(readId(reader));
  if (type !== STREAM) {
    formatId(readId(reader));
    formatId(readId(reader));
    reader.length();
  }
  const groups: StreamGroup[] = [];
  for (let left = reader.length(); left > 0; left--) groups.push(readGroup(reader, type, space));
  groups.sort(byName);
  return { length, lastId, groups };
}

function readGroup(reader: ByteReader, type: number, space: Workspace): StreamGroup {
  const name = readName(reader, space);
  const lastDelivered = formatId(readId(reader));
  if (type !== STREAM) reader.length();
  const times = new Map<string, number>();
  for (let left = reader.length(); left > 0; left--) {
    const id = readRawId(reader);
    reader.take(8);
    times.set(id, reader.length());
  }
  const consumers: { name: Buffer; pending: number }[] = [];
  const owners = new Map<string, Buffer>();
  for (let left = reader.length(); left > 0; left--) {
    const consumer = readName(reader, space);
    reader.take(type === STREAM_3 ? 16 : 8);
    const pending = reader.length();
    for (let own = pending; own > 0; own--) owners.set(readRawId(reader), consumer);
    consumers.push({ name: consumer, pending });
  }
  const pending = [...owners]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([id, consumer]) => ({ id: formatId(idOfRaw(id)), consumer, times: times.get(id) ?? 0 }));
  return { name, lastDelivered, consumers: consumers.sort(byName), pending };
}

function byName(one: { readonly name: Buffer }, other: { readonly name: Buffer }): number {
  return Buffer.compare(one.name, other.name);
}

export function readName(reader: ByteReader, { first }: Workspace): Buffer {
  readString(reader, first);
  return first.copy();
}

/** Reads a node, whose layout stream.ts describes, once `checkNode` has looked at it. @throws BadPayloadError */
export function readNode(
  reader: ByteReader,
  { first, packed }: Workspace,
  entry: (id: StreamId, parts: readonly Buffer[]) => void,
): void {
  readPacked(reader, packed);
  const base = idAt(packed.bytes, packed.start);
  readPacked(reader, packed);
  const elements = new Listpack(packed.bytes, packed.start, packed.end);
  const next = () => (elements.next(first) ? first : bad('a node of a stream ends too early'));
  const number = () => {
    const { kind, integer, large } = next();
    return kind === 'large' ? large : BigInt(integer);
  };
  const text = () => next().copy();
  const total = Number(number()) + Number(number());
  const fields = Array.from({ length: Number(number()) }, text);
  number();
  for (let left = total; left > 0; left--) {
    const flags = Number(number());
    const ms = BigInt.asUintN(64, base.ms + number());
    const seq = BigInt.asUintN(64, base.seq + number());
    const parts =
      (flags & SAME_FIELDS) === 0
        ? Array.from({ length: 2 * Number(number()) }, text)
        : fields.flatMap((field) => [field, text()]);
    number();
    if ((flags & DELETED) === 0) entry({ ms, seq }, parts);
  }
}
