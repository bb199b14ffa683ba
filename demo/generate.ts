import { CommandStream } from './command-stream';
import { CommandWriter } from './command-writer';
import { MixedKeys } from './mixed-keys';

const chunkBytes = 256 * 1024;

/** What `fillServer` writes, and where. One of `url` and `port` is needed. */
export interface FillOptions {
  /** `redis://…` or `rediss://…`. */
  readonly url?: string;
  /** Port of a server on 127.0.0.1 without a password. */
  readonly port?: number;
  /** How many keys. Default 800,000. */
  readonly keys?: number;
  /** The same seed gives the same keys and values. Default 1. */
  readonly seed?: number;
  /** Number of the first key, to add further keys to those of an earlier call with the same seed. Default 0. */
  readonly firstKey?: number;
  /** Databases to fill: the first gets half of the keys, the others share the rest. Default `[0]`. */
  readonly databases?: readonly number[];
  /** Told about every 250 kB how many of the keys have been sent. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Fills a server with a repeatable mix of keys (see mixed-keys.ts), as fast as it takes them. Works on Redis 5 and later and on
 * Valkey. Expiries count from the moment of writing. Keys that are there already stay.
 * @returns how many keys were written, and how long it took in ms.
 * @throws Error where the server cannot be reached, or with its words where it refuses a command (out of memory, for instance).
 */
export async function fillServer(options: FillOptions): Promise<{ keys: number; milliseconds: number }> {
  const url = options.url ?? (options.port === undefined ? undefined : `redis://127.0.0.1:${options.port}`);
  if (url === undefined) throw new Error('fillServer needs a url or a port');
  const total = options.keys ?? 800_000;
  const firstKey = options.firstKey ?? 0;
  const databases = options.databases ?? [0];
  const started = Date.now();
  const out = new CommandWriter(chunkBytes + 16 * 1024);
  const keys = new MixedKeys(options.seed ?? 1, out);
  const stream = await CommandStream.open(url);
  try {
    let done = 0;
    for (const [place, database] of databases.entries()) {
      const until = shareUntil(total, databases.length, place);
      if (database !== 0 || place > 0) out.command('SELECT', String(database));
      while (done < until) {
        keys.write(firstKey + done++);
        if (out.length < chunkBytes) continue;
        await stream.send(out.take());
        options.onProgress?.(done, total);
      }
    }
    await stream.send(out.take());
    await stream.finish();
    options.onProgress?.(done, total);
    return { keys: done, milliseconds: Date.now() - started };
  } finally {
    stream.abort();
  }
}

/** How many of all keys the databases up to this one hold together. */
function shareUntil(total: number, databases: number, place: number): number {
  if (place === databases - 1) return total;
  const half = Math.ceil(total / 2);
  return half + Math.floor(((total - half) * place) / (databases - 1));
}
