import { isAtLeast, type PayloadServer } from './payload-server';

/** The first of the versions that are Valkey's own; all below are Redis's, up to 11 Valkey's too. */
export const FIRST_OF_VALKEY = 80;

/**
 * The versions that wrote each type byte first, of Redis. From 22 on they are Redis's alone: Valkey's 22 is another type
 * than Redis's (which no release wrote). 6 and 7 are modules' and decided apart, 8 does not exist. From 26 on this is
 * known from sources only; what such a target does not know it refuses, without harm.
 */
const firstOfRedis: Readonly<Record<number, number>> = {
  ...{ 0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 9: 2, 10: 2, 11: 2, 12: 2, 13: 4, 14: 7, 5: 8, 15: 9 },
  ...{ 16: 10, 17: 10, 18: 10, 19: 10, 20: 11, 21: 11, 24: 12, 25: 12, 26: 13, 27: 14 },
};
/** Hashes whose fields expire. */
const firstOfValkey: Readonly<Record<number, number>> = { 22: FIRST_OF_VALKEY };
const LAST_COMMON_TYPE = 21;

/** From which payload version to which one a type byte is what the server takes it for. */
export interface VersionSpan {
  readonly first: number;
  readonly last: number;
}

const always = 0xffff;

/**
 * The type bytes, apart from modules', that a server of this kind reads for certain. A type counts only together with a
 * payload version that had it: anything else was written by nobody that is known here.
 */
export function knownTypes(server: PayloadServer): ReadonlyMap<number, VersionSpan> {
  const newest = newestRead(server);
  const types = new Map<number, VersionSpan>();
  for (const [type, first] of Object.entries(firstOfRedis)) {
    const common = Number(type) <= LAST_COMMON_TYPE;
    if (first <= newest) types.set(Number(type), { first, last: common ? always : FIRST_OF_VALKEY - 1 });
  }
  if (server.software === 'valkey' && isAtLeast(server, 9, 0)) {
    for (const [type, first] of Object.entries(firstOfValkey)) types.set(Number(type), { first, last: always });
  }
  return types;
}

/** The newest of Redis's payload versions whose types such a server reads; of a Redis to come whatever RESTORE takes. */
function newestRead(server: PayloadServer): number {
  if (server.software === 'valkey') return 11;
  if (isAtLeast(server, 8, 1)) return FIRST_OF_VALKEY - 1;
  if (isAtLeast(server, 7, 4)) return 12;
  if (isAtLeast(server, 7, 2)) return 11;
  if (isAtLeast(server, 7, 0)) return 10;
  return isAtLeast(server, 5, 0) ? 9 : 8;
}
