import { isAtLeast, type PayloadServer } from './payload-server';
import { FIRST_OF_VALKEY, FIRST_VERSIONS, HASH_OF_VALKEY, LAST_COMMON_TYPE, LAST_COMMON_VERSION } from './value-types';

/** Hashes whose fields expire. */
const firstOfValkey: Readonly<Record<number, number>> = { [HASH_OF_VALKEY]: FIRST_OF_VALKEY };

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
  for (const [type, first] of Object.entries(FIRST_VERSIONS)) {
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
  if (server.software === 'valkey') return LAST_COMMON_VERSION;
  if (isAtLeast(server, 8, 1)) return FIRST_OF_VALKEY - 1;
  if (isAtLeast(server, 7, 4)) return 12;
  if (isAtLeast(server, 7, 2)) return 11;
  if (isAtLeast(server, 7, 0)) return 10;
  return isAtLeast(server, 5, 0) ? 9 : 8;
}
