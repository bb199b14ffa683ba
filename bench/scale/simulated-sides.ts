import type { Connections } from '../../src/redis/connections';
import { ownersOf, type View } from '../../src/redis/cluster-views';
import { mergeFacts } from '../../src/redis/merge-facts';
import { readServerFacts, type ServerFacts } from '../../src/redis/probe';
import type { RedisPort } from '../../src/redis/redis-port';
import type { ServerOfSide } from '../../src/redis/routed-connection';
import { parseTopology, type Master } from '../../src/redis/topology';

/** The names of both sides in a request. */
export const SOURCE = 'OLD';
export const TARGET = 'NEW';

const SLOTS = 16_384;
const FIRST_PORT = 10_000;
const BYTES_A_KEY = 200;

/** What stands for the servers of both sides: they answer what they are asked about themselves, and hold nothing but numbers. */
export interface SimulatedSides {
  readonly connections: Connections;
  /** Keys that the target has by now. */
  written: number;
  /** What each side tells, as if it was asked. */
  facts(name: string): Promise<ServerFacts>;
}

/** A source that is one server with so many keys, and a target that is a cluster of so many masters. */
export function simulateSides(keys: number, shards: number): SimulatedSides {
  const masters = mastersOf(shards);
  const sides = { written: 0 };
  const servers: Readonly<Record<string, readonly ServerOfSide[]>> = {
    [SOURCE]: [{ port: answering(() => ({ id: idOf(0xffff), keys, restored: 0, cluster: false })) }],
    [TARGET]: masters.map((master, place) => ({
      master,
      port: answering(() => {
        const own = Math.floor(sides.written / shards) + (place < sides.written % shards ? 1 : 0);
        return { id: idOf(place), keys: own, restored: own, cluster: true };
      }),
    })),
  };
  // No slot moves: there is one answer to who has them, before and after.
  const owners = ownersOf(viewsOf(masters));
  const connection = (name: string) => ({
    ready: () => Promise.resolve(),
    eachServer: () => Promise.resolve(servers[name]),
    cluster:
      name === TARGET ? { isOne: true, known: owners, agreement: () => Promise.resolve(owners) } : { isOne: false },
  });
  return Object.assign(sides, {
    // Of connections nothing else is asked where no key is read or written.
    connections: { get: connection, processesOf: () => [] } as unknown as Connections,
    facts: async (name: string) =>
      mergeFacts(
        await Promise.all(
          (servers[name] ?? []).map(async ({ port, master }) => {
            if (port instanceof Error) throw port;
            const facts = await readServerFacts(port);
            return master === undefined ? facts : { ...facts, cluster: true };
          }),
        ),
      ),
  });
}

interface Told {
  readonly id: string;
  readonly keys: number;
  /** Of them, those that came by RESTORE since the process began. */
  readonly restored: number;
  readonly cluster: boolean;
}

function answering(told: () => Told): RedisPort {
  const reply = ([name, section]: readonly unknown[]) => {
    if (name !== 'INFO') return told().keys;
    return Buffer.from(section === undefined ? infoOf(told()) : callsOf(told()));
  };
  return {
    call: (...command) => Promise.resolve(reply(command)),
    pipeline: (commands) => Promise.resolve(commands.map(reply)),
  };
}

function callsOf({ restored }: Told): string {
  return `# Commandstats\r\ncmdstat_set:calls=1,usec=1\r\ncmdstat_restore:calls=${restored},usec=1\r\n`;
}

/** What matters of INFO. */
function infoOf({ id, keys, restored, cluster }: Told): string {
  return [
    ...['# Server', 'redis_version:7.0.15', `run_id:${id}`, '# Persistence', 'loading:0'],
    ...[`rdb_changes_since_last_save:${restored}`, 'rdb_last_save_time:1790000000', '# Memory', 'maxmemory:0'],
    ...[`used_memory:${keys * BYTES_A_KEY}`, 'maxmemory_policy:noeviction', '# Stats', 'total_commands_processed:1000'],
    ...['expired_keys:0', 'evicted_keys:0', '# Replication', 'role:master', `master_replid:${id}`],
    ...['# Cluster', `cluster_enabled:${cluster ? 1 : 0}`, '# Keyspace'],
    ...(keys === 0 ? [] : [`db0:keys=${keys},expires=0,avg_ttl=0`]),
    '',
  ].join('\r\n');
}

function mastersOf(shards: number): Master[] {
  return Array.from({ length: shards }, (_, place) => ({
    id: idOf(place),
    host: `10.0.${place >> 8}.${place & 255}`,
    port: FIRST_PORT,
    slots: [[Math.ceil((place * SLOTS) / shards), Math.ceil(((place + 1) * SLOTS) / shards) - 1]],
  }));
}

/** What each master of a cluster that is at one says of all of them. */
function viewsOf(masters: readonly Master[]): View[] {
  const slots = masters.map(({ id = '', host, port, slots: [run = [0, 0]] }) => [
    ...run,
    [Buffer.from(host), port, Buffer.from(id), []],
  ]);
  const lines = masters.map(({ id, host, port, slots: [[first, last] = [0, 0]] }, place) => ({
    before: `${id} ${host}:${port}@${port + 10_000} `,
    behind: `master - 0 0 ${place + 1} connected ${first}-${last}`,
  }));
  return masters.map((node, self) => ({
    node,
    topology: parseTopology(slots, node.host),
    nodes: lines.map(({ before, behind }, place) => `${before}${place === self ? 'myself,' : ''}${behind}`).join('\n'),
    info: 'cluster_state:ok\r\n',
  }));
}

function idOf(place: number): string {
  return (BigInt(place + 1) * 0x9e3779b97f4a7c15f39cc0605cedc834n).toString(16).padStart(40, '0').slice(-40);
}
