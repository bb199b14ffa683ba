import { sha1Of } from '../../basics/sha1';
import { asksOf } from '../../redis/errors';
import type { Command } from '../../redis/redis-port';
import { runScript, scripts } from '../../redis/scripts';
import { readInBudget } from './chunks';
import { TemporaryLost } from './conditions';
import { lookSidesOf, type LookSide } from './look-sides';
import { asBytes, asList, asNumber, readSource } from './replies';
import { inTurn, sizeOfTexts } from './texts';
import type { BodyContext, Drift } from './types';

/** Elements larger than this do not go through a script, which would hold them several times. Bytes. */
const LARGEST_BY_SCRIPT = 4 * 1_048_576;
/** What one call of the script looks at: about two milliseconds of the source's time. */
const MOST_BYTES = 262_144;
const MOST_ELEMENTS = 2_000;

interface Part {
  /** Places of its first and last byte or element, from 0. */
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
  /** Of a list; a string counts by its bytes alone. */
  readonly elements: number;
  readonly digest: string;
}

/**
 * What was read of a string or list, part by part, to find out whether the source still has it so. Of what an earlier attempt
 * read nothing but the temporary key tells.
 */
export class Parts {
  private readonly parts: Part[] = [];
  /** A small value that came in one part needs no digest. */
  private only: { readonly first: number; readonly content: Buffer | readonly Buffer[] } | undefined;

  /**
   * @param from how much an earlier attempt has written: bytes of a string, or elements of a list
   * @param seen up to where the copy was looked at before
   */
  constructor(
    private readonly context: BodyContext,
    private readonly type: 'string' | 'list',
    private readonly from: number,
    private readonly seen = 0,
  ) {}

  /** Adds a part that begins at a place: bytes of a string, or elements of a list. */
  add(first: number, content: Buffer | readonly Buffer[]): void {
    // A large one is let go of.
    const isSmall = bytesIn(content) <= MOST_BYTES;
    if (this.from === 0 && this.parts.length === 0 && this.only === undefined && isSmall) {
      this.only = { first, content };
      return;
    }
    if (this.only !== undefined) this.parts.push(...partsOf(this.only.first, this.only.content));
    this.only = undefined;
    this.parts.push(...partsOf(first, content));
  }

  /**
   * Reads all parts again. `same` says that there was a moment, after the last part had been read, at which the source had
   * all of them; growth behind them does no harm.
   * @param bytes of all that was written
   */
  async look(bytes: number): Promise<Drift> {
    const { context } = this;
    try {
      const isFirst = this.from === 0;
      if (isFirst && this.parts.length === 0) return 'same';
      if (context.options.sourceIsStill === true || (isFirst && (await context.untouched()))) {
        await this.mustBeWhole();
        return 'same';
      }
      return (await this.earlierOnesAgree(bytes)) && (await this.ownAgree(bytes)) ? 'same' : 'mixture';
    } catch (error) {
      if (asksOf(error) === 'stop') return 'unproven';
      throw error;
    }
  }

  /** A target that failed over may have lost what was written last. */
  private async mustBeWhole(): Promise<void> {
    const { temporary } = this.context;
    const [there] = await temporary.ask([[this.type === 'string' ? 'STRLEN' : 'LLEN', temporary.name]]);
    if (asNumber(there) !== this.length) throw new TemporaryLost('the temporary key lacks what was written to it');
  }

  /** Whether both sides have the same where the earlier attempt wrote. */
  private async earlierOnesAgree(bytes: number): Promise<boolean> {
    const { context, type, from } = this;
    const { options, temporary } = context;
    const { source, copy } = lookSidesOf(context);
    const each = type === 'string' ? 1 : Math.max(1, bytes / this.length);
    const most = Math.floor(Math.min(options.chunkBytes, MOST_BYTES) / each);
    const step = Math.max(1, type === 'string' ? most : Math.min(most, MOST_ELEMENTS));
    for (let first = this.seen; first < from; first += step) {
      await temporary.keep();
      const window = [{ first, last: Math.min(first + step, from) - 1, bytes: step * each }];
      const [here, there] = await Promise.all([digestsOf(source, window), digestsOf(copy, window)]);
      if (here[0] !== there[0]) return false;
      this.reached(Math.min(first + step, from), bytes);
    }
    return true;
  }

