import { FIRST_COUNT } from '../keyspace/page-size';
import { hashSlot } from '../keyspace/hash-slot';
import { placeOf, startCursor, startPlace, type CursorRange } from '../keyspace/cursor';
import { changingCalls } from './command-calls';
import { addressOf } from './connection-settings';
import { asksOf, isRedisError, type RedisError } from './errors';
import type { CommandName } from './rights';
import type { LoadedModule } from '../payload/payload-server';
import type { SourceFile } from '../payload/source-file';
import { commonOf, type VersionRanges } from '../payload/version-ranges';
import { readDatabases, sizeOf, type Databases, type OnOwnConnection } from './database-keys';
import { infoField, infoNumber } from './info';
import { parseModules } from './loaded-modules';
import { restorableVersions, writtenVersion } from './payload-version';
import type { RedisPort, Reply } from './redis-port';
import type { Master } from './topology';

/**
 * What INFO tells of a server, as far as it matters here. Sizes in bytes. A number that the server does not tell is
 * undefined, never 0. Kept as JSON in the plan row, so that what was added later is not there in plans of earlier versions.
 */
export interface ServerFacts extends Databases {
  /** It is no server but a file, which stands for the server that loads it. */
  readonly file?: SourceFile | undefined;
  /** The version of its own name: "6.0.16" for Redis, "8.1.1" for Valkey. */
  readonly version: string;
  readonly software: 'redis' | 'valkey';
  /** The Redis version whose commands it speaks: Valkey 8.1 says 7.2.4. */
  readonly compatibleVersion: string;
  readonly cluster: boolean;
  /** Slots of the cluster were on their way from one node to another while these were asked: numbers of keys may be too large, or too small. */
  readonly slotsMoved?: true;
  /** Of a cluster with one master: how many of its replicas neither it reaches nor have answered here. */
  readonly unseenReplicas?: number;
  readonly role: string;
  /** Of the process; empty where it is not told. */
  readonly runId: string;
  /** For how long the process runs. */
  readonly uptimeSeconds?: number | undefined;
  readonly usedMemory?: number | undefined;
  /** 0: no limit. */
  readonly maxMemory?: number | undefined;
  readonly evictionPolicy: string;
  /** Keys that were evicted since the process began, or since CONFIG RESETSTAT. */
  readonly evictedKeys?: number | undefined;
  /** It reads its data from disk or from its master: its numbers mean nothing. */
  readonly loading: boolean;
  /**
   * `master_replid`: a replica has its master's, and so has all of a tree of replication. It changes when the process
   * begins without a snapshot that tells it, and when a replica is promoted.
   */
  readonly replicationId?: string | undefined;
  /** `master_replid2`: of a promoted replica, its former master's. */
  readonly formerReplicationId?: string | undefined;
  /** The master of a replica as "host:port", as the replica calls it. */
  readonly masterAddress?: string | undefined;
  /** A replica has nothing from its master at the moment (`master_link_status`). */
  readonly masterLinkDown?: true | undefined;
  /** Changes since the last snapshot to disk (`rdb_changes_since_last_save`): a snapshot sets it to 0. */
  readonly changes?: number | undefined;
  /** When the last snapshot to disk was made (`rdb_last_save_time`), seconds since 1970. */
  readonly lastSave?: number | undefined;
  /** Keys that have expired since the process began, or since CONFIG RESETSTAT. */
  readonly expiredKeys?: number | undefined;
  /** Commands of any kind since the process began, or since CONFIG RESETSTAT. */
  readonly commandsProcessed?: number | undefined;
  /**
   * Calls of commands that may change keys since the process began, or since CONFIG RESETSTAT, also inside scripts and
   * transactions, by name in small letters ("set", "flushall", "xgroup|create"): only those called at least once.
   * Undefined where INFO commandstats is refused or has nothing.
   */
  readonly commandCalls?: Readonly<Record<string, number>> | undefined;
}

