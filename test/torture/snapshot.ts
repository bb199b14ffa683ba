import { createHash } from 'node:crypto';
import { timeOf, Side, type Command } from '../tools/comparison/side';
import { readStreams } from '../tools/comparison/streams';
import { readValues, type Value } from '../tools/comparison/values';
import { keyId, type KeyId } from './journal';

const batch = 500;

/** What a key was when it was looked at. */
export interface KeyFacts {
  readonly type: string;
  /** Bytes of a string, parts of anything else. */
  readonly length: number;
  /** A hash over the value, the same on every version and in every encoding. */
  readonly digest: string;
  /** When it expires, ms since 1970 by its server's clock; null for never. */
  readonly expiresAt: number | null;
  /** How far `expiresAt` may be off, in ms. */
  readonly within: number;
}

export type Snapshot = ReadonlyMap<KeyId, KeyFacts>;

/** Known to newer servers only, so no part of what must be equal. */
const newer = /(?:^entries-added|^max-deleted-entry-id|entries-read)$/;

/** Reads every key of every database by ordinary commands. Nobody should write meanwhile. */
export async function readEverything(url: string): Promise<Snapshot> {
  const side = await new Side(url).open();
  const found = new Map<KeyId, KeyFacts>();
  try {
    for (const database of await side.databases()) {
      const names = [...(await side.keys(database))];
      for (let at = 0; at < names.length; at += batch) {
        const keys = names.slice(at, at + batch).map((name) => Buffer.from(name, 'latin1'));
        for (const [place, facts] of (await readBatch(side, database, keys)).entries()) {
          const key = keys[place];
          if (facts !== undefined && key !== undefined) found.set(keyId(database, key), facts);
        }
      }
    }
    return found;
  } finally {
    side.close();
  }
}

async function readBatch(side: Side, database: number, keys: readonly Buffer[]): Promise<(KeyFacts | undefined)[]> {
  const replies = await side.ask(database, [
    ['TIME'],
    ...keys.map((key): Command => ['PTTL', key]),
    ['TIME'],
    ...keys.map((key): Command => ['TYPE', key]),
  ]);
  const [first, last] = [timeOf(replies[0]), timeOf(replies[keys.length + 1])];
  const there = keys.flatMap((key, at) => {
    const type = String(replies[keys.length + 2 + at]);
    return type === 'none' ? [] : [{ at, key, type, left: Number(replies[at + 1]) }];
  });
  const values = await readValues(side, database, there);
  const streams = there.filter(({ type }) => type === 'stream');
  const states = await readStreams(
    side,
    database,
    streams.map(({ key }) => key),
  );
  const facts: (KeyFacts | undefined)[] = keys.map(() => undefined);
  for (const [place, { at, type, left }] of there.entries()) {
    const value = values[place];
    if (value === undefined || left === -2) continue;
    const stream = states[streams.findIndex((one) => one.at === at)];
    const more = [...(stream?.facts ?? [])].filter(([name]) => !newer.test(name)).sort();
    facts[at] = {
      type,
      length: lengthOf(type, value),
      digest: digestOf(value, more),
      expiresAt: left < 0 ? null : (first + last) / 2 + left,
      within: (last - first) / 2 + 1,
    };
  }
  return facts;
}

function lengthOf(type: string, value: Value): number {
  if (value instanceof Map) return value.size;
  return type === 'string' ? value.reduce((sum, part) => sum + part.length, 0) : value.length;
}

function digestOf(value: Value, more: readonly (readonly [string, string])[]): string {
  const parts = value instanceof Map ? [...value].sort(([a], [b]) => (a < b ? -1 : 1)).flat() : value;
  const hash = createHash('sha1');
  for (const part of [...parts, ...more.flat()]) hash.update(`${part.length}:`).update(part, 'latin1');
  return hash.digest('base64');
}
