import { sha1Of } from '../../../basics/sha1';
import { runScript, scripts } from '../../../redis/scripts';
import { firstCount, nextCount } from '../chunk-size';
import { guessOf, readInBudget } from '../chunks';
import { lookSidesOf, type LookSide } from '../look-sides';
import { asBytes, asList, asNumber, readSource } from '../replies';
import { asOneText, inTurn, sizeOfTexts } from '../texts';
import type { BodyContext } from '../types';
import { formatId, idAfter, parseId, type StreamId } from '../../../payload/stream-id';

/** Entries that one call of the script looks at: about two milliseconds of a server's time. */
const MOST_BY_SCRIPT = 500;

interface Window {
  readonly entries: number;
  /** 0 where a script has read them. */
  readonly bytes: number;
  /** The id of the last one; empty where there is none. */
  readonly last: string;
  readonly digest: string;
}

/**
 * Whether both sides have the same entries from an id to another: entries cannot change, but a stream can be another one.
 * @param reached told up to which id they agree; throws when the look must end
 */
export async function entriesAgree(
  context: BodyContext,
  from: StreamId,
  to: StreamId,
  length: number,
  reached: (through: StreamId) => void,
): Promise<boolean> {
  const { temporary, options, memory } = context;
  const { chunkBytes } = options;
  const { source, copy } = lookSidesOf(context);
  let count = Math.min(MOST_BY_SCRIPT, firstCount(memory, length, chunkBytes));
  let guess = guessOf(context);
  for (let start: StreamId | undefined = from; start !== undefined;) {
    await temporary.keep();
    const ids = [formatId(start), formatId(to)] as const;
    const [here, there] = await Promise.all([read(source, ids, count, guess), read(copy, ids, count, guess)]);
    if (here.last !== there.last || here.digest !== there.digest) return false;
    if (here.entries < count) return true;
    const last = parseId(here.last);
    reached(last);
    const bytes = Math.max(here.bytes, there.bytes);
    guess = Math.max(guess, bytes);
    if (bytes > 0) count = Math.min(MOST_BY_SCRIPT, nextCount(count, here.entries, bytes, chunkBytes));
    start = idAfter(last);
  }
  return true;
}

async function read(
  { port, key, script, budget }: LookSide,
  ids: readonly [string, string],
  count: number,
  guess: number,
): Promise<Window> {
  if (script) {
    const args = [...ids, String(count)];
    const [, entries, last, digest] = asList(await runScript(port, scripts.streamDigest, [key], args));
    return { entries: asNumber(entries), bytes: 0, last: text(last), digest: text(digest) };
  }
  return await readInBudget(
    budget,
    guess,
    async () => {
      const [reply] = await readSource(port, [['XRANGE', key, ...ids, 'COUNT', String(count)]]);
      return asList(reply).map((entry) => {
        const [id, values] = asList(entry);
        return { id: asBytes(id), values: asList(values).map(asBytes) };
      });
    },
    sizeOfEntries,
    (entries) => ({
      entries: entries.length,
      bytes: sizeOfEntries(entries),
      last: entries.at(-1)?.id.toString('latin1') ?? '',
      digest: sha1Of(entries.flatMap(({ id, values }) => [...inTurn([id]), ...asOneText(values)])),
    }),
  );
}

function sizeOfEntries(entries: readonly { readonly values: readonly Buffer[] }[]): number {
  return entries.reduce((sum, { values }) => sum + sizeOfTexts(values), 0);
}

function text(reply: Parameters<typeof asBytes>[0]): string {
  return asBytes(reply).toString('latin1');
}
