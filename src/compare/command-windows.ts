import { sha1Of } from '../basics/sha1';
import { isRedisError, isTooLong, type RedisError } from '../redis/errors';
import type { Command, RedisPort, Reply } from '../redis/redis-port';
import type { ChunkBudget } from '../transfer/by-commands';
import { firstCount, nextCount } from '../transfer/by-commands/chunk-size';
import { readInBudget } from '../transfer/by-commands/chunks';
import { asBytes, asFields, asList, asNumber, isKeyGone, throwErrors } from '../transfer/by-commands/replies';
import { readingPort, type Side } from '../transfer/side';
import { asOneText, inTurn, sizeOfTexts, TextsDigest } from '../transfer/by-commands/texts';
import { dumpedWindow, MOST_DUMPED, printOfPayload, undumpedWindow } from './dumped-values';
import { SPACE, type ValueWindow, type WindowReader } from './value-prints';

/** As in fingerprint-values.lua: both must cut ordered values into the same windows. */
export const TEXT = 262_144;
export const PARTS = 512;
/** What is read of a window at once, about: bytes. A single element may be larger. Less where the server gives no more. */
const CHUNKS = [1_048_576, 65_536] as const;

type Window = Omit<ValueWindow, 'type'>;

/** One value, and how it is read. */
interface Value {
  readonly port: RedisPort;
  readonly key: Buffer;
  readonly budget: ChunkBudget | undefined;
  /** Elements to ask for at first. */
  readonly count: number;
  /** Bytes that come then, about. */
  readonly guess: number;
  /** Bytes that should come at once. */
  readonly chunk: number;
}

/** The same windows and fingerprints as fingerprint-values.lua makes, from values that are read: where scripts are not allowed. */
export function commandWindows({ port, careful }: Pick<Side, 'port' | 'careful'>, budget?: ChunkBudget): WindowReader {
  return async (keys, froms) => {
    const replies = await port.pipeline(
      keys.flatMap((key): Command[] => [
        ['TYPE', key],
        ['MEMORY', 'USAGE', key],
      ]),
    );
    return await Promise.all(
      keys.map(async (key, i) => {
        const [type] = throwErrors([replies[2 * i] ?? null]);
        const memory = replies[2 * i + 1];
        // A string comes in parts that every server gives.
        const reader = text(type) === 'string' ? port : readingPort({ port, careful });
        return await readWindow({ port: reader, key, budget }, text(type), froms[i] ?? '', memory);
      }),
    );
  };
}

async function readWindow(
  value: Pick<Value, 'port' | 'key' | 'budget'>,
  type: string,
  from: string,
  memory: Reply | Error | undefined,
): Promise<ValueWindow> {
  const reader = Object.hasOwn(readers, type) ? readers[type] : undefined;
  const bytes = typeof memory === 'number' ? memory : undefined;
  if (type === 'none') return { type, next: '', print: '', expiringFields: 0 };
  if (reader === undefined) return await readDumped(value, type, bytes);
  try {
    let refused: RedisError | undefined;
    for (const chunk of CHUNKS) {
      try {
        const size = await sizeOf(value, reader.length, bytes, chunk);
        return { type, ...(await reader.read({ ...value, ...size, chunk }, from)) };
      } catch (error) {
        if (!isTooLong(error)) throw error;
        refused = error;
      }
    }
    return {
      type,
      next: '',
      print: '',
      expiringFields: 0,
      unknown: `Its value cannot be compared: ${refused?.message ?? ''}`,
    };
  } catch (error) {
    // Deleted, or of another type, since it was asked for its type: looked at again later.
    if (isKeyGone(error)) {
      return { type: 'none', next: '', print: '', expiringFields: 0 };
    }
    throw error;
  }
}

