import { setTimeout as sleep } from 'node:timers/promises';
import type { KeyFinding } from '../migration/rows';
import { writeKeyHead, type KeyUse } from '../payload/file-records';
import { NOTHING_LOST } from '../payload/reencode';
import { Output } from '../payload/output';
import { writeBytes } from '../payload/rdb-string';
import { scoreOfText } from '../payload/score';
import * as types from '../payload/value-types';
import type { RedisPort } from '../redis/redis-port';
import { hasFieldExpiry, type Abilities } from './by-commands/abilities';
import { CarefulCount, firstCount } from './by-commands/chunk-size';
import { KeyChanged } from './by-commands/conditions';
import { readExpiry } from './by-commands/expiry';
import { fieldTimes } from './by-commands/hash';
import { asBytes, asList, asNumber, isKeyGone, readSource } from './by-commands/replies';
import { sizeOfTexts } from './by-commands/texts';
import { findingsOfLost } from './lost-words';
import type { Block } from './piece-writer';
import { InexactError, writeStream } from './stream-in-pieces';
import { UnorderedSum } from './unordered-sum';

/** Pauses before the second and third attempt at a key that is being written to. */
const PAUSES_MS = [50, 250];

/** How a key that is too large for memory is written into a file. */
export interface InPiecesOptions {
  readonly source: Abilities;
  /** Of the file: what it says of its readers. */
  readonly version: number;
  /** Bytes aimed at per round trip. */
  readonly chunkBytes: number;
  /** Elements that are asked for at once at most: of large ones behind small ones so many may come. */
  readonly mostElements?: number;
  /** A block is kept when it is as large. */
  readonly blockBytes: number;
  readonly keep: (bytes: Buffer) => Promise<Block>;
  /** Called after every chunk. Throws when the work must stop. */
  readonly step: () => void;
  /** Does one reading of the key from its beginning, once there is memory for it; `changed`: it was written to meanwhile. */
  readonly reading: (read: () => Promise<InPieces | 'changed'>) => Promise<InPieces | 'changed'>;
}

/** What became of a key: blocks that are its record, one behind the other; or nothing to be written, and why. */
export type InPieces =
  | {
      readonly kind: 'kept';
      readonly blocks: readonly Block[];
      /** ms since 1970; 0: none. */
      readonly expiry: number;
      /** What the file does not hold of it. */
      readonly findings: readonly KeyFinding[];
    }
  | { readonly kind: 'expired' }
  | { readonly kind: 'failed'; readonly finding: KeyFinding };

/**
 * Writes one key's record in constant memory, `memoryOf` the options, which whoever calls has taken for it, in forms that every
 * server reads. WATCH tells whether the key was written to while it was read: what is kept is the key as it stood at one moment, each
 * element once, or nothing.
 * @param port of a connection that nobody else uses, which must not be opened again by itself
 * @param name of the key in the file
 * @throws RedisError, FileError, what `step` and `reading` throw
 */
export async function recordInPieces(
  port: RedisPort,
  key: Buffer,
  name: Buffer,
  use: KeyUse | undefined,
  options: InPiecesOptions,
): Promise<InPieces> {
  for (const pause of [...PAUSES_MS, undefined]) {
    const outcome = await options.reading(() => attempt(port, key, name, use, options));
    if (outcome !== 'changed') return outcome;
    if (pause !== undefined) await sleep(pause);
  }
  return failed(key, 'changing', 'it was written to in each of three attempts to read it.');
}

/** Bytes: one chunk as it came in and as it is told, one block as it is written and as it is kept. */
export function memoryOf({ chunkBytes, blockBytes }: Pick<InPiecesOptions, 'chunkBytes' | 'blockBytes'>): number {
  return 2 * (chunkBytes + blockBytes);
}

async function attempt(
  port: RedisPort,
  key: Buffer,
  name: Buffer,
  use: KeyUse | undefined,
  options: InPiecesOptions,
): Promise<InPieces | 'changed'> {
  await port.call('WATCH', key);
  try {
    const { expiry, type } = await readExpiry(port, key, options.source);
    if (expiry === 'gone') return await unwatched(port, { kind: 'expired' });
    const form = FORMS[type];
    if (type === 'stream' && options.version < FIRST_WITH_STREAMS) {
      return await unwatched(port, failed(key, 'payload-not-taken', 'servers of the file know no streams.'));
    }
    if (form === undefined && type !== 'stream') {
      return await unwatched(
        port,
        failed(key, 'too-large', `keys of type ${type} go into a file only whole, ${TOO_LARGE}`),
      );
    }
    const ends = expiry === 'never' ? 0 : expiry;
    const blocks = form === undefined ? await streamOf(port, key, options) : await blocksOf(port, key, form, options);
    const replies = await port.pipeline([['MULTI'], ['EXEC']]);
    for (const reply of replies) if (reply instanceof Error) throw reply;
    if (replies.at(-1) === null || blocks === 'changed') return 'changed';
    if (blocks === 'expired') return { kind: 'expired' };
    if (blocks === 'expiringFields') {
      return failed(key, 'too-large', `a hash whose fields expire goes into a file only whole, ${TOO_LARGE}`);
    }
    const head = new Output();
    writeKeyHead(head, name, ends, blocks.byte, use);
    head.rdbLength(blocks.count);
    const findings = findingsOfLost(key, { ...NOTHING_LOST, streamPast: blocks.losesPast === true });
    return { kind: 'kept', blocks: [await options.keep(head.copy()), ...blocks.blocks], expiry: ends, findings };
  } catch (error) {
    if (error instanceof InexactError) return await unwatched(port, failed(key, 'too-large', error.message));
    if (!(error instanceof KeyChanged)) throw error;
    return await unwatched(port, 'changed');
  }
}

