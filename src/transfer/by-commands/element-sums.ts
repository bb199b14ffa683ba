import { sha1Of } from '../../basics/sha1';
import { asksOf, isRedisError } from '../../redis/errors';
import type { Command, RedisPort, Reply } from '../../redis/redis-port';
import { runScript, scripts } from '../../redis/scripts';
import { firstCount, nextCount } from './chunk-size';
import { guessOf, readInBudget } from './chunks';
import { KeyChanged, TemporaryLost } from './conditions';
import { lookSidesOf, type LookSide } from './look-sides';
import { asBytes, asList, asNumber, throwErrors } from './replies';
import { inTurn, sizeOfTexts } from './texts';
import type { BodyContext, Drift } from './types';

/** The types whose elements have no order of their own. */
export type Unordered = 'set' | 'hash' | 'zset';

/** What to add up, and where. `shift`: what to add to expiries of hash fields, ms; absent where these are left out. */
interface Walk extends LookSide {
  readonly type: Unordered;
  readonly shift: number | undefined;
  /** Elements to ask for at first. */
  readonly count: number;
  readonly chunkBytes: number;
  /** What a step by commands brings at first, about; bytes. */
  readonly guess: number;
  /** Called before every step; throws when the walk must end. */
  readonly goOn: () => Promise<void> | void;
}

/** What both sides add up to so far, and where their walks go on. */
export interface Look {
  readonly here: SumsSoFar;
  readonly there: SumsSoFar;
}

interface SumsSoFar extends Sums {
  /** Null at the end. */
  readonly next: string | null;
}

interface Sums {
  readonly elements: number;
  readonly bytes: number;
  readonly first: number;
  readonly second: number;
}

interface Step extends Sums {
  /** The key's type at this moment, "none" where it is gone. */
  readonly type: string;
  readonly next: string;
}

/** Elements that one call of the script looks at: about two milliseconds of the server's time. */
const MOST_BY_SCRIPT = 500;
/** 2^52: sums of two numbers below are exact. */
const SPACE = 2 ** 52;
const none: Sums = { elements: 0, bytes: 0, first: 0, second: 0 };
const atStart: SumsSoFar = { ...none, next: '0' };

/**
 * Whether the key as built has the same elements as the source now: then there was a moment, after all had been read, at which
 * the source was what was built. Both are added up at the same time, whatever happened in between; a server that gives an
 * element twice, because it resizes a table meanwhile, makes them differ.
 * @param kept how far an earlier look at the same copy got
 * @param reached told after every step; throws when the look must end
 * @param mustBeWhole throws TemporaryLost where the copy lacks elements of a source that nobody wrote to
 */
export async function lookAtElements(
  context: BodyContext,
  type: Unordered,
  fieldExpiries: boolean,
  kept: Look | undefined,
  reached: (look: Look) => void,
  mustBeWhole: () => Promise<void>,
): Promise<Drift> {
  const { source, sourceKey, temporary, options, memory } = context;
  let ended = false;
  const goOn = async () => {
    if (ended) throw new Error('The other side has ended.');
    await temporary.keep();
  };
  const { chunkBytes, clockOffsetMs } = options;
  let look = kept ?? { here: atStart, there: atStart };
  const at = (part: Partial<Look>) => {
    if (ended) return;
    look = { ...look, ...part };
    reached(look);
  };
  const shiftOf = (ms: number) => (fieldExpiries ? Math.round(ms) : undefined);
  try {
    if (await context.untouched()) {
      await mustBeWhole();
      return 'same';
    }
    const count = await countFor(source, sourceKey, type, memory, chunkBytes);
    const walk = { type, count, chunkBytes, guess: guessOf(context), goOn };
    const sides = lookSidesOf(context);
    const [here, there] = await Promise.all([
      sumsOf(
        { ...walk, ...sides.source, shift: shiftOf(clockOffsetMs) },
        look.here,
        (here) => {
          at({ here });
        },
        (now) => new KeyChanged(`the key became a ${now} while it was read`),
      ),
      sumsOf(
        { ...walk, ...sides.copy, shift: shiftOf(0) },
        look.there,
        (there) => {
          at({ there });
        },
        () => new TemporaryLost('the temporary key was lost before it was finished'),
      ),
    ]);
    const isSame = here.elements === there.elements && here.first === there.first && here.second === there.second;
    return isSame ? 'same' : 'drifted';
  } catch (error) {
    if (asksOf(error) === 'stop') return 'unproven';
    throw error;
  } finally {
    ended = true;
  }
}

async function countFor(
  source: RedisPort,
  key: Buffer,
  type: Unordered,
  memory: number | undefined,
  chunkBytes: number,
): Promise<number> {
  if (memory === undefined || memory <= chunkBytes) return firstCount(memory, undefined, chunkBytes);
  const [length] = await source.pipeline([[{ set: 'SCARD', hash: 'HLEN', zset: 'ZCARD' }[type], key]]);
  return firstCount(memory, typeof length === 'number' ? length : undefined, chunkBytes);
}

