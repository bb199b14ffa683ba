import { createHash } from 'node:crypto';

import { asksOf } from '../../redis/errors';
import type { Command, Reply } from '../../redis/redis-port';
import { runScript, scripts } from '../../redis/scripts';
import { asBytes, asList, readSource } from './replies';
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

/** What was read of a string or list, part by part, to find out whether the source still has it so. */
export class Parts {
  private readonly parts: Part[] = [];
  /** A value that came in one part needs no digest. */
  private only: { readonly first: number; readonly content: Buffer | readonly Buffer[] } | undefined;

  /** Adds a part that begins at a place: bytes of a string, or elements of a list. */
  add(first: number, content: Buffer | readonly Buffer[]): void {
    if (this.only === undefined) {
      this.only = { first, content };
      return;
    }
    if (this.parts.length === 0) this.parts.push(...partsOf(this.only.first, this.only.content));
    this.only = { first: 0, content: [] };
    this.parts.push(...partsOf(first, content));
  }

  /**
   * Reads all parts again. `same` says that there was a moment, after the last part had been read, at which the source had
   * all of them; growth behind them does no harm.
   */
  async look(context: BodyContext): Promise<Drift> {
    try {
      if (this.parts.length === 0 || (await context.untouched())) return 'same';
      for (const group of this.groups(context.options.chunkBytes)) {
        context.step();
        await context.temporary.keep();
        const digests = await digestsNow(context, group);
        if (group.some(({ digest }, at) => digest !== digests[at])) return 'mixture';
      }
      return 'same';
    } catch (error) {
      if (asksOf(error) === 'stop') return 'unproven';
      throw error;
    }
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
  const bytes = content.reduce((sum, element) => sum + element.length, 0);
  return { first, last, bytes, elements: content.length, digest };
}

async function digestsNow(context: BodyContext, parts: readonly Part[]): Promise<string[]> {
  const { source, sourceKey, options } = context;
  const places = parts.map(({ first, last }) => [String(first), String(last)] as const);
  if (options.scripts.source && parts.every(({ bytes }) => bytes <= LARGEST_BY_SCRIPT)) {
    const reply = asList(await runScript(source, scripts.partDigests, [sourceKey], places.flat()));
    return reply.slice(1).map((digest) => asBytes(digest).toString('latin1'));
  }
  const [type] = await readSource(source, [['TYPE', sourceKey]]);
  const command = asBytes(type).toString('latin1') === 'list' ? 'LRANGE' : 'GETRANGE';
  const replies = await readSource(
    source,
    places.map(([first, last]): Command => [command, sourceKey, first, last]),
  );
  return replies.map((reply: Reply) => digestOf(Array.isArray(reply) ? reply.map(asBytes) : asBytes(reply)));
}

/** As part-digests.lua makes it. */
function digestOf(content: Buffer | readonly Buffer[]): string {
  const bytes = Buffer.isBuffer(content) ? content : joined(content);
  return createHash('sha1').update(bytes).digest('hex');
}

/** Texts one after the other, so that no other texts give the same; as fingerprint.lua does it. */
export function joined(texts: readonly Buffer[]): Buffer {
  return Buffer.concat(texts.flatMap((text) => [Buffer.from(`${text.length}:`), text]));
}
