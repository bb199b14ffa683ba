import type { Output } from '../payload/output';
import { writeBytes } from '../payload/rdb-string';
import { UNKNOWN_READ } from '../payload/stream';
import { bytesOfId, formatId, idAfter, ID_BYTES, parseId, ZERO_ID, type StreamId } from '../payload/stream-id';
import { NodeWriter } from '../payload/stream-writer';
import * as types from '../payload/value-types';
import type { Command, RedisPort, Reply } from '../redis/redis-port';
import { CarefulCount, firstCount } from './by-commands/chunk-size';
import { timeInMs } from './by-commands/expiry';
import { asBytes, asFields, asList, asNumber, readSource } from './by-commands/replies';
import { hasFactsOfItsOwn, readStreamInfo, type GroupInfo, type StreamInfo } from './by-commands/stream/stream-info';
import { inTurn, sizeOfTexts, TextsDigest } from './by-commands/texts';
import { UnorderedSum } from './unordered-sum';

/** Of what is pending that is asked for at once. */
const PENDING = 1_000;
/** The versions of files from which on streams have a past, and consumers the time of what they did last. */
const FIRST_WITH_PAST = 10;
const FIRST_WITH_ACTIVE = 11;

/** How a stream is read, and where it is written. */
export interface StreamReading {
  readonly port: RedisPort;
  readonly key: Buffer;
  /** Bytes aimed at per round trip. */
  readonly chunkBytes: number;
  readonly mostElements?: number | undefined;
  readonly out: Output;
}

/** What was written. */
export interface WrittenStream {
  /** The type byte that it was written for. */
  readonly byte: number;
  readonly nodes: number;
  /** All came that it says it has. */
  readonly isWhole: boolean;
  /** It says more of its past than this type holds. */
  readonly losesPast: boolean;
}

/**
 * Writes a stream's value behind the number of its nodes, in the newest type that servers of the file know: entries, last id, groups with
 * consumers and what is pending, and where the type has them, the entries added, the greatest id that was deleted, and how many entries each
 * group has read. Times, which servers tell as how long ago they were, are exact to some ms.
 * @param chunk called after every chunk; what is in `out` may be taken away then
 * @throws KeyChanged where it is gone or of another type; InexactError; RedisError, and what `chunk` throws
 */
export async function writeStream(
  reading: StreamReading,
  version: number,
  chunk: () => Promise<void>,
): Promise<WrittenStream> {
  const { port, key, out } = reading;
  const info = await readStreamInfo(port, key);
  exact(info.entriesAdded ?? 0);
  for (const { entriesRead = 0 } of info.groups) exact(entriesRead);
  const byte =
    info.entriesAdded === undefined || version < FIRST_WITH_PAST
      ? types.STREAM
      : version < FIRST_WITH_ACTIVE
        ? types.STREAM_2
        : types.STREAM_3;
  const nodes = new NodeWriter(out);
  let [entries, first]: [number, StreamId] = [0, ZERO_ID];
  for await (const window of entriesOf(reading, info)) {
    for (const { id, values } of window) {
      if (entries++ === 0) first = id;
      nodes.add(id, values);
    }
    await chunk();
  }
  nodes.end();
  out.rdbLength(info.length);
  writeId(out, info.lastId);
  if (byte !== types.STREAM) {
    writeId(out, first);
    writeId(out, info.maxDeleted ?? ZERO_ID);
    out.rdbLength(info.entriesAdded ?? info.length);
  }
  out.rdbLength(info.groups.length);
  let isWhole = entries === info.length;
  for (const group of info.groups) isWhole = (await writeGroup(reading, group, byte, chunk)) && isWhole;
  // WATCH tells of entries alone: not of what becomes of groups.
  const after = await readStreamInfo(port, key);
  isWhole = isWhole && textOf(after) === textOf(info);
  return { byte, nodes: nodes.nodes, isWhole, losesPast: byte === types.STREAM && hasFactsOfItsOwn(info) };
}

