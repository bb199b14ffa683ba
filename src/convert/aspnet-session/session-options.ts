import { DEFAULT_SESSION_LIMITS } from './convert-session';
import type { SessionLimitsOnServer } from './session-store';

/** What a request may say about the conversion. */
export interface SessionOptions {
  readonly nativeTypes: boolean;
  readonly customSerializer?: 'json' | undefined;
  /** Only these application names; all when empty. */
  readonly applications: readonly string[];
  /** Names without braces, as 1.x wrote them, too. */
  readonly braceless: boolean;
  /** In place: false deletes version 4's keys after each success. */
  readonly keepOld: boolean;
  readonly onLocked: 'retry' | 'convert';
  /** Seconds to write where version 4 has no timeout; undefined leaves the key out. */
  readonly defaultTimeoutSeconds?: number | undefined;
  /** Overwrite sessions that version 5 has written. */
  readonly force: boolean;
}

/** What the servers allow, and how they stand to each other. */
export interface SessionServers {
  readonly inPlace: boolean;
  /** Sessions that one script may touch, on each side. */
  readonly sourceAtOnce: number;
  readonly targetAtOnce: number;
  /** MEMORY USAGE may be asked on the source. */
  readonly memoryUsage: boolean;
}

/** A session above this is reported, not converted. */
export const MOST_SESSION_BYTES = 64 * 1_048_576;
/** Of one page so many bytes of sessions are read ahead; the rest is read when it is written, so many bytes at a time. */
export const READ_AHEAD_BYTES = 2 * 1_048_576;

/** What a session may have, as scripts on the source can see it. */
export function limitsOn({ memoryUsage }: SessionServers): SessionLimitsOnServer {
  return { items: DEFAULT_SESSION_LIMITS.items, bytes: memoryUsage ? MOST_SESSION_BYTES : 0 };
}

/** A session that version 5 has on the source is copied as it is, so that version 4's of the same user is left out. */
export function leavesNewer(options: SessionOptions, servers: SessionServers): boolean {
  return !servers.inPlace && !options.force;
}
