import { FIRST_COUNT } from '../keyspace/page-size';
import { placeOf, startCursor, startPlace, type CursorRange } from '../keyspace/cursor';
import { errorKind } from './errors';
import { infoField, infoNumber, parseKeyspace, type KeyspaceLine } from './info';
import type { LoadedModule } from '../payload/payload-server';
import type { VersionRanges } from '../payload/version-ranges';
import { parseModules } from './loaded-modules';
import { restorableVersions, writtenVersion } from './payload-version';
import type { Command, RedisPort, Reply } from './redis-port';

/** What INFO tells of a server, as far as it matters here. Sizes in bytes. */
export interface ServerFacts {
  /** The version of its own name: "6.0.16" for Redis, "8.1.1" for Valkey. */
  readonly version: string;
  readonly software: 'redis' | 'valkey';
  /** The Redis version whose commands it speaks: Valkey 8.1 says 7.2.4. */
  readonly compatibleVersion: string;
  readonly cluster: boolean;
  readonly role: string;
  readonly runId: string;
  readonly usedMemory: number;
  /** 0: no limit, or not told. */
  readonly maxMemory: number;
  readonly evictionPolicy: string;
  readonly evictedKeys: number;
  readonly databases: readonly KeyspaceLine[];
  readonly modules: readonly string[];
}

/** What the source can do, tried on it. */
export interface SourceAbilities {
  readonly scripts: boolean;
  /** MEMORY USAGE is allowed in scripts, so that big keys are seen before they are dumped. */
  readonly memoryUsage: boolean;
  readonly dump: boolean;
  /** DUMP's payload version; undefined where there is no key to look at or no DUMP. */
  readonly payloadVersion?: number;
  /** SCAN cursors are places in a bit-reversed walk, so that a database can be split into ranges. */
  readonly cursorOrder: boolean;
  /** Libraries of FUNCTION LIST, which are no keys and are not copied. */
  readonly functions: number;
  /** The modules that it has loaded; undefined where it does not tell them. */
  readonly modules?: readonly LoadedModule[];
}

/** What the target can do, tried on it without writing a key. */
export interface TargetAbilities {
  /** Scripts over several keys; false behind proxies and in clusters, where keys of one script must share a slot. */
  readonly scripts: boolean;
  readonly restore: boolean;
  /** The payload versions that RESTORE takes; empty when RESTORE is refused. None is taken for sure where this is missing. */
  readonly payloadVersions?: VersionRanges;
  /** The modules that it has loaded; undefined where it does not tell them. */
  readonly modules?: readonly LoadedModule[];
  /** RESTORE … ABSTTL, from 5.0. */
  readonly absoluteExpiry: boolean;
  /** As of the source, where the target's keys are walked too; otherwise not asked. */
  readonly cursorOrder?: boolean;
}

/** Reads INFO. @throws the server's error, for example NOAUTH */
export async function readServerFacts(port: RedisPort): Promise<ServerFacts> {
  const info = text(await port.call('INFO'));
  const valkey = infoField(info, 'valkey_version');
  const redis = infoField(info, 'redis_version') ?? '0.0.0';
  return {
    version: valkey ?? redis,
    software: valkey === undefined ? 'redis' : 'valkey',
    compatibleVersion: redis,
    cluster: infoField(info, 'cluster_enabled') === '1',
    role: infoField(info, 'role') ?? 'unknown',
    runId: infoField(info, 'run_id') ?? '',
    usedMemory: infoNumber(info, 'used_memory') ?? 0,
    maxMemory: infoNumber(info, 'maxmemory') ?? 0,
    evictionPolicy: infoField(info, 'maxmemory_policy') ?? 'unknown',
    evictedKeys: infoNumber(info, 'evicted_keys') ?? 0,
    databases: parseKeyspace(info),
    modules: [...info.matchAll(/^module:name=([^,\r\n]+)/gm)].map((m) => m[1] ?? ''),
  };
}