/** One of a stream's numbers is greater than those that are exact here. */
export class InexactError extends Error {
  constructor() {
    super(
      'one of its numbers (deliveries, entries added or read) is greater than 2^53 - 1, which cannot be told exactly.',
    );
  }
}

/** @throws InexactError */
function exact(count: number): number {
  if (!Number.isSafeInteger(count)) throw new InexactError();
  return count;
}

interface Entry {
  readonly id: StreamId;
  readonly values: readonly Buffer[];
}

async function* entriesOf(
  { port, key, chunkBytes, mostElements }: StreamReading,
  { length, lastId }: StreamInfo,
): AsyncGenerator<readonly Entry[], void, undefined> {
  const [memory] = await port.pipeline([['MEMORY', 'USAGE', key]]);
  const first = firstCount(typeof memory === 'number' ? memory : undefined, length, chunkBytes);
  const size = new CarefulCount(first, chunkBytes, mostElements);
  for (let from: StreamId | undefined = ZERO_ID; from !== undefined;) {
    const count = size.now;
    const range: Command = ['XRANGE', key, formatId(from), formatId(lastId), 'COUNT', String(count)];
    const [reply] = await readSource(port, [range]);
    const entries = asList(reply).map((entry) => {
      const [id, values] = asList(entry);
      return { id: idOf(id), values: asList(values).map(asBytes) };
    });
    if (entries.length > 0) yield entries;
    const last = entries.at(-1);
    if (entries.length < count || last === undefined) return;
    from = idAfter(last.id);
    size.came(entries.map(({ values }) => sizeOfTexts(values)));
  }
}

interface Consumer {
  readonly name: Buffer;
  readonly pending: number;
  readonly seen: number;
  readonly active: number;
}

/** @returns whether all came that it says it has */
async function writeGroup(
  reading: StreamReading,
  group: GroupInfo,
  byte: number,
  chunk: () => Promise<void>,
): Promise<boolean> {
  const { port, key, out } = reading;
  writeText(out, group.name);
  writeId(out, parseId(group.lastDelivered));
  if (byte !== types.STREAM)
    out.rdbLength64(group.entriesRead === undefined ? UNKNOWN_READ : BigInt(group.entriesRead));
  out.rdbLength(group.pending);
  let pages = 0;
  let read = new TextsDigest();
  const [those, theirs] = [new UnorderedSum(), new UnorderedSum()];
  for await (const { now, page } of pendingOf(port, ['XPENDING', key, group.name])) {
    pages++;
    addTo(read, page);
    for (const [id, consumer, idle, times] of page) {
      those.add([asBytes(id), asBytes(consumer)]);
      writeRawId(out, idOf(id));
      out.int64(BigInt(now - asNumber(idle)));
      out.rdbLength(exact(asNumber(times)));
    }
    await chunk();
  }
  const before = read.hex();
  const consumers = await consumersOf(port, key, group.name);
  out.rdbLength(consumers.length);
  for (const part of portionsOf(consumers)) {
    const lists = await idsOf(port, ['XPENDING', key, group.name], part);
    for (const [i, { name, seen, active, pending: own }] of part.entries()) {
      writeText(out, name);
      out.int64(BigInt(seen));
      if (byte === types.STREAM_3) out.int64(BigInt(active));
      out.rdbLength(own);
      const list = lists?.[i];
      if (list !== undefined) {
        // No server loads another number of ids than is told before them.
        if (list.length !== own) return false;
        for (const id of list) {
          writeRawId(out, id);
          theirs.add([Buffer.from(formatId(id)), name]);
        }
        continue;
      }
      // One with more than come at once.
      let came = 0;
      for await (const { page } of pendingOf(port, ['XPENDING', key, group.name], name)) {
        came += page.length;
        for (const [id] of page) {
          writeRawId(out, idOf(id));
          theirs.add([asBytes(id), name]);
        }
        await chunk();
      }
      if (came !== own) return false;
    }
    await chunk();
  }
  // What is pending with one that is no consumer's, or with two, would end a server.
  if (!those.equals(theirs) || those.count !== group.pending) return false;
  if (pages <= 1) return true;
  // Delivered once more without another one taking it, nothing else would tell.
  read = new TextsDigest();
  for await (const { page } of pendingOf(port, ['XPENDING', key, group.name])) {
    addTo(read, page);
    await chunk();
  }
  return read.hex() === before;
}

