import { missingKeys } from '../redis/missing-keys';
import type { RedisPort } from '../redis/redis-port';
import type { PageReader } from './page-reader';

/** Makes a call, and again while what fails passes by itself. Throws what does not pass, and StoppedError. */
export type Attempt = <T>(call: () => Promise<T>) => Promise<T>;

/** One database of a server, as the work on a range calls it. */
export interface Side {
  /** The limits of the migration, where it has any for this server, are kept by every call. */
  readonly port: RedisPort;
  /** Scripts may be called. */
  readonly scripts: boolean;
  /** The places of those keys that it does not have; missing where the port is asked. */
  readonly absent?: (keys: readonly Buffer[]) => Promise<ReadonlySet<number>>;
  /** Around every use of the port: the connection is open before each try, and leads to the process that it must. */
  readonly attempt: Attempt;
}

/** Where the keys of a range are read. `Seen` is what its reader tells of names by the way. */
export interface Origin<Seen = never> extends Side {
  readonly reader: PageReader<Seen>;
  /**
   * For keys that cannot go in pieces, one at a time, as large as the process may hold; over a connection that nobody else uses.
   * Throws `replyTooLong` besides, where it is lost for what is read.
   */
  readonly readerOfWhole: Pick<PageReader, 'read'>;
  /** Keys of the whole range when planned; infinite where the server did not tell. */
  readonly expectedKeys: number;
  /** Cursors are places in a bit-reversed walk; otherwise the range is the whole database and its cursors mean nothing. */
  readonly cursorOrder: boolean;
}

/** The places of those keys that a side does not have. Throws as `attempt` does. */
export async function absentFrom(side: Side, keys: readonly Buffer[]): Promise<ReadonlySet<number>> {
  if (keys.length === 0) return new Set();
  if (side.absent !== undefined) return await side.absent(keys);
  return new Set(await side.attempt(() => missingKeys(side.port, keys, side.scripts)));
}
