import type { CursorRange } from '../../src/keyspace/cursor';
import { startCursor } from '../../src/keyspace/cursor';
import type { RedisPort } from '../../src/redis/redis-port';
import { BytesInFlight } from '../../src/transfer/bytes-in-flight';
import { Governor } from '../../src/transfer/governor';
import type { PageReader } from '../../src/transfer/page-reader';
import { readRange, type WalkOptions } from '../../src/transfer/range-pages';
import { makeSelection } from '../../src/migration/selection';

/** What a walk over a range gave: the keys of all its parts, and what it counted. */
export interface Walk {
  readonly keys: string[];
  scanned: number;
  repeats: number;
  skippedByFilter: number;
  parts: number;
}

export const everything = makeSelection({ match: [], exclude: [], types: [] });

const noPort: RedisPort = {
  call: () => Promise.reject(new Error('not to be called')),
  pipeline: () => Promise.reject(new Error('not to be called')),
};

/** The options of a walk as the tests mostly want it; `changes` for what they look at. */
export function walkOptions(range: CursorRange, changes: Partial<WalkOptions> = {}): WalkOptions {
  return {
    range,
    start: startCursor(range),
    expectedKeys: 1_000,
    cursorOrder: true,
    pageMicros: 2_000,
    firstCount: 100,
    evenIfLight: false,
    selection: everything,
    converters: [],
    source: { kind: 'server', port: noPort },
    wantsValues: () => false,
    budget: new BytesInFlight(1_000_000),
    pace: new Governor({ keysPerSecond: 0, bytesPerSecond: 0, maxSourceLatencyMs: 0 }, { check: () => undefined }),
    attempt: (call) => call(),
    ...changes,
  };
}

/** Walks one range to its end. */
export async function walk(reader: PageReader, options: WalkOptions): Promise<Walk> {
  const sum: Walk = { keys: [], scanned: 0, repeats: 0, skippedByFilter: 0, parts: 0 };
  for await (const part of readRange(reader, options)) {
    options.budget.give(part.taken);
    sum.keys.push(...part.page.keys.map((key) => key.toString('latin1')));
    sum.scanned += part.counts.scanned ?? 0;
    sum.repeats += part.counts.repeats ?? 0;
    sum.skippedByFilter += part.counts.skippedByFilter ?? 0;
    sum.parts++;
  }
  return sum;
}

/** All ranges of 2^bits. */
export function rangesOfBits(bits: number): CursorRange[] {
  return Array.from({ length: 2 ** bits }, (_, index) => ({ index, bits }));
}

/** Walks several ranges by turns, a page of each at a time as they come, and adds up. */
export async function walkAll(reader: PageReader, options: readonly WalkOptions[], atOnce = 4): Promise<Walk> {
  const sum: Walk = { keys: [], scanned: 0, repeats: 0, skippedByFilter: 0, parts: 0 };
  const rest = [...options].reverse();
  const worker = async () => {
    for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
      const one = await walk(reader, next);
      sum.keys.push(...one.keys);
      sum.scanned += one.scanned;
      sum.repeats += one.repeats;
      sum.skippedByFilter += one.skippedByFilter;
      sum.parts += one.parts;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return sum;
}