/** The process that the cursors of a walk over a server belong to: of a cluster, whose slots any node may have, none. */
export function cursorProcessOf({ cluster, runId }: Pick<ServerFacts, 'cluster' | 'runId'>): string {
  return cluster ? '' : runId;
}

/** What the source can do, tried on it. */
export interface SourceAbilities {
  /** Scripts over several keys; false in clusters, where keys of one script must share a slot. */
  readonly scripts: boolean;
  /**
   * Of a cluster whose keys cannot be read by slots, since one master does not allow the scripts for that, or they do not see its keys:
   * its masters, each of which is walked by cursors of its own.
   */
  readonly nodeWalks?: number;
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
  /** The payload versions that RESTORE takes; empty when RESTORE is refused. Of a replica they are not asked for. None is taken for sure where this is missing. */
  readonly payloadVersions?: VersionRanges;
  /** The modules that it has loaded; undefined where it does not tell them. */
  readonly modules?: readonly LoadedModule[];
  /** RESTORE … ABSTTL, from 5.0. */
  readonly absoluteExpiry: boolean;
  /** As of the source: of a cluster, and where the target's keys are walked too; otherwise not asked. */
  readonly cursorOrder?: boolean;
  readonly nodeWalks?: number;
  /** What stands before and behind the names of keys of our own, where the user may touch no others: latin1 text. */
  readonly ownKeys?: { readonly before: string; readonly after: string };
}

/**
 * Reads INFO, and what plain INFO leaves out. `port` is one of database 0. Where INFO hides the numbers of keys they are
 * asked for by other commands, on a connection of their own since they change its database; without one they stay unknown.
 * @throws the server's error, for example NOAUTH
 */
export async function readServerFacts(port: RedisPort, onOwnConnection?: OnOwnConnection): Promise<ServerFacts> {
  const [reply, stats, size] = await port.pipeline([['INFO'], ['INFO', 'commandstats'], ['DBSIZE']]);
  if (reply instanceof Error) throw reply;
  const info = text(reply);
  const valkey = infoField(info, 'valkey_version');
  const redis = infoField(info, 'redis_version') ?? '0.0.0';
  return {
    version: valkey ?? redis,
    software: valkey === undefined ? 'redis' : 'valkey',
    compatibleVersion: redis,
    cluster: infoField(info, 'cluster_enabled') === '1',
    role: infoField(info, 'role') ?? 'unknown',
    runId: infoField(info, 'run_id') ?? '',
    uptimeSeconds: infoNumber(info, 'uptime_in_seconds'),
    usedMemory: infoNumber(info, 'used_memory'),
    maxMemory: infoNumber(info, 'maxmemory'),
    evictionPolicy: infoField(info, 'maxmemory_policy') ?? 'unknown',
    evictedKeys: infoNumber(info, 'evicted_keys'),
    ...(await databasesOf(port, info, size, onOwnConnection)),
    // Of a replica that loads what its master sent, 7.0 and above say async_loading where the old data still answer.
    loading: infoField(info, 'loading') === '1',
    replicationId: replicationId(infoField(info, 'master_replid')),
    formerReplicationId: replicationId(infoField(info, 'master_replid2')),
    masterAddress: masterAddress(info),
    ...(infoField(info, 'master_link_status') === 'down' ? { masterLinkDown: true as const } : {}),
    changes: infoNumber(info, 'rdb_changes_since_last_save'),
    lastSave: infoNumber(info, 'rdb_last_save_time'),
    expiredKeys: infoNumber(info, 'expired_keys'),
    commandsProcessed: infoNumber(info, 'total_commands_processed'),
    commandCalls: allowed(stats) ? changingCalls(text(stats as Reply)) : undefined,
  };
}