function addTo(digest: TextsDigest, page: readonly (readonly Reply[])[]): void {
  for (const [id, consumer, , times] of page) {
    digest.add(inTurn([asBytes(id), asBytes(consumer), Buffer.from(String(asNumber(times)))]));
  }
}

function textOf(info: StreamInfo): string {
  return JSON.stringify(info, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

/** What is pending, page by page in the order of ids; `now`: the server's clock. @param consumer whose; all where it is left out */
async function* pendingOf(
  port: RedisPort,
  command: Command,
  consumer?: Buffer,
): AsyncGenerator<{ readonly now: number; readonly page: readonly (readonly Reply[])[] }, void, undefined> {
  for (let from: StreamId | undefined = ZERO_ID; from !== undefined;) {
    const ask: Command = [
      ...command,
      formatId(from),
      '+',
      String(PENDING),
      ...(consumer === undefined ? [] : [consumer]),
    ];
    const [time, reply] = await readSource(port, [['TIME'], ask]);
    const page = asList(reply).map(asList);
    if (page.length > 0) yield { now: Math.floor(timeInMs(time)), page };
    const last = page.at(-1)?.[0];
    if (page.length < PENDING || last === undefined) return;
    from = idAfter(idOf(last));
  }
}

async function consumersOf(port: RedisPort, key: Buffer, group: Buffer): Promise<Consumer[]> {
  const [time, reply] = await readSource(port, [['TIME'], ['XINFO', 'CONSUMERS', key, group]]);
  const now = Math.floor(timeInMs(time));
  return asList(reply).map((one) => {
    const fields = asFields(one);
    const seen = now - asNumber(fields.get('idle'));
    // From 7.2 on; -1 for one that has never had any entry.
    const inactive = fields.get('inactive');
    const active = inactive === undefined ? seen : asNumber(inactive) < 0 ? -1 : now - asNumber(inactive);
    return { name: asBytes(fields.get('name')), pending: asNumber(fields.get('pending')), seen, active };
  });
}

/** Consumers whose entries come together; one with more stands alone. */
function* portionsOf(consumers: readonly Consumer[]): Generator<readonly Consumer[]> {
  let part: Consumer[] = [];
  let pending = 0;
  for (const consumer of consumers) {
    if (part.length > 0 && (pending + consumer.pending > PENDING || part.length === PENDING)) {
      yield part;
      [part, pending] = [[], 0];
    }
    part.push(consumer);
    pending += consumer.pending;
  }
  if (part.length > 0) yield part;
}

/** The ids of each consumer's entries; undefined of one alone with more than come at once. */
async function idsOf(
  port: RedisPort,
  command: Command,
  consumers: readonly Consumer[],
): Promise<readonly (readonly StreamId[])[] | undefined> {
  if (consumers.some(({ pending }) => pending >= PENDING)) return undefined;
  const asked = consumers.filter(({ pending }) => pending > 0);
  const replies = await readSource(
    port,
    asked.map(({ name }): Command => [...command, '-', '+', String(PENDING), name]),
  );
  const found = new Map(asked.map((consumer, i) => [consumer, asList(replies[i]).map((one) => idOf(asList(one)[0]))]));
  return consumers.map((consumer) => found.get(consumer) ?? []);
}

function idOf(reply: Reply | undefined): StreamId {
  return parseId(asBytes(reply).toString('latin1'));
}

function writeId(out: Output, { ms, seq }: StreamId): void {
  out.rdbLength64(ms);
  out.rdbLength64(seq);
}

function writeRawId(out: Output, id: StreamId): void {
  out.raw(bytesOfId(id), 0, ID_BYTES);
}

function writeText(out: Output, text: Buffer): void {
  writeBytes(out, text, 0, text.length, true);
}
