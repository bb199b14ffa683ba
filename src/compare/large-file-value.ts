import { z } from 'zod';
import { sha1Of } from '../basics/sha1';
import { unitsOf } from '../payload/value-units';
import { isStream } from '../payload/stream';
import type { StreamGroup } from '../payload/stream-content';
import type { RedisPort, Reply } from '../redis/redis-port';
import { formatId, idAfter, parseId, ZERO_ID, type StreamId } from '../payload/stream-id';
import { readStreamInfo } from '../transfer/by-commands/stream/stream-info';
import { PENDING_BYTES } from '../transfer/file-stream/groups';
import { fieldTimes } from '../transfer/by-commands/hash';
import { asBytes, asFields, asList, asNumber } from '../transfer/by-commands/replies';
import { inTurn, sizeOfTexts, TextsDigest } from '../transfer/by-commands/texts';
import { numberOf, PARTS, spelled, TEXT } from './command-windows';
import {
  entryPieces,
  type ExpiringField,
  MOST_EXPIRING_BYTES,
  MostExpiring,
  pendingPieces,
  streamFactsPrint,
  valueOf,
  type Content,
  type KnownValue,
} from './known-value';
import { NO_WINDOWS, printOfChain, SPACE, withWindow } from './value-prints';

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

/** Where it is kept how far the reading of a value got, in plain data. */
export interface ReadingNotes {
  get(): unknown;
  set(note: unknown): void;
}

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
  /** What a reading before got to is gone on from. */
  readonly notes?: ReadingNotes | undefined;
}

/** Not more often is it noted how far a reading got, ms. */
const NOTED_MS = 500;
/** What a note may have of prints and of fields: beyond that there is none, and the value is read again from its beginning. */
const MOST_NOTED_PRINTS = 5_000;
const MOST_NOTED_FIELDS = 1_000;

const noteSchema = z.object({
  type: z.string(),
  at: z.string().nullable(),
  count: z.int().min(0),
  chain: z.string(),
  sum: z.int().min(0).max(SPACE),
  prints: z.array(z.string()).max(MOST_NOTED_PRINTS),
  expiring: z.array(z.tuple([z.string(), z.number(), z.number()])).max(MOST_NOTED_FIELDS),
});

/** How far a reading got. It stands between two windows, or two pages of what has no order. */
class Reading {
  /** Where it goes on, as the type has it; null behind the end. */
  at: string | null = '';
  /** Elements up to there, or bytes of a string. */
  count = 0;
  /** What stands for the windows up to there, of what has an order. */
  chain = NO_WINDOWS;
  /** Of what has none. */
  sum = 0;
  /** Of windows that stand from the last to the first. */
  readonly prints: string[] = [];
  readonly expiring = new MostExpiring(() => {
    throw new IncomparableError('more of its fields expire than can be kept in mind');
  });

  constructor(readonly type: string) {}

  /** What cannot be read is none. */
  static from(noted: unknown, type: string): Reading {
    const reading = new Reading(type);
    const { data } = noteSchema.safeParse(noted);
    if (data?.type !== type) return reading;
    const { at, count, chain, sum, prints, expiring } = data;
    Object.assign(reading, { at, count, chain, sum });
    reading.prints.push(...prints);
    for (const [name, number, expiry] of expiring) reading.expiring.add({ name, number, expiry });
    return reading;
  }

  note(): z.infer<typeof noteSchema> | undefined {
    const { type, at, count, chain, sum, prints, expiring } = this;
    if (prints.length > MOST_NOTED_PRINTS || expiring.fields.length > MOST_NOTED_FIELDS) return undefined;
    const fields = expiring.fields.map(({ name, number, expiry }): [string, number, number] => [name, number, expiry]);
    return { type, at, count, chain, sum, prints: [...prints], expiring: fields };
  }

  window(print: string): void {
    this.chain = withWindow(this.chain, print);
  }

  get content(): Content {
    const { type, count, chain, sum, prints, expiring } = this;
    const length = count - expiring.fields.length;
    const fields: { readonly expiring?: readonly ExpiringField[] } =
      type === 'hash' ? { expiring: expiring.fields } : {};
    if (type === 'set' || type === 'hash') {
      return { length, print: { type: '', print: `${sum.toFixed(0)} `, expiringFields: 0 }, ...fields };
    }
    const all =
      type === 'zset' ? prints.toReversed().reduce((before, print) => withWindow(before, print), chain) : chain;
    return { length: count, print: printOfChain(type, all) };
  }
}

/**
 * The same as `knownValue`, of a value that is read in pieces, forward, and once: where that takes more than one attempt, each goes on
 * where the one before was.
 * @throws IncomparableError, FileError, what `goOn` throws
 */
