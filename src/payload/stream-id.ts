import type { ByteReader } from './byte-reader';

/** The id of a stream entry: two unsigned 64-bit numbers, ordered by the first, then the second. */
export interface StreamId {
  readonly ms: bigint;
  readonly seq: bigint;
}

const MOST = 2n ** 64n - 1n;

/** Of an id as it stands in nodes and in lists of what is pending, each number with its highest byte first: the order of these bytes is that of ids. */
export const ID_BYTES = 16;

export const ZERO_ID: StreamId = { ms: 0n, seq: 0n };
export const GREATEST_ID: StreamId = { ms: MOST, seq: MOST };

/** Parses `ms-seq`. Throws a SyntaxError for anything else. */
export function parseId(text: string): StreamId {
  const match = /^(\d+)-(\d+)$/.exec(text);
  if (match === null) throw new SyntaxError(`not a stream id: ${text}`);
  return { ms: BigInt(match[1] ?? 0), seq: BigInt(match[2] ?? 0) };
}

export function formatId({ ms, seq }: StreamId): string {
  return `${String(ms)}-${String(seq)}`;
}

/** Negative, zero or positive as the first id is below, equal to or above the second. */
export function compareIds(one: StreamId, other: StreamId): number {
  if (one.ms !== other.ms) return one.ms < other.ms ? -1 : 1;
  if (one.seq !== other.seq) return one.seq < other.seq ? -1 : 1;
  return 0;
}

export function isBefore(one: StreamId, other: StreamId): boolean {
  return compareIds(one, other) < 0;
}

/** The next possible id (exclusive ranges exist only from 6.2); `undefined` after the greatest. */
export function idAfter({ ms, seq }: StreamId): StreamId | undefined {
  if (seq < MOST) return { ms, seq: seq + 1n };
  return ms < MOST ? { ms: ms + 1n, seq: 0n } : undefined;
}

/** The id whose bytes stand at a place. */
export function idAt(bytes: Buffer, at: number): StreamId {
  return { ms: bytes.readBigUInt64BE(at), seq: bytes.readBigUInt64BE(at + 8) };
}

export function bytesOfId({ ms, seq }: StreamId): Buffer {
  const bytes = Buffer.alloc(ID_BYTES);
  bytes.writeBigUInt64BE(ms);
  bytes.writeBigUInt64BE(seq, 8);
  return bytes;
}

/** Reads an id's bytes, as latin1 text. */
export function readRawId(reader: ByteReader): string {
  const at = reader.take(ID_BYTES);
  return reader.bytes.toString('latin1', at, at + ID_BYTES);
}

export function rawOfId(id: StreamId): string {
  return bytesOfId(id).toString('latin1');
}

export function idOfRaw(raw: string): StreamId {
  return idAt(Buffer.from(raw, 'latin1'), 0);
}
