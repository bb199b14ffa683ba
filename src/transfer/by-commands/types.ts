import type { RedisPort } from '../../redis/redis-port';
import type { Abilities } from './abilities';
import type { Build, BodyPlace, PlaceKeeper } from './key-place';
import type { TemporaryKey } from './temporary-key';
import type { TemporaryNames } from './temporary-names';

/** Bounds the bytes of chunks that are read and not yet written. */
export interface ChunkBudget {
  take(bytes: number): Promise<void>;
  correct(taken: number, actual: number): void;
  give(bytes: number): void;
}

/** How one key is to be copied by ordinary commands. */
export interface CommandCopyOptions {
  readonly sourceKey: Buffer;
  /** The name in the target; differs from sourceKey where keys are renamed. */
  readonly targetKey: Buffer;
  /** replace: the target's old key is exchanged at once, never merged. skip: an old key stays and the outcome is `conflict`. */
  readonly onConflict: 'replace' | 'skip';
  /** Bytes aimed at per round trip (about 1 MiB); at most two such chunks are in memory. A single element larger than this passes whole. */
  readonly chunkBytes: number;
  /** The target's clock minus the source's clock, in milliseconds. */
  readonly clockOffsetMs: number;
  readonly source: Abilities;
  readonly target: Abilities;
  /** Where scripts may be called; elsewhere values are read once more to be compared. */
  readonly scripts: { readonly source: boolean; readonly target: boolean };
  /** The names for temporary keys of whoever builds. */
  readonly names: TemporaryNames;
  /** Where an earlier attempt was cut off, and where this one gets; without it every attempt begins at the start. */
  readonly place?: PlaceKeeper | undefined;
  /** Its keys may be on another process in the next call (a cluster), where cursors into them mean nothing. */
  readonly sourceMoves?: boolean | undefined;
  /** Nobody can write to the source (a file): what was read of a key needs no second look. */
  readonly sourceIsStill?: boolean | undefined;
  /** The memory that chunks may take; without it any. */
  readonly budget?: ChunkBudget | undefined;
  /** Asked after every chunk; true ends the copy with `failed`, code `stopped`, and keeps what was built where the place is kept. */
  readonly shouldStop?: (() => boolean) | undefined;
}

/**
 * What could not be carried over although the key was copied.
 * - field-expiry: hash fields whose own expiry the target cannot hold; they stay there for ever
 * - pending-entry: pending stream entries that the target did not take
 * - stream-facts: entries-added, max-deleted-entry-id, last-generated-id or entries-read that the target does not hold
 * - consumer-times: consumers of stream groups whose idle time begins anew (no command can set it)
 * - changed-while-read: the key was written to during every attempt, so that each element is one that it had at some moment of
 *   the copy but all together may be none; or it could not be found out whether it was
 */
export interface Loss {
  readonly kind: 'field-expiry' | 'pending-entry' | 'stream-facts' | 'consumer-times' | 'changed-while-read';
  /** How many fields, entries, facts or consumers; 1 for the whole key. */
  readonly count: number;
  readonly message: string;
}

/** Codes of keys that could not be copied, apart from errors of server or connection, which are thrown. */
type FailureCode = 'unsupported-type' | 'changing' | 'temporary-lost' | 'not-as-told' | 'stopped';

/** What became of the key. `bytes` is the payload written: elements, fields, values, without protocol or overhead. */
export type CommandCopyOutcome =
  | { readonly kind: 'copied'; readonly bytes: number; readonly losses: readonly Loss[] }
  | { readonly kind: 'expired' }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'failed'; readonly code: FailureCode; readonly message: string };

/**
 * How the source's key looked after it had been read.
 * same: what was read is the key as it stood at one moment. drifted: elements came, went or changed, yet each is genuine.
 * mixture: what was read is a value that the key may never have had. unproven: a server does not let one look.
 */
export type Drift = 'same' | 'drifted' | 'mixture' | 'unproven';

/** What the copier of one type works with. */
export interface BodyContext {
  readonly source: RedisPort;
  readonly sourceKey: Buffer;
  readonly temporary: TemporaryKey;
  readonly options: CommandCopyOptions;
  /** What MEMORY USAGE says of the key (an estimate from five samples), absent where the source refuses to say. */
  readonly memory?: number;
  /** How many elements it has, where it is larger than a chunk and not a string. */
  readonly length?: number;
  /** Throws when the copy must stop. */
  readonly step: () => void;
  /** What an earlier attempt has built, which the temporary key holds. */
  readonly kept?: Pick<Build, 'body' | 'bytes'>;
  /** To be called when a chunk is written, or looked at again: with what the temporary key holds then. Throws when the copy must stop. */
  readonly reached: (body: BodyPlace, bytes: number) => void;
  /** Whether the source says that surely nothing was written to it since the copy began. */
  readonly untouched: () => Promise<boolean>;
}

/** A value written whole into the temporary key, not yet looked at again. */
export interface Body {
  readonly bytes: number;
  readonly losses: readonly Loss[];
  /** Looks again at the source, and at the temporary key where elements have no order. */
  readonly check: () => Promise<Drift>;
}

/** Copies the value of one type into the temporary key. Throws {@link KeyChanged} when the key is no longer of the type. */
export type BodyCopier = (context: BodyContext) => Promise<Body>;