export async function largeValue(read: LargeRead): Promise<KnownValue> {
  const { type, notes } = read;
  const begin = Object.hasOwn(STEPS, type) ? STEPS[type] : undefined;
  if (begin === undefined) throw new IncomparableError(`values of type ${type} are compared only whole`);
  const reading = Reading.from(notes?.get(), type);
  const note = () => {
    const told = notes && reading.note();
    if (told !== undefined) notes?.set(told);
  };
  let notedAt = performance.now();
  const step = begin(read, reading);
  while (reading.at !== null) {
    read.goOn();
    reading.at = await step(reading.at);
    if (performance.now() - notedAt < NOTED_MS) continue;
    note();
    notedAt = performance.now();
  }
  note();
  return valueOf(type, reading.content, read.expiry, read.now);
}

/** Reads on by a window, or a page. @param at where; "" at the beginning @returns where that ends; null behind the end */
type Step = (at: string) => Promise<string | null>;

const STEPS: Readonly<Record<string, (read: LargeRead, reading: Reading) => Step>> = {
  string: ({ port, key }, reading) => {
    return async (at) => {
      const start = Number(at);
      const piece = asBytes(await port.call('GETRANGE', key, String(start), String(start + TEXT - 1)));
      reading.window(sha1Of([piece]));
      reading.count += piece.length;
      return piece.length < TEXT ? null : String(start + TEXT);
    };
  },
  list: ({ port, key, goOn }, reading) => {
    return async (at) => {
      const start = Number(at);
      const digest = new TextsDigest();
      let read = 0;
      while (read < PARTS) {
        goOn();
        const [first, last] = [start + read, start + PARTS - 1];
        const items = asList(await port.call('LRANGE', key, String(first), String(last))).map(asBytes);
        if (items.length === 0) break;
        for (const item of items) digest.add(inTurn([item]));
        read += items.length;
      }
      reading.window(digest.hex());
      reading.count += read;
      return read < PARTS ? null : String(start + PARTS);
    };
  },
  set: (read, reading) => {
    return async (at) => {
      const { next, values } = await pageOf(read, 'SSCAN', at, PARTS);
      for (const member of values) add(reading, numberOf([member]));
      return next;
    };
  },
  hash: (read, reading) => {
    return async (at) => {
      const { next, values } = await pageOf(read, 'HSCAN', at, PARTS);
      const names = values.filter((_, i) => i % 2 === 0);
      const times = (await fieldTimes(read.port, read.key, names)).map(asNumber);
      names.forEach((name, i) => {
        const number = numberOf([...inTurn([name]), values[2 * i + 1] ?? name]);
        const time = times[i] ?? -1;
        if (time < 0) add(reading, number);
        else {
          reading.count++;
          reading.expiring.add({ name: name.toString('latin1'), number, expiry: time });
        }
      });
      return next;
    };
  },
  zset: sortedSetSteps,
  stream: streamSteps,
};

function add(reading: Reading, number: number): void {
  reading.sum = (reading.sum + number) % SPACE;
  reading.count++;
}

/** A page of what SCAN commands give, up to `count` elements of it. @param at a cursor; "" at the beginning */
async function pageOf(
  { port, key }: LargeRead,
  command: string,
  at: string,
  count: number,
): Promise<{ readonly next: string | null; readonly values: readonly Buffer[] }> {
  const reply = await port.call(command, key, at === '' ? '0' : at, 'COUNT', String(count));
  const [next, values] = asList(reply);
  const cursor = asBytes(next).toString('latin1');
  return { next: cursor === '0' ? null : cursor, values: asList(values).map(asBytes) };
}

type ToldGroup = Pick<StreamGroup, 'name' | 'lastDelivered' | 'consumers'>;

/** The facts (""); windows of entries, the first ("e") and those behind an id ("e1-1"); windows of what is pending in each group ("p0:", "p0:1-1"). */
function streamSteps(read: LargeRead, reading: Reading): Step {
  const { key } = read;
  let told: { readonly lastId: string; readonly length: number; readonly groups: readonly ToldGroup[] } | undefined;
  const facts = async () => (told ??= await streamFacts(read));
  return async (at) => {
    const { lastId, length, groups } = await facts();
    const afterGroup = (group: number): string | null => {
      if (group + 1 < groups.length) return `p${group + 1}:`;
      reading.window('');
      return null;
    };
    const part = at[0];
    if (part === undefined) {
      reading.count = length;
      reading.window(streamFactsPrint(lastId, groups));
      return 'e';
    }
    const behind = part === 'e' ? at.slice(1) : at.slice(at.indexOf(':') + 1);
    if (part === 'e') {
      const window = await idWindow(read, ['XRANGE', key], ['COUNT'], behind, (id, [values], digest) => {
        digest.add(entryPieces(id, asList(values).map(asBytes)));
      });
      reading.window(window.print);
      if (window.next !== undefined) return `e${window.next}`;
      return afterGroup(-1);
    }
    const number = Number(at.slice(1, at.indexOf(':')));
    const name = groups[number]?.name ?? Buffer.alloc(0);
    const window = await idWindow(read, ['XPENDING', key, name], [], behind, (id, [consumer, , times], digest) => {
      digest.add(pendingPieces(id, asBytes(consumer), asNumber(times)));
    });
    reading.window(window.print);
    return window.next === undefined ? afterGroup(number) : `p${number}:${window.next}`;
  };
}