/** Tries what the source allows. `largest` is the port of its largest database of those to be copied. */
export async function probeSource(port: RedisPort, largest: RedisPort): Promise<SourceAbilities> {
  const [script, memory, functions, ...modules] = await port.pipeline([
    // What the scripts of pages need: the clock, and replies packed into one string.
    ['EVAL', "return cmsgpack.pack(redis.call('TIME'))", '0'],
    ['EVAL', "return redis.call('MEMORY','USAGE',KEYS[1]) or 0", '1', 'keyferry:probe'],
    ['FUNCTION', 'LIST'],
    ...ASK_MODULES,
  ]);
  let dump = true;
  let payloadVersion: number | undefined;
  try {
    payloadVersion = await writtenVersion(largest);
  } catch (error) {
    if (errorKind(error) === 'retry') throw error;
    dump = false;
  }
  return {
    scripts: allowed(script),
    memoryUsage: allowed(memory),
    dump,
    ...(payloadVersion === undefined ? {} : { payloadVersion }),
    cursorOrder: await hasCursorOrder(largest),
    functions: Array.isArray(functions) ? functions.length : 0,
    ...modulesIn(modules),
  };
}

/** Tries what the target allows. */
export async function probeTarget(port: RedisPort, facts: ServerFacts): Promise<TargetAbilities> {
  const [script, ...modules] = await port.pipeline([
    [
      'EVAL',
      "return redis.call('EXISTS',KEYS[1])+redis.call('EXISTS',KEYS[2])",
      '2',
      'keyferry:probe-1',
      'keyferry:probe-2',
    ],
    ...ASK_MODULES,
  ]);
  const payloadVersions = await restorableVersions(port);
  return {
    scripts: allowed(script) && !facts.cluster,
    restore: payloadVersions.length > 0,
    payloadVersions,
    ...modulesIn(modules),
    absoluteExpiry: Number.parseInt(facts.compatibleVersion, 10) >= 5,
  };
}

/** Whether the target has a database of this number. Leaves the connection in the database it is in (`home`). */
export async function hasDatabase(port: RedisPort, database: number, home: number): Promise<boolean> {
  const [there] = await port.pipeline([
    ['SELECT', String(database)],
    ['SELECT', String(home)],
  ]);
  return allowed(there);
}

/**
 * Whether SCAN walks in the order of reversed bits: from starts all over the table a few steps each must go forward and
 * not far. Cursors of proxies and of servers with tables of their own kind jump.
 */
export async function hasCursorOrder(port: RedisPort): Promise<boolean> {
  const BITS = 3;
  for (let index = 0; index < 1 << BITS; index++) {
    const range: CursorRange = { index, bits: BITS };
    let cursor = startCursor(range);
    let place = startPlace(range);
    for (let step = 0; step < 3; step++) {
      const reply = await port.call('SCAN', String(cursor), 'COUNT', step === 0 ? '1' : String(FIRST_COUNT));
      const next = BigInt(text(Array.isArray(reply) ? reply[0] : reply));
      if (next === 0n) break;
      const nextPlace = placeOf(next);
      if (nextPlace <= place) return false;
      place = nextPlace;
      cursor = next;
    }
  }
  return true;
}

/** MODULE LIST from 4.0, and where it is not allowed what newer servers tell in INFO. */
const ASK_MODULES: readonly Command[] = [
  ['MODULE', 'LIST'],
  ['INFO', 'modules'],
];

function modulesIn([list, info]: readonly (Reply | Error)[]): { readonly modules?: readonly LoadedModule[] } {
  const modules = parseModules(granted(list), text(granted(info)));
  return modules === undefined ? {} : { modules };
}

function allowed(reply: Reply | Error | undefined): boolean {
  return granted(reply) !== undefined;
}

/** Undefined where it is refused. @throws what passes by itself, since it says nothing about what is allowed */
function granted(reply: Reply | Error | undefined): Reply | undefined {
  if (reply instanceof Error && errorKind(reply) === 'retry') throw reply;
  return reply instanceof Error ? undefined : reply;
}

function text(reply: Reply | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString('latin1') : String(reply ?? '');
}
