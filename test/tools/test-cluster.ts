import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startCluster, type ClusterOptions } from '../../local/servers/start-cluster';
import type { RunningServer } from '../../local/servers/start-server';
import type { ServerName } from '../../local/servers/server-names';

const AGREEMENT_MS = 30_000;
/** So many slots are on their way at a time. */
const SLOTS_AT_ONCE = 8;

/** A running cluster, with a client to each node. */
export interface TestCluster {
  readonly nodes: readonly RunningServer[];
  /** By the places of the nodes: masters first, as they were at the start. */
  readonly clients: readonly Redis[];
  /** As a side of a migration: its first node. */
  readonly server: { readonly url: string };
  /** Those of its nodes that have slots now, as the node that answers first says. */
  masters(): Promise<{ readonly server: RunningServer; readonly client: Redis }[]>;
  /** A replica of the master at a place. */
  replicaOf(place: number): Promise<{ readonly id: string; readonly server: RunningServer; readonly client: Redis }>;
  /** Keys on those of its nodes that are masters. */
  keys(): Promise<number>;
  /** Removes all keys. */
  flush(): Promise<void>;
  /** What `digest` of a server with the same keys gives; for an odd number of masters. */
  digest(): Promise<string>;
  /** Resolves when all nodes that live name the same owners of all slots, say that the cluster is up, and no slot is on its way. */
  agreed(): Promise<void>;
  /** Moves slots with their keys from one node to another, as redis-cli does, a few keys at a time. All nodes know of it when it resolves. */
  moveSlots(from: number, to: number, slots: readonly number[]): Promise<void>;
  close(): Promise<void>;
}

/** Starts a cluster with DEBUG allowed, unless its nodes are of several versions. */
export async function startTestCluster(name: ServerName, options: ClusterOptions = {}): Promise<TestCluster> {
  const debug = name === 'redis-6.0' || options.mixedWith !== undefined ? [] : ['--enable-debug-command', 'yes'];
  const cluster = await startCluster(name, { ...options, args: [...debug, ...(options.args ?? [])] });
  const clients = cluster.nodes.map((node) => {
    const client = new Redis(node.url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
    client.on('error', () => undefined);
    return client;
  });
  const client = (place: number) => {
    const found = clients[place];
    if (found === undefined) throw new RangeError(`The cluster has no node ${place}.`);
    return found;
  };
  const mastersNow = async () => {
    // During a failover two nodes may call themselves masters; the slots have one.
    const slots = (await client(0).cluster('SLOTS')) as unknown as [number, number, [string, number]][];
    const ports = new Set(slots.map(([, , [, port]]) => port));
    return cluster.nodes.flatMap((server, i) => (ports.has(server.port) ? [{ server, client: client(i) }] : []));
  };
  const masters = async () => (await mastersNow()).map((each) => each.client);
  return {
    nodes: cluster.nodes,
    clients,
    server: { url: cluster.url },
    masters: mastersNow,
    replicaOf: async (place) => {
      const master = client(place);
      const [masterId, nodes] = await Promise.all([master.cluster('MYID'), master.cluster('NODES')]);
      const line = new RegExp(`^(\\S+) \\S+?:(\\d+)@\\S+ slave ${masterId} `, 'm').exec(String(nodes));
      const at = cluster.nodes.findIndex((node) => node.port === Number(line?.[2]));
      const { [at]: server } = cluster.nodes;
      if (line?.[1] === undefined || server === undefined) throw new Error(`Node ${place} has no replica.`);
      return { id: line[1], server, client: client(at) };
    },
    keys: async () => {
      const sizes = await Promise.all((await masters()).map((each) => each.dbsize()));
      return sizes.reduce((sum, size) => sum + size, 0);
    },
    flush: async () => {
      for (const each of await masters()) await each.flushall();
    },
    digest: async () => {
      const digests = await Promise.all(
        (await masters()).map(async (each) => (await each.call('DEBUG', 'DIGEST')) as string),
      );
      // The digest of a data set is the exclusive or of those of its keys, and of one of the database.
      if (digests.length % 2 === 0) throw new RangeError('Of an even number of masters there is no digest.');
      const sum = digests.reduce((a, b) => a ^ BigInt(`0x${b}`), 0n);
      return sum.toString(16).padStart(40, '0');
    },
    agreed: () => agreed(clients),
    moveSlots: async (from, to, slots) => {
      const [source, target] = [client(from), client(to)];
      const [sourceId, targetId] = await Promise.all([source.cluster('MYID'), target.cluster('MYID')]);
      const port = cluster.nodes[to]?.port ?? 0;
      const owners = [target, source, ...(await masters())];
      const move = async (slot: number) => {
        await target.cluster('SETSLOT', slot, 'IMPORTING', sourceId);
        await source.cluster('SETSLOT', slot, 'MIGRATING', targetId);
        for (;;) {
          const keys = (await source.call('CLUSTER', 'GETKEYSINSLOT', slot, 10)) as string[];
          if (keys.length === 0) break;
          await source.call('MIGRATE', '127.0.0.1', port, '', 0, 5_000, 'KEYS', ...keys);
        }
        for (const each of owners) await each.cluster('SETSLOT', slot, 'NODE', targetId);
      };
      // On a busy machine each step of each slot waits for several processes, one after the other.
      for (let at = 0; at < slots.length; at += SLOTS_AT_ONCE) {
        await Promise.all(slots.slice(at, at + SLOTS_AT_ONCE).map(move));
      }
      await agreed(clients);
    },
    close: async () => {
      for (const each of clients) each.disconnect();
      await cluster.kill();
    },
  };
}

/** @throws Error where they still do not after a while */
async function agreed(clients: readonly Redis[]): Promise<void> {
  const saidBy = async (client: Redis) => {
    const [nodes, info] = await Promise.all([client.cluster('NODES'), client.cluster('INFO')]);
    const lines = String(nodes)
      .split('\n')
      .flatMap((line) => {
        const [id = '', , flags = '', , , , , , ...slots] = line.trim().split(' ');
        return flags.includes('master') && slots.length > 0 ? [`${id} ${slots.join(' ')}`] : [];
      });
    return [...lines.sort(), /cluster_state:\w+/.exec(info)?.[0]].join('\n');
  };
  const began = performance.now();
  for (;;) {
    const living = clients.filter(({ status }) => status === 'ready');
    const [first = '', ...others] = await Promise.all(living.map(saidBy));
    const isUp = first.includes('cluster_state:ok') && !first.includes('[');
    if (isUp && others.every((other) => other === first)) return;
    if (performance.now() - began > AGREEMENT_MS)
      throw new Error(`The nodes do not agree:\n${first}\n${others.join('\n')}`);
    await sleep(20);
  }
}