async function streamFacts({ port, key, goOn }: LargeRead) {
  const info = await readStreamInfo(port, key);
  const named = [...info.groups].sort((one, other) => one.name.compare(other.name));
  const groups: ToldGroup[] = [];
  for (const { name, lastDelivered } of named) {
    goOn();
    const consumers = asList(await port.call('XINFO', 'CONSUMERS', key, name)).map((reply) => {
      const fields = asFields(reply);
      return { name: asBytes(fields.get('name')), pending: asNumber(fields.get('pending')) };
    });
    groups.push({ name, lastDelivered, consumers: consumers.sort((one, other) => one.name.compare(other.name)) });
  }
  return { lastId: formatId(info.lastId), length: info.length, groups };
}

/**
 * A window of what a command tells of ids: the first has one more than the others, which begin with the last of the one before on servers.
 * @param behind the last id of the window before; "" where there is none
 * @returns the last id, where another window follows
 */
async function idWindow(
  { port, goOn }: LargeRead,
  [name, ...of]: readonly [string, ...Buffer[]],
  counted: readonly string[],
  behind: string,
  each: (id: Buffer, rest: readonly Reply[], digest: TextsDigest) => void,
): Promise<{ readonly print: string; readonly next: string | undefined }> {
  const digest = new TextsDigest();
  const room = behind === '' ? PARTS + 1 : PARTS;
  let last = behind;
  let read = 0;
  for (let from = nextOf(last); from !== undefined && read < room; from = nextOf(last)) {
    goOn();
    const page = asList(await port.call(name, ...of, formatId(from), '+', ...counted, String(room - read)));
    if (page.length === 0) break;
    for (const one of page) {
      const [id, ...rest] = asList(one);
      each(asBytes(id), rest, digest);
      last = asBytes(id).toString('latin1');
    }
    read += page.length;
  }
  return { print: digest.hex(), next: read < PARTS ? undefined : last };
}

function nextOf(id: string): StreamId | undefined {
  return id === '' ? ZERO_ID : idAfter(parseId(id));
}

interface Scored {
  readonly member: Buffer;
  readonly score: number;
}

/** Servers write them from the last member to the first: of each window the members are held until it is whole. */
function sortedSetSteps(read: LargeRead, reading: Reading): Step {
  let length: number | undefined;
  let before: Scored | undefined;
  return async (at) => {
    length ??= asNumber(await read.port.call('ZCARD', read.key));
    // The window behind the last full one is there, be it empty: it comes first.
    const size = at === '' ? length % PARTS : PARTS;
    const held: Scored[] = [];
    let bytes = 0;
    let cursor: string | null = at.slice(1);
    while (held.length < size) {
      read.goOn();
      if (cursor === null) throw new IncomparableError('it has another number of members than it says');
      const { next, values }: Awaited<ReturnType<typeof pageOf>> = await pageOf(
        read,
        'ZSCAN',
        cursor,
        size - held.length,
      );
      for (let i = 0; i + 1 < values.length; i += 2) {
        const [member, text] = [values[i] ?? Buffer.alloc(0), values[i + 1]?.toString('latin1') ?? ''];
        const now = { member, score: Number(text.replace('inf', 'Infinity')) };
        if (before !== undefined && !isBehind(before, now)) {
          throw new IncomparableError('its members stand in another order than servers write them');
        }
        before = now;
        held.push(now);
        bytes += sizeOfTexts([member]);
        if (bytes > MOST_HELD)
          throw new IncomparableError('its members are too long to be held until they are in order');
      }
      cursor = next;
    }
    const texts = held.reverse().flatMap(({ member, score }) => [member, Buffer.from(spelled(score))]);
    reading.prints.push(sha1Of(inTurn(texts)));
    reading.count += held.length;
    if (reading.count > length || (cursor === null) !== (reading.count === length)) {
      throw new IncomparableError('it has another number of members than it says');
    }
    return cursor === null ? null : `z${cursor}`;
  };
}

function isBehind(one: Scored, other: Scored): boolean {
  return one.score === other.score ? one.member.compare(other.member) > 0 : one.score > other.score;
}