const TOO_LARGE = 'and it is larger than what goes at once (KEYFERRY_MEMORY_MIB).';

/** Of files that servers from 5.0 on read. */
const FIRST_WITH_STREAMS = 9;

function failed(key: Buffer, code: 'changing' | 'too-large' | 'payload-not-taken', why: string): InPieces {
  return { kind: 'failed', finding: { key, code, message: `The key was not written: ${why}` } };
}

async function unwatched<T>(port: RedisPort, outcome: T): Promise<T> {
  await port.call('UNWATCH');
  return outcome;
}

/** A value that is read by commands and written in the plain form of its type. */
interface Form {
  readonly byte: number;
  readonly length: string;
  /** Its parts, in the order of the file: each as many replies of an element as `width`. */
  readonly read: (
    port: RedisPort,
    key: Buffer,
    size: CarefulCount,
    chunkBytes: number,
  ) => AsyncGenerator<readonly Buffer[]>;
  readonly width: number;
  readonly write: (out: Output, values: readonly Buffer[]) => void;
}

const FORMS: Readonly<Partial<Record<string, Form>>> = {
  string: {
    ...{ byte: types.STRING, length: 'STRLEN', width: 1 },
    read: readString,
    write: (out, values) => {
      for (const value of values) out.raw(value, 0, value.length);
    },
  },
  list: { byte: types.LIST, length: 'LLEN', width: 1, read: readList, write: writeTexts },
  set: { byte: types.SET, length: 'SCARD', width: 1, read: scanner('SSCAN', 1), write: writeTexts },
  hash: { byte: types.HASH, length: 'HLEN', width: 2, read: scanner('HSCAN', 2), write: writeTexts },
  zset: { byte: types.SORTED_SET_2, length: 'ZCARD', width: 2, read: readSortedSet, write: writeScored },
};

/** A value behind what stands first in it: how many there are of what it has. */
interface Value {
  readonly byte: number;
  readonly blocks: readonly Block[];
  readonly count: number;
  /** A stream says more of its past than the file holds. */
  readonly losesPast?: boolean;
}

/** What is written of a value, kept in blocks. */
class Blocks {
  readonly out = new Output();
  private readonly blocks: Block[] = [];

  constructor(
    private readonly blockBytes: number,
    private readonly keep: InPiecesOptions['keep'],
  ) {}

  async keepFull(): Promise<void> {
    if (this.out.length >= this.blockBytes) await this.keepAll();
  }

  async end(): Promise<readonly Block[]> {
    if (this.out.length > 0) await this.keepAll();
    return this.blocks;
  }

  private async keepAll(): Promise<void> {
    this.blocks.push(await this.keep(this.out.copy()));
    this.out.clear();
  }
}

async function streamOf(
  port: RedisPort,
  key: Buffer,
  { version, chunkBytes, mostElements, blockBytes, keep, step }: InPiecesOptions,
): Promise<Value | 'changed'> {
  const written = new Blocks(blockBytes, keep);
  const reading = { port, key, chunkBytes, mostElements, out: written.out };
  const chunk = async () => {
    step();
    await written.keepFull();
  };
  const { byte, nodes, isWhole, losesPast } = await writeStream(reading, version, chunk);
  return isWhole ? { byte, blocks: await written.end(), count: nodes, losesPast } : 'changed';
}

/**
 * The value behind its length, in blocks; `changed` where not as much came as there is. A hash is `expired` with the last of its fields,
 * which the server counts until it takes them away.
 */