/** A server that loads answers INFO and nothing else, and its numbers mean nothing. */
async function databasesOf(
  port: RedisPort,
  info: string,
  size: Reply | RedisError | undefined,
  onOwnConnection: OnOwnConnection | undefined,
): Promise<Databases> {
  if (infoField(info, 'loading') === '1') return { databases: [], moreDatabases: true };
  return await readDatabases(port, info, sizeOf(size), onOwnConnection);
}

function masterAddress(info: string): string | undefined {
  const host = infoField(info, 'master_host');
  const port = infoNumber(info, 'master_port');
  return host === undefined || port === undefined ? undefined : addressOf({ host, port });
}

/** Forty zeros stand for none. */
function replicationId(told: string | undefined): string | undefined {
  return told === undefined || /^0*$/.test(told) ? undefined : told;
}

/** Whether a server is a replica, also one that calls itself so by the newer word. */
export function isReplica({ role }: Pick<ServerFacts, 'role'>): boolean {
  return role === 'slave' || role === 'replica';
}

/** Names that nobody has. */
const PROBE_KEYS = ['keyferry:probe-1', 'keyferry:probe-2'].map((name) => Buffer.from(name));

/** How a side is tried. */
export interface Trial {
  /** Makes of a name that nobody has one that the user may touch too, where there is any. */
  readonly named: (name: Buffer) => Buffer;
  /** Whether a command is asked for at all, and was not refused. */
  readonly may: (command: CommandName) => boolean;
}

const everything: Trial = { named: (name) => name, may: () => true };

/** Tries what the source allows. `largest` is the port of its largest database of those to be copied. */
export async function probeSource(
  port: RedisPort,
  largest: RedisPort,
  { named, may }: Trial = everything,
): Promise<SourceAbilities> {
  const keys = PROBE_KEYS.slice(0, 1).map(named);
  // What the scripts of pages need: the clock, and replies packed into one string.
  const scripts =
    (await mayEval(port, "return cmsgpack.pack(redis.call('TIME'))", [], may)) && (await scriptsSeeAll(largest));
  const functions = may('FUNCTION LIST') ? (await port.pipeline([['FUNCTION', 'LIST']]))[0] : undefined;
  const sizes = may('MEMORY USAGE') && isKnown((await port.pipeline([['MEMORY', 'USAGE', keys[0] ?? '']]))[0]);
  // A server may allow it, and not in scripts.
  const sizesInScripts = async () => await mayEval(port, "return redis.call('MEMORY','USAGE',KEYS[1]) or 0", keys, may);
  const dumps = may('DUMP') ? await tryDump(largest, sizes) : false;
  return {
    scripts,
    memoryUsage: sizes && (!scripts || (await sizesInScripts())),
    dump: dumps !== false,
    ...(typeof dumps === 'number' ? { payloadVersion: dumps } : {}),
    cursorOrder: await hasCursorOrder(largest),
    functions: Array.isArray(functions) ? functions.length : 0,
    ...(await modulesOf(port, may)),
  };
}

/** What a script sees of the keys: how many there are, and the first of a walk. */
const SEEN_BY_SCRIPT =
  "local size = redis.pcall('DBSIZE') return {type(size) == 'number' and size or -1, redis.call('SCAN','0','COUNT','10')}";
/** A server that is written to may seldom tell both ways the same. */
const LOOKS = 5;

/**
 * Whether scripts see the keys that commands do: behind an endpoint of several servers a script runs on one of them, without a word.
 * Both must count as many keys and begin a walk alike, in one of a few looks. Where neither is told to both, nothing speaks against it.
 */
export async function scriptsSeeAll(port: RedisPort): Promise<boolean> {
  for (let look = 1; look <= LOOKS; look++) {
    const [before, seen, walk, after] = await port.pipeline([
      ['DBSIZE'],
      ['EVAL', SEEN_BY_SCRIPT, '0'],
      ['SCAN', '0', 'COUNT', '10'],
      ['DBSIZE'],
    ]);
    const told = granted(seen);
    // What refuses a script to SCAN tells its reader so.
    if (!Array.isArray(told)) return true;
    const [size, walked] = told;
    const least = Math.min(...[before, after].map((reply) => Number(granted(reply) ?? 0)));
    const isCounted = size === -1 || Number(size) >= least;
    if (isCounted && JSON.stringify(walked) === JSON.stringify(granted(walk))) return true;
  }
  return false;
}