/** Of a type that is none of Redis's own. */
async function readDumped(
  { port, key, budget }: Pick<Value, 'port' | 'key' | 'budget'>,
  type: string,
  bytes: number | undefined,
): Promise<ValueWindow> {
  if (bytes !== undefined && bytes > MOST_DUMPED) return undumpedWindow(type, '');
  try {
    return await readInBudget(
      budget,
      bytes ?? TEXT,
      () => port.call('DUMP', key),
      (payload) => (Buffer.isBuffer(payload) ? payload.length : 0),
      (payload) =>
        Buffer.isBuffer(payload) ? dumpedWindow(type, printOfPayload(payload)) : undumpedWindow(type, 'nothing'),
    );
  } catch (error) {
    if (!isTooLong(error) && !isRedisError(error, 'noRight', 'unknownCommand')) throw error;
    return undumpedWindow(type, error.message);
  }
}

/** How much of a value is read at once, from what MEMORY USAGE says of it, where it is allowed. */
async function sizeOf(
  { port, key }: Pick<Value, 'port' | 'key'>,
  lengthBy: string,
  memory: number | undefined,
  chunk: number,
): Promise<Pick<Value, 'count' | 'guess'>> {
  if (memory === undefined || memory <= chunk) {
    return { count: firstCount(memory, undefined, chunk), guess: Math.min(memory ?? TEXT, chunk) };
  }
  const length = Math.max(1, asNumber(await port.call(lengthBy, key)));
  const count = Math.min(PARTS, firstCount(memory, length, chunk));
  return { count, guess: Math.min(memory, Math.max(chunk, count * (memory / length))) };
}

interface Reader {
  /** The command that tells how many elements there are. */
  readonly length: string;
  readonly read: (value: Value, from: string) => Promise<Window>;
}

const readers: Readonly<Record<string, Reader>> = {
  string: {
    length: 'STRLEN',
    read: async ({ port, key, budget }, from) => {
      const start = Number(from);
      const read = async () => asBytes(await port.call('GETRANGE', key, String(start), String(start + TEXT - 1)));
      const { length, print } = await readInBudget(
        budget,
        TEXT,
        read,
        (part) => part.length,
        (part) => ({ length: part.length, print: sha1Of([part]) }),
      );
      return ordered(length === TEXT ? String(start + TEXT) : '', print);
    },
  },
  list: {
    length: 'LLEN',
    read: (value, from) =>
      byIndex(
        value,
        from,
        (first, last) => [['LRANGE', value.key, first, last], 1],
        (items) => items,
      ),
  },
  zset: {
    length: 'ZCARD',
    read: (value, from) =>
      byIndex(
        value,
        from,
        (first, last) => [['ZRANGE', value.key, first, last, 'WITHSCORES'], 2],
        (flat) => flat.map((part, i) => (i % 2 === 0 ? part : Buffer.from(spelled(Number(infinite(text(part))))))),
      ),
  },
  set: {
    length: 'SCARD',
    read: (value, from) =>
      byCursor(value, 'SSCAN', from, (members) => ({ texts: members.map((each) => [each]), names: [] })),
  },
  hash: {
    length: 'HLEN',
    read: (value, from) =>
      byCursor(value, 'HSCAN', from, (flat) => {
        const names = flat.filter((_, i) => i % 2 === 0);
        const texts = names.map((name, i) => [...inTurn([name]), flat[2 * i + 1] ?? name]);
        return { texts, names };
      }),
  },
  stream: {
    length: 'XLEN',
    read: async (value, from) => {
      const { port, key } = value;
      if (from === '') return ordered('e', sha1Of(inTurn(await streamFacts(port, key))));
      const rest = from.slice(1);
      return from.startsWith('e') ? await entries(value, rest) : await pending(port, key, rest);
    },
  },
};

