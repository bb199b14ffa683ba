import type { RedisPort } from '../redis/redis-port';
import type { ConverterFindingCode } from './converter-findings';
import type { ConvertSource, NotedKeys } from './file-keys';

/** Keys that belong together, read from the source and not yet written. What is inside is the converter's own matter. */
export type Group = object;

/** What a converter made of the keys that it claimed. Every claimed key is in exactly one of these. */
export interface Gathered {
  /** Groups to be written; each is one key of the source, the one that leads it. */
  readonly groups: readonly Group[];
  /** Keys that look like the converter's by name only: copied as they are. */
  readonly plain: readonly Buffer[];
  /** Keys that go with a group, which another key leads. */
  readonly converted: number;
  /** Keys that are not carried over, by the converter's rules. */
  readonly skipped: number;
  /** Keys that the source has in the new form already, which is copied by itself. */
  readonly conflicts: number;
  /** Keys that vanished on the way. */
  readonly gone: number;
  /** Bytes that the groups hold in memory. */
  readonly bytes: number;
}

/** What became of one group. */
export type GroupOutcome =
  | { readonly kind: 'converted'; readonly bytes: number }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'expired' }
  | { readonly kind: 'failed'; readonly key: Buffer; readonly code: ConverterFindingCode; readonly message: string };

/** Where a converter writes. */
export interface ConvertContext {
  readonly source: ConvertSource;
  readonly target: RedisPort;
  /** The target's clock minus the source's, ms. */
  readonly clockOffset: number;
  /** The name that a key gets on the target, after conversion. */
  readonly naming: (key: Buffer) => Buffer;
  /** Waits so many ms. Throws as soon as the work must end. */
  readonly pause: (ms: number) => Promise<void>;
}

/** Where a converter compares. */
export interface CompareContext {
  readonly source: ConvertSource;
  readonly target: RedisPort;
  /** The name that a key gets on the target, after conversion. */
  readonly naming: (key: Buffer) => Buffer;
  /** Whether two absolute expiries, each in ms of its own server's clock and 0 for none, are the same moment. */
  readonly expiriesAgree: (source: number, target: number) => boolean;
}

/**
 * What a comparison says of a claimed key: "same" (the target has what it is converted to), "gone" (from the source), "plain" (it
 * looks like the converter's by name only, and is compared as it is), or how what the target has differs.
 */
export type Compared =
  | 'same'
  | 'gone'
  | 'plain'
  | {
      readonly code: 'missing' | 'different-type' | 'different-value' | 'different-expiry';
      readonly message: string;
    };

/**
 * Changes keys while they are copied. A converter claims keys by their names, reads what belongs to them and writes the
 * new form. A group of keys has one key that leads it: whatever order SCAN gives them in, the group is handled when its
 * leader comes, and the others are only accounted for.
 */
export interface Converter {
  readonly name: string;
  /** What must be known of keys beside those that are converted, where these are a file's. Not there: each key stands alone. */
  readonly noted?: NotedKeys;
  /** Whether a key is this converter's matter. By name alone, and cheap: it is asked for every key. */
  claims(key: Buffer): boolean;
  /** Reads what belongs to claimed keys of one page. Throws the server's error, or the connection's. */
  gather(source: ConvertSource, keys: readonly Buffer[]): Promise<Gathered>;
  /** Writes groups. Throws the server's error, or the connection's; may be called again with the same groups. */
  write(groups: readonly Group[], context: ConvertContext): Promise<readonly GroupOutcome[]>;
  /** The name that must be on the target when a claimed key was converted; undefined where none must. */
  nameAfter(key: Buffer): Buffer | undefined;
  /**
   * The keys on which it depends what becomes of a key, itself among them: when one of them changes, what is made of all may be
   * another. The first is the same for each of them, and all of them, as names on the target, may be what is made. Undefined for a
   * key that is none of the converter's matter.
   */
  family(key: Buffer): readonly Buffer[] | undefined;
  /** Names that are given to what is made of a group, or taken from it, before they are renamed. */
  namesMade(group: Group): readonly Buffer[];
  /** Bytes that were read of a group when it was gathered. */
  bytesOf(group: Group): number;
  /** Names of keys on the source that a key of the target may have been made of; none where it is not of the converter's making. */
  namesBefore(key: Buffer): readonly Buffer[];
  /**
   * Compares claimed keys with what the target has of them, for each one answer. Not there: of what is converted only the names
   * are looked for. Throws the server's error, or the connection's.
   */
  compare?(keys: readonly Buffer[], context: CompareContext): Promise<readonly Compared[]>;
}
