import type { VersionRanges } from './version-ranges';

/** A module that a server has loaded. `version` is a number of the module's own making, which grows. */
export interface LoadedModule {
  readonly name: string;
  readonly version: number;
}

/** What a server is, as far as payloads depend on it. */
export interface PayloadServer {
  readonly software: 'redis' | 'valkey';
  /** Its own: "6.0.16" for Redis, "9.1.2" for Valkey. */
  readonly version: string;
  /** Undefined where it does not tell them. */
  readonly modules: readonly LoadedModule[] | undefined;
}

/** The server that payloads are to be sent to. */
export interface PayloadTarget extends PayloadServer {
  /** What RESTORE was seen to take. */
  readonly versions: VersionRanges;
}

/** @param version for example "7.2.4" */
export function isAtLeast({ version }: Pick<PayloadServer, 'version'>, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}