/** A window of 512 elements in their order, read bit by bit. */
async function byIndex(
  { port, budget, chunk, ...first }: Value,
  from: string,
  ask: (first: string, last: string) => readonly [command: Command, width: number],
  textsOf: (flat: readonly Buffer[]) => readonly Buffer[],
): Promise<Window> {
  const start = Number(from);
  const digest = new TextsDigest();
  let { count, guess } = first;
  let read = 0;
  while (read < PARTS) {
    const asked = Math.min(count, PARTS - read);
    const [command, width] = ask(String(start + read), String(start + read + asked - 1));
    const { elements, bytes } = await readInBudget(
      budget,
      guess,
      async () => buffers(await port.call(...command)),
      sizeOfTexts,
      (flat) => {
        digest.add(inTurn(textsOf(flat)));
        return { elements: flat.length / width, bytes: sizeOfTexts(flat) };
      },
    );
    read += elements;
    if (elements < asked) break;
    guess = Math.max(guess, bytes);
    count = nextCount(count, elements, bytes, chunk);
  }
  return ordered(read === PARTS ? String(start + PARTS) : '', digest.hex());
}

/** Steps of a cursor, to some 512 elements. Numbers of unordered elements are added up: it does not matter where a window ends. */
async function byCursor(
  { port, key, budget, chunk, ...first }: Value,
  command: 'SSCAN' | 'HSCAN',
  from: string,
  split: (flat: readonly Buffer[]) => {
    readonly texts: readonly (readonly Buffer[])[];
    readonly names: readonly Buffer[];
  },
): Promise<Window> {
  let [next, sum, expiringFields, read] = [from === '' ? '0' : from, 0, 0, 0];
  let { count, guess } = first;
  do {
    const most = String(Math.min(count, PARTS));
    const asked: Command = [command, key, next, 'COUNT', most];
    const step = await readInBudget(
      budget,
      guess,
      async () => {
        const [cursor, values] = asList(await port.call(...asked));
        return { cursor: text(cursor), flat: buffers(values) };
      },
      ({ flat }) => sizeOfTexts(flat),
      async ({ cursor, flat }) => {
        const { texts, names } = split(flat);
        const fields = await expiring(port, key, names);
        return { cursor, numbers: texts.map(numberOf), fields, bytes: sizeOfTexts(flat) };
      },
    );
    sum = step.numbers.reduce((total, number) => (total + number) % SPACE, sum);
    expiringFields += step.fields;
    read += step.numbers.length;
    next = step.cursor;
    guess = Math.max(guess, step.bytes);
    count = nextCount(count, step.numbers.length, step.bytes, chunk);
  } while (next !== '0' && read < PARTS);
  return { next: next === '0' ? '' : next, print: sum.toFixed(0), expiringFields };
}

async function streamFacts(port: RedisPort, key: Buffer): Promise<Buffer[]> {
  const [stream, groups] = throwErrors(
    await port.pipeline([
      ['XINFO', 'STREAM', key],
      ['XINFO', 'GROUPS', key],
    ]),
  );
  const facts = [asBytes(asFields(stream).get('last-generated-id'))];
  for (const group of asList(groups).map(asFields)) {
    const name = asBytes(group.get('name'));
    facts.push(Buffer.from('group'), name, asBytes(group.get('last-delivered-id')));
    for (const consumer of asList(await port.call('XINFO', 'CONSUMERS', key, name)).map(asFields)) {
      facts.push(asBytes(consumer.get('name')), Buffer.from(String(consumer.get('pending'))));
    }
  }
  return facts;
}

