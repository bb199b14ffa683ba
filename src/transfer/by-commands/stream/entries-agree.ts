import { createHash } from 'node:crypto';

import type { RedisPort } from '../../../redis/redis-port';
import { runScript, scripts } from '../../../redis/scripts';
import { firstCount } from '../chunk-size';
import { joined } from '../parts';
import { asBytes, asList, asNumber, readSource } from '../replies';
import type { BodyContext } from '../types';
import { formatId, idAfter, parseId, type StreamId } from './stream-id';

/** Entries that one call of the script looks at: about two milliseconds of a server's time. */
const MOST_BY_SCRIPT = 500;

interface Window {
  readonly entries: number;
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
  const { source, sourceKey, temporary, options, memory } = context;
  const count = Math.min(MOST_BY_SCRIPT, firstCount(memory, length, options.chunkBytes));
  for (let start: StreamId | undefined = from; start !== undefined;) {
    await temporary.keep();
    const ids = [formatId(start), formatId(to)] as const;
    const [here, there] = await Promise.all([
      read(source, sourceKey, ids, count, options.scripts.source),
      read(temporary.reader, temporary.name, ids, count, options.scripts.target),
    ]);
    if (here.last !== there.last || here.digest !== there.digest) return false;
    if (here.entries < count) return true;
    const last = parseId(here.last);
    reached(last);
    start = idAfter(last);
  }
  return true;
}

async function read(
  port: RedisPort,
  key: Buffer,
  ids: readonly [string, string],
  count: number,
  script: boolean,
): Promise<Window> {
  if (script) {
    const args = [...ids, String(count)];
    const [, entries, last, digest] = asList(await runScript(port, scripts.streamDigest, [key], args));
    return { entries: asNumber(entries), last: text(last), digest: text(digest) };
  }
  const [reply] = await readSource(port, [['XRANGE', key, ...ids, 'COUNT', String(count)]]);
  const entries = asList(reply).map((entry) => {
    const [id, values] = asList(entry);
    return [asBytes(id), joined(asList(values).map(asBytes))] as const;
  });
  const digest = createHash('sha1').update(joined(entries.flat())).digest('hex');
  return { entries: entries.length, last: entries.at(-1)?.[0].toString('latin1') ?? '', digest };
}

function text(reply: Parameters<typeof asBytes>[0]): string {
  return asBytes(reply).toString('latin1');
}