/** What the scripts of a cluster's pages call. */
const SLOT_PAGE =
  "redis.call('TIME') cmsgpack.pack(1) redis.call('CLUSTER','INFO') redis.call('CLUSTER','NODES') redis.call('CLUSTER','KEYSLOT','k') redis.call('CLUSTER','COUNTKEYSINSLOT',0) return redis.call('CLUSTER','GETKEYSINSLOT',0,1)";

/** The same of a cluster. Its slots are walked, whatever cursors its nodes have. @param masters each by itself */
export async function probeClusterSource(
  port: RedisPort,
  masters: readonly RedisPort[],
  trial: Trial = everything,
): Promise<SourceAbilities> {
  const abilities = await probeSource(port, port, trial);
  const walk = await probeClusterWalk(masters, trial);
  const versions: number[] = [];
  // A node without keys tells none.
  for (const master of abilities.dump ? masters : [])
    versions.push((await writtenVersion(master, abilities.memoryUsage)) ?? 0);
  const payloadVersion = Math.max(0, ...versions);
  return {
    ...abilities,
    scripts: false,
    ...walk,
    ...(payloadVersion === 0 ? {} : { payloadVersion }),
  };
}

/** How the keys of a cluster are walked: by slots, or, where one master does not allow that, by the cursors of each. */
export async function probeClusterWalk(
  masters: readonly RedisPort[],
  { may }: Trial = everything,
): Promise<Pick<SourceAbilities, 'cursorOrder' | 'nodeWalks'>> {
  let slotPages = may('EVAL') && may('EVALSHA');
  for (const master of masters) {
    if (!slotPages) break;
    const [page] = await master.pipeline([['EVAL', SLOT_PAGE, '0']]);
    slotPages = allowed(page) && (await scriptsSeeAll(master));
  }
  return { cursorOrder: true, ...(slotPages ? {} : { nodeWalks: masters.length }) };
}

/** The payload version that DUMP writes, undefined where no key tells, or false where it is refused. */
async function tryDump(port: RedisPort, sizes: boolean): Promise<number | undefined | false> {
  try {
    return await writtenVersion(port, sizes);
  } catch (error) {
    if (asksOf(error) === 'retry') throw error;
    return false;
  }
}

/** Whether a script runs. Keys that the user may not touch say nothing of that. */
async function mayEval(port: RedisPort, source: string, keys: readonly Buffer[], may: Trial['may']): Promise<boolean> {
  if (!may('EVAL') || !may('EVALSHA')) return false;
  const [reply] = await port.pipeline([['EVAL', source, String(keys.length), ...keys]]);
  return allowed(reply) || isRedisError(reply, 'noRightToKeys');
}

/** Tries what the target allows. What is not asked for is not tried: it can do that, as far as anybody needs to know. */
export async function probeTarget(
  port: RedisPort,
  facts: ServerFacts,
  { named, may }: Trial = everything,
): Promise<TargetAbilities> {
  const keys = PROBE_KEYS.map(named);
  const script = "return redis.call('EXISTS',KEYS[1])+redis.call('EXISTS',KEYS[2])";
  const scripts = await mayEval(port, script, keys, may);
  // A replica refuses RESTORE whatever it could take: it can be looked at and not be written to.
  const payloadVersions = isReplica(facts) ? undefined : may('RESTORE') ? await restorableVersions(port, keys[0]) : [];
  return {
    scripts: scripts && !facts.cluster,
    restore: payloadVersions === undefined || payloadVersions.length > 0,
    ...(payloadVersions === undefined ? {} : { payloadVersions }),
    ...(await modulesOf(port, may)),
    absoluteExpiry: Number.parseInt(facts.compatibleVersion, 10) >= 5,
  };
}