async function blocksOf(
  port: RedisPort,
  key: Buffer,
  form: Form,
  { source, chunkBytes, mostElements, blockBytes, keep, step }: InPiecesOptions,
): Promise<Value | 'changed' | 'expired' | 'expiringFields'> {
  const [length, memory] = await port.pipeline([
    [form.length, key],
    ['MEMORY', 'USAGE', key],
  ]);
  if (isKeyGone(length)) throw new KeyChanged(length.message);
  if (length instanceof Error) throw length;
  const count = asNumber(length);
  const first = firstCount(typeof memory === 'number' ? memory : undefined, count, chunkBytes);
  const isHash = form.byte === types.HASH;
  const written = new Blocks(blockBytes, keep);
  const { out } = written;
  const mayLackFields = isHash && hasFieldExpiry(source);
  const names = new UnorderedSum();
  let read = 0;
  for await (const values of form.read(port, key, new CarefulCount(first, chunkBytes, mostElements), chunkBytes)) {
    step();
    if (mayLackFields) {
      if (await haveExpiries(port, key, values)) return 'expiringFields';
      values.forEach((name, i) => {
        if (i % 2 === 0) names.add([name]);
      });
    }
    form.write(out, values);
    read += form.byte === types.STRING ? sizeOfTexts(values) : values.length / form.width;
    await written.keepFull();
  }
  if (read === count) {
    // A field that came twice makes up for one that has expired.
    if (mayLackFields && !(await namesOf(port, key, first, step)).equals(names)) return 'changed';
    return { byte: form.byte, blocks: await written.end(), count };
  }
  // What came less are fields that have expired, if nobody writes to the key.
  if (!mayLackFields || read > count) return 'changed';
  return read === 0 ? 'expired' : 'expiringFields';
}

/** The names of a hash's fields, read once more: what comes twice does so while its table shrinks, which it does once. */
async function namesOf(port: RedisPort, key: Buffer, count: number, step: () => void): Promise<UnorderedSum> {
  const names = new UnorderedSum();
  for (let cursor = '0'; ;) {
    const [reply] = await readSource(port, [['HSCAN', key, cursor, 'COUNT', String(count), 'NOVALUES']]);
    const [next, page] = asList(reply);
    for (const name of asList(page)) names.add([asBytes(name)]);
    step();
    cursor = asBytes(next).toString('latin1');
    if (cursor === '0') return names;
  }
}

async function* readString(
  port: RedisPort,
  key: Buffer,
  _: CarefulCount,
  chunkBytes: number,
): AsyncGenerator<Buffer[]> {
  for (let at = 0; ; at += chunkBytes) {
    const [chunk] = await readSource(port, [['GETRANGE', key, String(at), String(at + chunkBytes - 1)]]);
    const bytes = asBytes(chunk);
    if (bytes.length > 0) yield [bytes];
    if (bytes.length < chunkBytes) return;
  }
}

async function* readList(port: RedisPort, key: Buffer, size: CarefulCount): AsyncGenerator<Buffer[]> {
  for (let at = 0; ;) {
    const count = size.now;
    const [window] = await readSource(port, [['LRANGE', key, String(at), String(at + count - 1)]]);
    const elements = asList(window).map(asBytes);
    if (elements.length > 0) yield elements;
    if (elements.length < count) return;
    at += elements.length;
    size.came(sizesOf(elements, 1));
  }
}

/** From the last member to the first, as servers write them. */
async function* readSortedSet(port: RedisPort, key: Buffer, size: CarefulCount): AsyncGenerator<Buffer[]> {
  for (let at = 0; ;) {
    const count = size.now;
    const [window] = await readSource(port, [['ZRANGE', key, String(-at - count), String(-at - 1), 'WITHSCORES']]);
    const flat = asList(window).map(asBytes);
    const members: Buffer[] = [];
    for (let i = flat.length - 2; i >= 0; i -= 2) members.push(...flat.slice(i, i + 2));
    if (members.length > 0) yield members;
    const came = members.length / 2;
    if (came < count) return;
    at += came;
    size.came(sizesOf(members, 2));
  }
}

function scanner(command: 'SSCAN' | 'HSCAN', width: number): Form['read'] {
  return async function* (port, key, size) {
    for (let cursor = '0'; ;) {
      const [reply] = await readSource(port, [[command, key, cursor, 'COUNT', String(size.now)]]);
      const [next, values] = asList(reply);
      cursor = asBytes(next).toString('latin1');
      const page = asList(values).map(asBytes);
      if (page.length > 0) yield page;
      if (cursor === '0') return;
      size.came(sizesOf(page, width));
    }
  };
}

/** What each element takes, of so many texts each. Bytes. */
function sizesOf(texts: readonly Buffer[], width: number): number[] {
  const sizes: number[] = [];
  for (let i = 0; i < texts.length; i += width) sizes.push(sizeOfTexts(texts.slice(i, i + width)));
  return sizes;
}

/** Whether any of these fields of a hash expires by itself. */
async function haveExpiries(port: RedisPort, key: Buffer, values: readonly Buffer[]): Promise<boolean> {
  const fields = values.filter((_, i) => i % 2 === 0);
  return (await fieldTimes(port, key, fields)).some((time) => asNumber(time) >= 0);
}

/** Texts are compressed where that is worth it, as servers do. */
function writeTexts(out: Output, values: readonly Buffer[]): void {
  for (const value of values) writeBytes(out, value, 0, value.length, true);
}

function writeScored(out: Output, values: readonly Buffer[]): void {
  values.forEach((value, i) => {
    if (i % 2 === 0) writeBytes(out, value, 0, value.length, true);
    else out.double(scoreOfText(value, 0, value.length));
  });
}
