import { Redis } from 'ioredis';
import { SLOTS } from '../../src/keyspace/hash-slot';
import { freePort } from './free-port';
import type { ServerName } from './server-names';
import { startServer, type RunningServer, type StartOptions } from './start-server';

/** The cluster bus of a node listens so far above its port; not all versions let it be elsewhere. */
const BUS_OFFSET = 10_000;
/** How far above a node's port it speaks TLS, where that is asked for. */
export const TLS_OFFSET = 5_000;
const HIGHEST_PORT = 65_535 - BUS_OFFSET;
/** Forming a cluster takes no longer. */
const LONGEST_FORMING_MS = 60_000;

/** What `startCluster` may be told, besides what each of its servers may. */
export interface ClusterOptions extends Omit<StartOptions, 'port' | 'dataFolder' | 'rdb' | 'tls'> {
  /** 3 where left out. */
  readonly masters?: number;
  /** Every second node is of this version. */
  readonly mixedWith?: ServerName;
  /** Replicas of each master; none where left out. */
  readonly replicas?: number;
  /** After so long without an answer a node is taken for gone, ms. */
  readonly nodeTimeoutMs?: number;
  /** PEM files; each node then speaks TLS as well, on a port that is `TLS_OFFSET` above its own. */
  readonly tlsBeside?: { readonly cert: string; readonly key: string };
}

/** A cluster on 127.0.0.1. */
export interface RunningCluster {
  /** Masters first, as they were when it was formed; then the replicas of the first, of the second … */
  readonly nodes: readonly RunningServer[];
  /** The URL of the first node. */
  readonly url: string;
  /** Ends all nodes at once. */
  kill(): Promise<void>;
}

/** Starts servers, forms a cluster of them with the slots divided evenly, and waits until every node serves it. */
export async function startCluster(
  name: ServerName,
  {
    masters = 3,
    replicas = 0,
    nodeTimeoutMs = 3_000,
    args = [],
    tlsBeside,
    mixedWith = name,
    ...options
  }: ClusterOptions = {},
): Promise<RunningCluster> {
  const nodes: RunningServer[] = [];
  const kill = async () => {
    await Promise.all(nodes.map((node) => node.kill()));
  };
  try {
    for (let i = 0; i < masters * (1 + replicas); i++) {
      nodes.push(
        await onFreePorts((port) =>
          startServer(i % 2 === 0 ? name : mixedWith, {
            ...options,
            port,
            args: [
              ...['--cluster-enabled', 'yes', '--cluster-node-timeout', String(nodeTimeoutMs)],
              ...['--cluster-require-full-coverage', 'yes', ...tlsArguments(port, tlsBeside), ...args],
            ],
          }),
        ),
      );
    }
    await form(nodes, masters, options.password);
    const [first] = nodes;
    if (first === undefined) throw new RangeError('A cluster has one master at least.');
    return { nodes, url: first.url, kill };
  } catch (error) {
    await kill();
    throw error;
  }
}

function tlsArguments(port: number, files: ClusterOptions['tlsBeside']): string[] {
  if (files === undefined) return [];
  const pem = ['--tls-cert-file', files.cert, '--tls-key-file', files.key, '--tls-ca-cert-file', files.cert];
  return ['--tls-port', String(port + TLS_OFFSET), '--tls-auth-clients', 'no', ...pem];
}

/** A port whose bus port is free too; somebody may take either meanwhile. */
async function onFreePorts(start: (port: number) => Promise<RunningServer>): Promise<RunningServer> {
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    if (port > HIGHEST_PORT) continue;
    try {
      return await start(port);
    } catch (error) {
      if (tries === 10 || !/address already in use|Failed listening/i.test((error as Error).message)) throw error;
    }
  }
}

async function form(nodes: readonly RunningServer[], masters: number, password?: string): Promise<void> {
  const clients = nodes.map(
    ({ port }) => new Redis({ host: '127.0.0.1', port, ...(password === undefined ? {} : { password }) }),
  );
  for (const client of clients) client.on('error', () => undefined);
  try {
    const [first] = nodes;
    for (const [i, client] of clients.entries()) {
      await client.cluster('SET-CONFIG-EPOCH', i + 1);
      if (i > 0 && first !== undefined) await client.cluster('MEET', '127.0.0.1', first.port);
      if (i >= masters) continue;
      const from = Math.floor((i * SLOTS) / masters);
      const to = Math.floor(((i + 1) * SLOTS) / masters);
      await client.cluster('ADDSLOTS', ...Array.from({ length: to - from }, (_, place) => from + place));
    }
    const ids = await Promise.all(clients.map(async (client) => await client.cluster('MYID')));
    const all = () => clients.map(async (client) => (await client.cluster('NODES')) as string);
    await until(async () => (await Promise.all(all())).every((text) => ids.every((id) => text.includes(id))));
    const each = (nodes.length - masters) / masters;
    for (let i = masters; i < nodes.length; i++) {
      await clients[i]?.cluster('REPLICATE', ids[Math.floor((i - masters) / each)] ?? '');
    }
    await until(async () => {
      const states = await Promise.all(clients.map(async (client) => await client.cluster('INFO')));
      const links = await Promise.all(clients.slice(masters).map(async (client) => client.info('replication')));
      return (
        states.every((state) => state.includes('cluster_state:ok')) &&
        links.every((link) => link.includes('master_link_status:up'))
      );
    });
  } finally {
    for (const client of clients) client.disconnect();
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + LONGEST_FORMING_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`The cluster was not formed within ${LONGEST_FORMING_MS} ms.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
