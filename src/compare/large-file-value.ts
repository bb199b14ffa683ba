import { sha1Of } from '../basics/sha1';
import { unitsOf } from '../payload/value-units';
import { isStream } from '../payload/stream';
import type { StreamGroup } from '../payload/stream-content';
import type { Command, RedisPort, Reply } from '../redis/redis-port';
import { formatId, idAfter, parseId, ZERO_ID, type StreamId } from '../payload/stream-id';
import { readStreamInfo } from '../transfer/by-commands/stream/stream-info';
import { PENDING_BYTES } from '../transfer/file-stream/groups';
import { fieldTimes } from '../transfer/by-commands/hash';
import { asBytes, asFields, asList, asNumber } from '../transfer/by-commands/replies';
import { inTurn, sizeOfTexts } from '../transfer/by-commands/texts';
import { numberOf, PARTS, spelled, TEXT } from './command-windows';
import {
  entryPieces,
  MOST_EXPIRING_BYTES,
  MostExpiring,
  pendingPieces,
  streamPrint,
  Sum,
  valueOf,
  Windows,
  type Content,
  type KnownValue,
} from './known-value';
import { printOfWindows } from './value-prints';

/** What is read of the file at once, and what that becomes, about. Bytes. */
const READ_BYTES = 4 * 1_048_576;
/** Members of sorted sets that are held until they are told in their order. Bytes. */
const MOST_HELD = 16 * 1_048_576;

/** What reading a value of a type byte may take of memory, about, whatever its size. Bytes. */
export function memoryOfLarge(typeByte: number): number {
  const kind = unitsOf(typeByte);
  if (isStream(typeByte)) return READ_BYTES + PENDING_BYTES;
  return READ_BYTES + (kind?.type === 'zset' ? MOST_HELD : kind?.expires === true ? MOST_EXPIRING_BYTES : 0);
}

/** Why a value that is read in pieces cannot be compared. */
export class IncomparableError extends Error {}

/** How a file's large value is read. */
export interface LargeRead {
  /** Answers the commands that read a value from the file. */
  readonly port: RedisPort;
  readonly key: Buffer;
  /** As TYPE names it. */
  readonly type: string;
  /** ms since 1970; 0: none. */
  readonly expiry: number;
  /** The clock that expiries are told by, ms since 1970. */
  readonly now: () => number;
  /** Called again and again. Throws when the work must end. */
  readonly goOn: () => void;
}

/** The same as `knownValue`, of a value that is read in pieces, once and forward. @throws IncomparableError, FileError, what `goOn` throws */
export async function largeValue(read: LargeRead): Promise<KnownValue> {
  const contentOf = Object.hasOwn(CONTENTS, read.type) ? CONTENTS[read.type] : undefined;
  if (contentOf === undefined) throw new IncomparableError(`values of type ${read.type} are compared only whole`);
  return valueOf(read.type, await contentOf(read), read.expiry, read.now);
}

const CONTENTS: Readonly<Record<string, (read: LargeRead) => Promise<Content>>> = {
  string: async ({ port, key, goOn }) => {
    const prints: string[] = [];
    for (let at = 0; ; at += TEXT) {
      goOn();
      const piece = asBytes(await port.call('GETRANGE', key, String(at), String(at + TEXT - 1)));
      prints.push(sha1Of([piece]));
      if (piece.length < TEXT) return { length: at + piece.length, print: printOfWindows('string', prints) };
    }
  },
  list: async ({ port, key, goOn }) => {
    const windows = new Windows(PARTS);
    for (;;) {
      goOn();
      const at = windows.count;
      const items = asList(await port.call('LRANGE', key, String(at), String(at + PARTS - 1))).map(asBytes);
      if (items.length === 0) return { length: at, print: printOfWindows('list', windows.end()) };
      for (const item of items) windows.add(inTurn([item]));
    }
  },
  set: async (read) => {
    const sum = new Sum();
    for await (const members of pagesOf(read, 'SSCAN')) for (const member of members) sum.add(numberOf([member]));
    return sum.content;
  },
  hash: async (read) => {
    const sum = new Sum();
    const expiring = new MostExpiring(() => {
      throw new IncomparableError('more of its fields expire than can be kept in mind');
    });
    for await (const page of pagesOf(read, 'HSCAN')) {
      const names = page.filter((_, i) => i % 2 === 0);
      const times = (await fieldTimes(read.port, read.key, names)).map(asNumber);
      names.forEach((name, i) => {
        const number = numberOf([...inTurn([name]), page[2 * i + 1] ?? name]);
        const time = times[i] ?? -1;
        if (time < 0) sum.add(number);
        else expiring.add({ name: name.toString('latin1'), number, expiry: time });
      });
    }
    return { ...sum.content, expiring: expiring.fields };
  },
  zset: sortedSetContent,
  stream: streamContent,
};

