import type { ConvertSource, FileKeys } from '../convert/file-keys';
import type { Selection } from '../migration/selection';
import { missingKeys } from '../redis/missing-keys';
import type { Command, RedisPort } from '../redis/redis-port';
import { throwErrors } from './by-commands/replies';
import { text, type PageReader } from './page-reader';

/** Makes a call, and again while what fails passes by itself. Throws what does not pass, and StoppedError. */
export type Attempt = <T>(call: () => Promise<T>) => Promise<T>;

/** Ports that refuse a call which the server ends the connection for, each by a kind of error. */
export interface CarefulPorts {
  /** Where too much is read: `replyTooLong`. */
  readonly reading: RedisPort;
  /** Where too much is written: `valueTooLong`. */
  readonly writing: RedisPort;
}

/** One database of a server, as the work on a range calls it. */
export interface Side {
  /** The limits of the migration, where it has any for this server, are kept by every call. */
  readonly port: RedisPort;
  /** For what may be too large for the server at once; missing where the port is all there is. */
  readonly careful?: CarefulPorts | undefined;
  /** Scripts may be called. */
  readonly scripts: boolean;
  /** Of a cluster: scripts may be called over the keys that a node has, which they were seen to see. */
  readonly nodeScripts?: boolean;
  /** The places of those keys that it does not have; missing where the port is asked. */
  readonly absent?: (keys: readonly Buffer[]) => Promise<ReadonlySet<number>>;
  /** What converters read of it where it is a file; missing where they ask the port. */
  readonly fileKeys?: FileKeys;
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
  /** No page goes beyond the range, whatever its COUNT. */
  readonly staysInside?: boolean | undefined;
  /** Lets go of what its reader holds, when the walk is over. */
  readonly end?: (() => void) | undefined;
  /** Of a cluster: whether at a cursor the slots of another master begin. */
  readonly isBorder?: ((cursor: bigint) => boolean) | undefined;
}

/** A side as converters read it. */
export function convertSourceOf(side: Pick<Side, 'fileKeys' | 'port' | 'careful'>): ConvertSource {
  return side.fileKeys ?? { kind: 'server', port: readingPort(side) };
}

/** The port for reading values of any size. */
export function readingPort({ careful, port }: Pick<Side, 'port' | 'careful'>): RedisPort {
  return careful?.reading ?? port;
}

/** The port for writing values of any size. */
export function writingPort({ careful, port }: Pick<Side, 'port' | 'careful'>): RedisPort {
  return careful?.writing ?? port;
}

/** The places of those keys that a side does not have. Throws as `attempt` does. */
export async function absentFrom(side: Side, keys: readonly Buffer[]): Promise<ReadonlySet<number>> {
  if (keys.length === 0) return new Set();
  if (side.absent !== undefined) return await side.absent(keys);
  return new Set(await side.attempt(() => missingKeys(side.port, keys, side.scripts)));
}

/** The types of keys; "none" of those that the side does not have. Throws as `attempt` does. */
export async function typesOn({ port, attempt }: Side, keys: readonly Buffer[]): Promise<string[]> {
  if (keys.length === 0) return [];
  const commands = keys.map((key): Command => ['TYPE', key]);
  return (await attempt(async () => throwErrors(await port.pipeline(commands)))).map(text);
}

/** The places of those keys that a side does not have, or that are of a type which is not wanted. Throws as `attempt` does. */
export async function unwantedOn(
  side: Side,
  keys: readonly Buffer[],
  selection: Selection,
): Promise<ReadonlySet<number>> {
  // What is known of a file's keys here are their names.
  if (!selection.needsTypes || side.absent !== undefined) return await absentFrom(side, keys);
  const types = await typesOn(side, keys);
  return new Set(keys.flatMap((key, place) => (selection.wants(key, types[place]) ? [] : [place])));
}
