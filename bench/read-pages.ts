import type { Redis } from 'ioredis';

const COUNT = 500;

/** A key as the yardsticks copy it: its name, the milliseconds that it still lives, below 0 for ever, and its payload. */
export type Entry = readonly [name: Buffer, ttl: number, payload: Buffer];

/** Reads the keys of a server as one would in an hour: SCAN, and a pipeline of PTTL and DUMP, one page after the other. */
export async function* readPages(source: Redis): AsyncGenerator<{ readonly keys: number; readonly entries: Entry[] }> {
  let cursor = '0';
  do {
    const [next, names] = await source.scanBuffer(cursor, 'COUNT', COUNT);
    cursor = next.toString();
    const reading = source.pipeline();
    for (const name of names) reading.pttl(name).dumpBuffer(name);
    const values = (await reading.exec()) ?? [];
    const entries = names.flatMap((name, i): Entry[] => {
      const payload = values[2 * i + 1]?.[1];
      return Buffer.isBuffer(payload) ? [[name, Number(values[2 * i]?.[1]), payload]] : [];
    });
    yield { keys: names.length, entries };
  } while (cursor !== '0');
}

/** Sends keys in one pipeline, over those that are there. @returns the errors, null where there was none, in their order */
export async function writePage(target: Redis, entries: readonly Entry[]): Promise<(Error | null)[]> {
  const writing = target.pipeline();
  for (const [name, ttl, payload] of entries) writing.restore(name, Math.max(0, ttl), payload, 'REPLACE');
  return ((await writing.exec()) ?? []).map(([error]) => error);
}