/** A master of a cluster that is tried by itself. */
export interface TriedMaster {
  readonly slots: Master['slots'];
  readonly port: RedisPort;
}

/** The same of a cluster, whose nodes may be of several versions: what is taken is what each of its masters takes. */
export async function probeClusterTarget(
  port: RedisPort,
  masters: readonly TriedMaster[],
  facts: ServerFacts,
  trial: Trial = everything,
): Promise<TargetAbilities> {
  const abilities = await probeTarget(port, facts, trial);
  if (abilities.payloadVersions === undefined) return abilities;
  let { payloadVersions } = abilities;
  for (const master of masters) {
    if (payloadVersions.length === 0) break;
    const key = keyIn(master.slots, trial.named);
    if (key !== undefined) payloadVersions = commonOf(payloadVersions, await restorableVersions(master.port, key));
  }
  return { ...abilities, restore: payloadVersions.length > 0, payloadVersions };
}

/** So many names are tried; where the first of them have one slot, all have. */
const MOST_NAMES = 200_000;
const ALIKE = 64;

/** A name that nobody has, in one of these slots; undefined where the user may touch none of them. */
function keyIn(slots: Master['slots'], named: Trial['named']): Buffer | undefined {
  const met = new Set<number>();
  for (let i = 0; i < MOST_NAMES; i++) {
    const key = named(Buffer.from(`keyferry:probe-${i}`));
    const slot = hashSlot(key);
    if (slots.some(([first, last]) => slot >= first && slot <= last)) return key;
    met.add(slot);
    if (i === ALIKE && met.size === 1) return undefined;
  }
  return undefined;
}

/**
 * Whether a server has a database of this number. Leaves the connection in the database it is in (`home`).
 * @throws where it refuses SELECT, and what passes by itself
 */
export async function hasDatabase(port: RedisPort, database: number, home: number): Promise<boolean> {
  const [there] = await port.pipeline([
    ['SELECT', String(database)],
    ['SELECT', String(home)],
  ]);
  // A missing right is no missing database.
  if (isRedisError(there, 'noRight')) throw there;
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
      const [reply] = await port.pipeline([['SCAN', String(cursor), 'COUNT', step === 0 ? '1' : String(FIRST_COUNT)]]);
      // A cursor that a server did not give may be none to it.
      if (isRedisError(reply, 'wrongCursor', 'refused')) return false;
      if (reply instanceof Error) throw reply;
      if (!Array.isArray(reply)) return false;
      const next = BigInt(text(reply[0]));
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
async function modulesOf(port: RedisPort, may: Trial['may']): Promise<{ readonly modules?: readonly LoadedModule[] }> {
  const [info, list] = await port.pipeline([
    ['INFO', 'modules'],
    ...(may('MODULE LIST') ? [['MODULE', 'LIST'] as const] : []),
  ]);
  const modules = parseModules(granted(list), text(granted(info)));
  return modules === undefined ? {} : { modules };
}

/** Whether a server has a command and its user may run it, whatever it makes of this call. @throws what passes by itself */
function isKnown(reply: Reply | RedisError | undefined): boolean {
  granted(reply);
  return reply !== undefined && !isRedisError(reply, 'noRight', 'unknownCommand');
}

function allowed(reply: Reply | RedisError | undefined): boolean {
  return granted(reply) !== undefined;
}

/** Undefined where it is refused. @throws what passes by itself, since it says nothing about what is allowed */
function granted(reply: Reply | RedisError | undefined): Reply | undefined {
  if (reply instanceof Error && reply.asks === 'retry') throw reply;
  return reply instanceof Error ? undefined : reply;
}

function text(reply: Reply | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString('latin1') : String(reply ?? '');
}