  private async ownAgree(bytes: number): Promise<boolean> {
    const { context } = this;
    const { options, temporary } = context;
    const { source } = lookSidesOf(context);
    for (const group of this.groups(options.chunkBytes)) {
      await temporary.keep();
      const digests = await digestsOf(source, group);
      if (group.some(({ digest }, at) => digest !== digests[at])) return false;
      this.reached((group.at(-1)?.last ?? 0) + 1, bytes);
    }
    return true;
  }

  private reached(seen: number, bytes: number): void {
    const { length } = this;
    this.context.reached({ kind: 'ordered', length, written: length, seen }, bytes);
  }

  /** Of all that was written. */
  private get length(): number {
    const { only } = this;
    if (only !== undefined) return only.first + only.content.length;
    return (this.parts.at(-1)?.last ?? this.from - 1) + 1;
  }

  /** Parts for one call each. */
  private groups(chunkBytes: number): Part[][] {
    const groups: Part[][] = [];
    let bytes = Infinity;
    let elements = Infinity;
    for (const part of this.parts) {
      bytes += part.bytes;
      elements += part.elements;
      if (bytes > Math.min(chunkBytes, MOST_BYTES) || elements > MOST_ELEMENTS) {
        groups.push([]);
        ({ bytes, elements } = part);
      }
      groups.at(-1)?.push(part);
    }
    return groups;
  }
}

/** What was read at once, in parts that a script can look at in a short time. */
function partsOf(first: number, content: Buffer | readonly Buffer[]): Part[] {
  const parts: Part[] = [];
  if (Buffer.isBuffer(content)) {
    for (let at = 0; at < content.length; at += MOST_BYTES) {
      parts.push(partOf(first + at, content.subarray(at, at + MOST_BYTES)));
    }
    return parts;
  }
  for (let at = 0; at < content.length;) {
    let bytes = content[at]?.length ?? 0;
    let end = at + 1;
    for (; end < content.length && end - at < MOST_ELEMENTS; end++) {
      bytes += content[end]?.length ?? 0;
      if (bytes > MOST_BYTES) break;
    }
    parts.push(partOf(first + at, content.slice(at, end)));
    at = end;
  }
  return parts;
}

function partOf(first: number, content: Buffer | readonly Buffer[]): Part {
  const last = first + content.length - 1;
  const digest = digestOf(content);
  if (Buffer.isBuffer(content)) return { first, last, bytes: content.length, elements: 0, digest };
  return { first, last, bytes: bytesIn(content), elements: content.length, digest };
}

function bytesIn(content: Buffer | readonly Buffer[]): number {
  return Buffer.isBuffer(content) ? content.length : sizeOfTexts(content);
}

async function digestsOf(
  { port, key, script, budget }: LookSide,
  parts: readonly Pick<Part, 'first' | 'last' | 'bytes'>[],
): Promise<string[]> {
  const places = parts.map(({ first, last }) => [String(first), String(last)] as const);
  if (script && parts.every(({ bytes }) => bytes <= LARGEST_BY_SCRIPT)) {
    const reply = asList(await runScript(port, scripts.partDigests, [key], places.flat()));
    return reply.slice(1).map((digest) => asBytes(digest).toString('latin1'));
  }
  const [type] = await readSource(port, [['TYPE', key]]);
  const command = asBytes(type).toString('latin1') === 'list' ? 'LRANGE' : 'GETRANGE';
  const commands = places.map(([first, last]): Command => [command, key, first, last]);
  return await readInBudget(
    budget,
    parts.reduce((sum, { bytes }) => sum + bytes, 0),
    async () =>
      (await readSource(port, commands)).map((reply) => (Array.isArray(reply) ? reply.map(asBytes) : asBytes(reply))),
    (contents) => contents.reduce((sum, content) => sum + bytesIn(content), 0),
    (contents) => contents.map(digestOf),
  );
}

/** As part-digests.lua makes it. */
function digestOf(content: Buffer | readonly Buffer[]): string {
  return sha1Of(Buffer.isBuffer(content) ? [content] : inTurn(content));
}
