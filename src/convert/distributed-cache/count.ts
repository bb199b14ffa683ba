import { z } from 'zod';
import type { RedisPort, Reply } from '../../redis/redis-port';
import { runScript } from '../../redis/scripts';
import type { ConversionFacts } from '../conversion-facts';
import type { Converter } from '../converter';
import type { PrepareContext } from '../converter-kind';
import type { FileCounter } from '../file-keys';
import type { CacheOptions } from './options';
import { scripts } from './scripts';

/** Names that one script looks at: a few milliseconds. */
const COUNT = '1000';

/** Counts what a converter would convert, until the time is over. Throws the server's error, or the connection's. */
export async function countEntries(
  { claims }: { readonly claims: Converter['claims'] },
  to: CacheOptions['to'],
  { databases, onSource, wants, until }: PrepareContext,
): Promise<ConversionFacts> {
  const type = to === 'strings' ? 'hash' : 'string';
  const isWanted = (key: Buffer) => claims(key) && wants(key, type);
  const sums = { found: 0, sliding: 0, complete: true };
  for (const database of databases) {
    for (const counted of await onSource(database, (port) => countIn(port, isWanted, to, until))) {
      sums.found += counted.found;
      sums.sliding += counted.sliding;
      sums.complete &&= counted.complete;
    }
  }
  const { found, sliding, complete } = sums;
  return to === 'strings' ? { entries: found, sliding, complete } : { strings: found, complete };
}

/** By database. */
const keptCounts = z.array(z.tuple([z.int().min(0), z.int().min(0)]));

/** Counts the keys of a file that are of the type: whether a hash is an entry, its fields tell, which nobody looks at yet. */
export function entryCounter(
  { claims }: { readonly claims: Converter['claims'] },
  to: CacheOptions['to'],
  wants: PrepareContext['wants'],
  state: unknown = [],
): FileCounter {
  const wanted = to === 'strings' ? 'hash' : 'string';
  const found = new Map(keptCounts.parse(state));
  return {
    see: (database, key, type) => {
      if (type === wanted && claims(key) && wants(key, type)) found.set(database, (found.get(database) ?? 0) + 1);
    },
    state: () => [...found],
    facts: (databases) => {
      const sum = databases.reduce((total, database) => total + (found.get(database) ?? 0), 0);
      return to === 'strings' ? { hashes: sum, complete: true } : { strings: sum, complete: true };
    },
  };
}

async function countIn(port: RedisPort, isWanted: (key: Buffer) => boolean, to: CacheOptions['to'], until: number) {
  let [found, sliding, cursor] = [0, 0, '0'];
  do {
    const page: Reply = await runScript(port, scripts.count, [], [cursor, COUNT, to]);
    if (!Array.isArray(page)) throw new Error('The server answered in an unexpected form.');
    for (let i = 1; i + 1 < page.length; i += 2) {
      const name = page[i];
      if (!Buffer.isBuffer(name) || !isWanted(name)) continue;
      found++;
      if (page[i + 1] === 1) sliding++;
    }
    cursor = String(page[0]);
  } while (cursor !== '0' && performance.now() < until);
  return { found, sliding, complete: cursor === '0' };
}
