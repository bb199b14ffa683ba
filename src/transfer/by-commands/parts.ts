import { createHash } from 'node:crypto';

import { errorKind } from '../../redis/errors';
import type { Command, Reply } from '../../redis/redis-port';
import { runScript, scripts } from '../../redis/scripts';
import { asBytes, asList, readSource } from './replies';
import type { BodyContext, Drift } from './types';

/** Elements larger than this do not go through a script, which would hold them several times. Bytes. */
const LARGEST_BY_SCRIPT = 4 * 1_048_576;

interface Part {
  /** Places of its first and last byte or element, from 0. */
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
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
    if (this.parts.length === 0) this.parts.push(partOf(this.only.first, this.only.content));
    this.only = { first: 0, content: [] };
    this.parts.push(partOf(first, content));
  }

  /**
   * Reads all parts again. `same` says that there was a moment, after the last part had been read, at which the source had
   * all of them; growth behind them does no harm.
   */
  async look(context: BodyContext): Promise<Drift> {
    try {
      for (const group of this.groups(context.options.chunkBytes)) {
        context.step(0);
        await context.temporary.keep();
        const digests = await digestsNow(context, group);
        if (group.some(({ digest }, at) => digest !== digests[at])) return 'mixture';
      }
      return 'same';
    } catch (error) {
      if (errorKind(error) === 'stop') return 'unproven';
      throw error;
    }
  }

  /** Parts for one call each. */
  private groups(chunkBytes: number): Part[][] {
    const groups: Part[][] = [];
    let bytes = Infinity;
    for (const part of this.parts) {
      bytes += part.bytes;
      if (bytes > chunkBytes) {
        groups.push([]);
        bytes = part.bytes;
      }
      groups.at(-1)?.push(part);
    }
    return groups;
  }
}

function partOf(first: number, content: Buffer | readonly Buffer[]): Part {
  const last = first + content.length - 1;
  const bytes = Buffer.isBuffer(content) ? content.length : content.reduce((sum, element) => sum + element.length, 0);
  return { first, last, bytes, digest: digestOf(content) };
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