async function* pagesOf({ port, key, goOn }: LargeRead, command: string): AsyncGenerator<Buffer[], void, undefined> {
  for (let cursor = '0'; ;) {
    goOn();
    const [next, values] = asList(await port.call(command, key, cursor, 'COUNT', String(PARTS)));
    yield asList(values).map(asBytes);
    cursor = asBytes(next).toString('latin1');
    if (cursor === '0') return;
  }
}

async function streamContent(read: LargeRead): Promise<Content> {
  const { port, key, goOn } = read;
  const info = await readStreamInfo(port, key);
  const entries = new Windows(PARTS, 1);
  await throughStream(read, ['XRANGE', key], ['COUNT'], (id, [values]) => {
    entries.add(entryPieces(id, asList(values).map(asBytes)));
  });
  const groups = [...info.groups].sort((one, other) => one.name.compare(other.name));
  const told: Pick<StreamGroup, 'name' | 'lastDelivered' | 'consumers'>[] = [];
  const pending: (readonly string[])[] = [];
  for (const { name, lastDelivered } of groups) {
    goOn();
    const consumers = asList(await port.call('XINFO', 'CONSUMERS', key, name)).map((reply) => {
      const fields = asFields(reply);
      return { name: asBytes(fields.get('name')), pending: asNumber(fields.get('pending')) };
    });
    told.push({ name, lastDelivered, consumers: consumers.sort((one, other) => one.name.compare(other.name)) });
    const windows = new Windows(PARTS, 1);
    await throughStream(read, ['XPENDING', key, name], [], (id, [consumer, , times]) => {
      windows.add(pendingPieces(id, asBytes(consumer), asNumber(times)));
    });
    pending.push(windows.end());
  }
  return { length: info.length, print: streamPrint(formatId(info.lastId), told, entries.end(), pending) };
}

/** Goes through what a command tells of ids, page by page. @param each called with the id, and what is told of it */
async function throughStream(
  { port, goOn }: LargeRead,
  [name, ...of]: Command,
  counted: readonly string[],
  each: (id: Buffer, rest: readonly Reply[]) => void,
): Promise<void> {
  for (let from: StreamId | undefined = ZERO_ID; from !== undefined;) {
    goOn();
    const page = asList(await port.call(name, ...of, formatId(from), '+', ...counted, String(PARTS)));
    let last: Buffer | undefined;
    for (const one of page) {
      const [id, ...rest] = asList(one);
      last = asBytes(id);
      each(last, rest);
    }
    if (last === undefined) return;
    from = idAfter(parseId(last.toString('latin1')));
  }
}

interface Scored {
  readonly member: Buffer;
  readonly score: number;
}

/** Servers write them from the last member to the first: of each window the members are held until it is whole. */
async function sortedSetContent(read: LargeRead): Promise<Content> {
  const length = asNumber(await read.port.call('ZCARD', read.key));
  const prints: string[] = [];
  // The window behind the last full one is there, be it empty.
  let left = length % PARTS;
  let held: Scored[] = [];
  let bytes = 0;
  let before: Scored | undefined;
  const close = () => {
    const texts = held.reverse().flatMap(({ member, score }) => [member, Buffer.from(spelled(score))]);
    prints.push(sha1Of(inTurn(texts)));
    [held, left, bytes] = [[], PARTS, 0];
  };
  if (left === 0) close();
  let told = 0;
  for await (const page of pagesOf(read, 'ZSCAN')) {
    for (let i = 0; i + 1 < page.length; i += 2) {
      const [member, text] = [page[i] ?? Buffer.alloc(0), page[i + 1]?.toString('latin1') ?? ''];
      const now = { member, score: Number(text.replace('inf', 'Infinity')) };
      if (before !== undefined && !isBehind(before, now)) {
        throw new IncomparableError('its members stand in another order than servers write them');
      }
      before = now;
      held.push(now);
      bytes += sizeOfTexts([member]);
      if (bytes > MOST_HELD) throw new IncomparableError('its members are too long to be held until they are in order');
      told++;
      if (--left === 0) close();
    }
  }
  if (held.length > 0 || told !== length) throw new IncomparableError('it has another number of members than it says');
  return { length, print: printOfWindows('zset', prints.reverse()) };
}

function isBehind(one: Scored, other: Scored): boolean {
  return one.score === other.score ? one.member.compare(other.member) > 0 : one.score > other.score;
}