/** A window of entries behind an id, read bit by bit: as many as fingerprint-values.lua takes with one call. */
async function entries({ port, key, budget, chunk, ...first }: Value, from: string): Promise<Window> {
  const digest = new TextsDigest();
  let { count, guess } = first;
  let last = from;
  let told = 0;
  // The first one asked for is the last one of the window before, if it is there still.
  for (let left = PARTS + 1; left > 0;) {
    const isFirst = left === PARTS + 1;
    const overlap = isFirst ? 0 : 1;
    const asked = Math.min(count, left);
    const command: Command = ['XRANGE', key, last === '' ? '-' : last, '+', 'COUNT', String(asked + overlap)];
    const { came, repeated, bytes, through } = await readInBudget(
      budget,
      guess,
      async () => asList(await port.call(...command)).map((entry) => asList(entry)),
      sizeOfEntries,
      (parts) => {
        const fresh = after(parts, last);
        for (const [id, fields] of fresh) digest.add([...inTurn([asBytes(id)]), ...asOneText(buffers(fields))]);
        return {
          came: parts.length,
          repeated: parts.length - fresh.length,
          bytes: sizeOfEntries(parts),
          through: fresh.length === 0 ? last : text(fresh.at(-1)?.[0]),
        };
      },
    );
    told += came - repeated;
    left -= isFirst ? came : came - repeated;
    last = through;
    if (came < asked + overlap) break;
    guess = Math.max(guess, bytes);
    count = nextCount(count, came, bytes, chunk);
  }
  return ordered(told < PARTS ? 'p1:' : `e${last}`, digest.hex());
}

function sizeOfEntries(parts: readonly Reply[][]): number {
  return parts.reduce((sum, [, fields]) => sum + sizeOfTexts(buffers(fields)), 0);
}

async function pending(port: RedisPort, key: Buffer, rest: string): Promise<Window> {
  const colon = rest.indexOf(':');
  const [number, id] = [Number(rest.slice(0, colon)), rest.slice(colon + 1)];
  const group = asList(await port.call('XINFO', 'GROUPS', key))[number - 1];
  if (group === undefined) return ordered('', '');
  const name = asBytes(asFields(group).get('name'));
  const reply = await port.call('XPENDING', key, name, id === '' ? '-' : id, '+', String(PARTS + 1));
  const found = after(asList(reply), id);
  const texts = found.flatMap(([entry, owner, , times]) =>
    asOneText([asBytes(entry), asBytes(owner), Buffer.from(String(times))]),
  );
  const next = found.length < PARTS ? `p${number + 1}:` : `p${number}:${text(found.at(-1)?.[0])}`;
  return ordered(next, sha1Of(texts));
}

/** Redis 6.0 has no exclusive ranges: a window after the first begins with the last part of the one before. */
function after(parts: readonly Reply[], id: string): Reply[][] {
  const lists = parts.map(asList);
  return id !== '' && text(lists[0]?.[0]) === id ? lists.slice(1) : lists;
}

async function expiring(port: RedisPort, key: Buffer, names: readonly Buffer[]): Promise<number> {
  if (names.length === 0) return 0;
  const [reply] = await port.pipeline([['HPEXPIRETIME', key, 'FIELDS', String(names.length), ...names]]);
  // A server that knows no expiries of fields does not know the command. What else it refuses is no answer.
  if (isRedisError(reply) && reply.kind !== 'unknownCommand' && (reply.asks === 'stop' || isTooLong(reply)))
    throw reply;
  return Array.isArray(reply) ? reply.filter((time) => typeof time === 'number' && time > 0).length : 0;
}

function ordered(next: string, print: string): Window {
  return { next, print, expiringFields: 0 };
}

/** One part of an unordered value as a number. */
export function numberOf(pieces: readonly Buffer[]): number {
  return Number.parseInt(sha1Of(pieces).slice(0, 13), 16);
}

function infinite(score: string): string {
  return score.replace('inf', 'Infinity');
}

/** A score as C's "%.17g" spells it. */
export function spelled(score: number): string {
  if (score === 0) return '0';
  if (!Number.isFinite(score)) return score > 0 ? 'inf' : '-inf';
  const [digits = '', exponentText = '0'] = score.toExponential(16).split('e');
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < 17) return trimmed(score.toFixed(Math.max(0, 16 - exponent)));
  const sign = exponent < 0 ? '-' : '+';
  return `${trimmed(digits)}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

function trimmed(digits: string): string {
  return digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits;
}

function buffers(reply: Reply | undefined): Buffer[] {
  return asList(reply).map(asBytes);
}

function text(reply: Reply | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString('latin1') : String(reply);
}