/** The sums over a whole key, from where an earlier walk got. `changed` makes the error for a key that is of another type than asked for. */
async function sumsOf(
  walk: Walk,
  from: SumsSoFar,
  reached: (sums: SumsSoFar) => void,
  changed: (type: string) => Error,
): Promise<Sums> {
  const read = walk.script ? stepByScript : stepByCommands;
  const most = walk.script ? MOST_BY_SCRIPT : Infinity;
  let count = Math.min(most, walk.count);
  let sums = from;
  let { guess } = walk;
  while (sums.next !== null) {
    await walk.goOn();
    const step = await read({ ...walk, guess }, sums.next, count);
    guess = Math.max(guess, step.bytes);
    if (step.type !== walk.type) throw changed(step.type);
    sums = { ...plus(sums, step), next: step.next === '0' ? null : step.next };
    reached(sums);
    count = Math.min(most, nextCount(count, step.elements, step.bytes, walk.chunkBytes));
  }
  return sums;
}

function plus(one: Sums, other: Sums): Sums {
  return {
    elements: one.elements + other.elements,
    bytes: one.bytes + other.bytes,
    first: (one.first + other.first) % SPACE,
    second: (one.second + other.second) % SPACE,
  };
}

async function stepByScript({ port, key, type, shift }: Walk, cursor: string, count: number): Promise<Step> {
  const args = [type, cursor, String(count), shift === undefined ? '' : String(shift)];
  const [, now, next, elements, bytes, first, second] = asList(await runScript(port, scripts.elementSums, [key], args));
  return {
    type: text(now),
    next: text(next),
    elements: asNumber(elements),
    bytes: asNumber(bytes),
    first: asNumber(first),
    second: asNumber(second),
  };
}

const SCANS = { set: 'SSCAN', hash: 'HSCAN', zset: 'ZSCAN' } as const;

/** The same sums as element-sums.lua makes, from elements that are read: where scripts are not allowed. */
async function stepByCommands(walk: Walk, cursor: string, count: number): Promise<Step> {
  const { port, key, type, budget, guess } = walk;
  return await readInBudget(
    budget,
    guess,
    () =>
      port.pipeline([
        ['TYPE', key],
        [SCANS[type], key, cursor, 'COUNT', String(count)],
      ]),
    ([, reply]) => (Array.isArray(reply) ? sizeOfTexts(asList(reply[1]).map(asBytes)) : 0),
    async ([now, reply]): Promise<Step> => {
      if (isRedisError(reply, 'wrongType')) return { ...none, type: 'another', next: '0' };
      const [kind, page] = throwErrors([now ?? null, reply ?? null]);
      if (text(kind) !== type) return { ...none, type: text(kind), next: '0' };
      const [next, values] = asList(page);
      const flat = asList(values).map(asBytes);
      const sums = (await textsOf(walk, flat)).map(numbersOf).reduce(plus, none);
      return { ...sums, type, next: text(next), bytes: sizeOfTexts(flat) };
    },
  );
}

/** What stands for each element of a page, in pieces. */
async function textsOf(
  { port, key, type, shift }: Pick<Walk, 'port' | 'key' | 'type' | 'shift'>,
  flat: readonly Buffer[],
): Promise<(readonly Buffer[])[]> {
  if (type === 'set') return flat.map((member) => [member]);
  const pairs = Array.from({ length: flat.length / 2 }, (_, at) => flat.slice(2 * at, 2 * at + 2) as [Buffer, Buffer]);
  if (type === 'zset') {
    return pairs.map(([member, score]) => inTurn([member, Buffer.from(exactly(score.toString('latin1')))]));
  }
  const times = shift === undefined ? [] : await expiriesOf(port, key, pairs);
  return pairs.flatMap(([name, value], at) => {
    const time = times[at] ?? -1;
    const ends = time > 0 ? String(time + (shift ?? 0)) : '';
    return time === -2 ? [] : [inTurn([name, value, Buffer.from(ends)])];
  });
}

async function expiriesOf(
  port: RedisPort,
  key: Buffer,
  pairs: readonly (readonly [Buffer, Buffer])[],
): Promise<number[]> {
  if (pairs.length === 0) return [];
  const names = pairs.map(([name]) => name);
  const [reply] = throwErrors(
    await port.pipeline([['HPEXPIRETIME', key, 'FIELDS', String(names.length), ...names] satisfies Command]),
  );
  return asList(reply).map(asNumber);
}

function numbersOf(element: readonly Buffer[]): Sums {
  const digest = sha1Of(element);
  const [first, second] = [digest.slice(0, 13), digest.slice(13, 26)].map((part) => Number.parseInt(part, 16));
  return { elements: 1, bytes: 0, first: first ?? 0, second: second ?? 0 };
}

/** A score in whole numbers, exact: servers and languages spell the same double differently. As element-sums.lua does it. */
export function exactly(score: string): string {
  const number = Number(score.replace('inf', 'Infinity'));
  if (number === 0) return '0';
  if (!Number.isFinite(number)) return number > 0 ? 'inf' : '-inf';
  const [mantissa, exponent] = frexp(number);
  return `${String(mantissa * 2 ** 53)}:${exponent}`;
}

/** C's frexp: the number is mantissa * 2^exponent, the mantissa's size from a half to below one. */
function frexp(number: number): [mantissa: number, exponent: number] {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, number);
  const biased = (bits.getUint16(0) >> 4) & 0x7ff;
  if (biased === 0) {
    // Below the smallest normal number.
    const [mantissa, exponent] = frexp(number * 2 ** 64);
    return [mantissa, exponent - 64];
  }
  bits.setUint16(0, (bits.getUint16(0) & 0x800f) | (1022 << 4));
  return [bits.getFloat64(0), biased - 1022];
}

function text(reply: Reply | undefined): string {
  return asBytes(reply).toString('latin1');
}
