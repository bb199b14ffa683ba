import type { ConversionFacts } from './conversion-facts';
import type { RedisPort } from '../redis/redis-port';

/** A key as it stands in a file. */
export interface FileKey {
  /** As DUMP would give it. */
  readonly payload: Buffer | TooLargeToRead;
  /** ms since 1970; 0: never. */
  readonly expiry: number;
}

/** A value that takes more bytes than were to be read. */
export interface TooLargeToRead {
  /** As TYPE names it. */
  readonly type: string;
  /** What it takes in the file. */
  readonly bytes: number;
  /** Of a hash of up to three fields these; undefined of all others, and where they stand packed together. */
  readonly fields: readonly FieldOfLarge[] | undefined;
}

export interface FieldOfLarge {
  /** Undefined where it is longer than a name that anybody looks for. */
  readonly name: Buffer | undefined;
  /** ms since 1970; undefined: never. */
  readonly expiry: number | undefined;
}

/** The keys of one database of a file, which never change but for what expires. */
export interface FileKeys {
  readonly kind: 'file';
  /** The clock that expiries are told by, ms since 1970. */
  now(): number;
  /**
   * Keys with their values; undefined for those whose time has come.
   * @param keys the very buffers that the walk gave
   * @throws FileError
   */
  read(keys: readonly Buffer[], mostBytes: number): Promise<readonly (FileKey | undefined)[]>;
  /**
   * What the converters noted of any keys of the database; undefined where there is none of that name, or its time has come.
   * @throws FileError, StoppedError
   */
  notes(keys: readonly Buffer[]): Promise<readonly (number | undefined)[]>;
}

/** A server, whose keys may change at any time. */
export interface ServerKeys {
  readonly kind: 'server';
  readonly port: RedisPort;
}

/** Where a converter reads. */
export type ConvertSource = ServerKeys | FileKeys;

/** What a converter must know of keys besides those that it converts, when these are a file's: it cannot ask for them there. */
export interface NotedKeys {
  /** Different for different notes. */
  readonly id: string;
  /** Whether anything is to be known of a key. By name alone, and cheap: it is asked for every key. */
  concerns(key: Buffer): boolean;
  /**
   * What there is to be known, in 32 bits.
   * @param type as TYPE names it
   * @param payload as DUMP would give it; undefined where it is large
   */
  note(key: Buffer, type: string, payload: Buffer | undefined): number;
}

/** What several converters must know of keys: of each key the first that it concerns notes it. */
export function allNoted(converters: readonly { readonly noted?: NotedKeys }[]): NotedKeys {
  const all = converters.flatMap(({ noted }) => noted ?? []);
  const noterOf = (key: Buffer) => all.find((noted) => noted.concerns(key));
  return {
    id: all.map(({ id }) => id).join(', '),
    concerns: (key) => noterOf(key) !== undefined,
    note: (key, type, payload) => noterOf(key)?.note(key, type, payload) ?? 0,
  };
}

/** Counts while a file is looked through what a converter would convert. */
export interface FileCounter {
  see(database: number, key: Buffer, type: string): void;
  /** What it has counted, as plain data, for another one to go on from. */
  state(): unknown;
  /** Of these databases together. */
  facts(databases: readonly number[]): ConversionFacts;
}
