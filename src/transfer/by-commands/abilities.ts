/** The version of a server, as INFO gives it: valkey_version for Valkey, redis_version for all others. */
export interface Abilities {
  readonly major: number;
  readonly minor: number;
  readonly valkey: boolean;
}

function atLeast(server: Abilities, major: number, minor: number): boolean {
  return server.major > major || (server.major === major && server.minor >= minor);
}

/** UNLINK, from 4.0. */
export const hasUnlink = (server: Abilities): boolean => server.valkey || atLeast(server, 4, 0);
/** Streams with groups, from 5.0. */
export const hasStreams = (server: Abilities): boolean => server.valkey || atLeast(server, 5, 0);
/** XGROUP CREATECONSUMER, from 6.2. */
export const hasCreateConsumer = (server: Abilities): boolean => server.valkey || atLeast(server, 6, 2);
/** PEXPIRETIME, from 7.0. */
export const hasExpireTime = (server: Abilities): boolean => server.valkey || atLeast(server, 7, 0);
/** XSETID … ENTRIESADDED MAXDELETEDID and XGROUP … ENTRIESREAD, from 7.0. */
export const hasStreamFacts = (server: Abilities): boolean => server.valkey || atLeast(server, 7, 0);
/** Expiries of single hash fields: Redis from 7.4, Valkey from 9.0. */
export const hasFieldExpiry = (server: Abilities): boolean =>
  server.valkey ? atLeast(server, 9, 0) : atLeast(server, 7, 4);
