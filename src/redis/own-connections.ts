import { BulkConnection } from './bulk-connection';
import type { Cluster } from './cluster';
import { RedisConnection } from './connection';
import type { ConnectionSettings } from './connection-settings';
import type { CredentialSource } from './credentials';
import { RedisError } from './errors';
import type { Admits } from './lane';
import type { KeyedPort, RedisPort } from './redis-port';
import { groupsByOwner, routedPipeline, routedSend, type Nodes } from './routing';
import { addressText, type NodeAddress } from './topology';

/** Connections to one database that nobody else uses. */
export interface Own {
  readonly connection: RedisPort;
  /** The server process that the connection leads to; empty in a cluster, whose nodes may take each other's places. */
  readonly runId: string | undefined;
  /** The nodes of a cluster, each by connections that nobody else uses. */
  readonly nodes?: Nodes;
  /** For writing in bulk; not open yet. */
  readonly bulk: KeyedPort & { ready(): Promise<void> };
}

/** Opens and ends them. */
export interface OwnOpener {
  /** @throws RedisError */
  open(): Promise<Own>;
  /**
   * Whether a connection was lost, and further ones to the same servers, on which nothing was sent, were not: whoever ended it did so
   * for what was sent or asked for. @throws RedisError where they were lost as well
   */
  isOneLost(): Promise<boolean>;
  close(): void;
}

/** What connections are opened with. */
export interface OpenedWith {
  readonly settings: ConnectionSettings;
  readonly clientName: string;
  readonly credentials: CredentialSource | undefined;
  readonly admits: Admits | undefined;
}

/** Those to one server process: one for commands, one for writing in bulk, and one that shows whether the others had to be lost. */
class OwnOfServer {
  readonly lane: RedisConnection;
  readonly bulk: BulkConnection;
  private readonly witness: RedisConnection;
  private opening: Promise<void> | undefined;
  private hasLane = false;
  private hasBulk = false;

  constructor({ settings, clientName, credentials, admits }: OpenedWith, database: number) {
    this.lane = new RedisConnection(settings, database, clientName, credentials, admits);
    this.bulk = new BulkConnection(settings, database, clientName, credentials, admits);
    this.witness = new RedisConnection(settings, 0, clientName, credentials);
  }

  /** Opens that for commands. One that is lost is opened no more: whoever lost it begins with others. @throws RedisError */
  async open(): Promise<void> {
    this.opening ??= this.witness.ready().then(async () => {
      await this.lane.ready();
      this.hasLane = true;
    });
    await this.opening;
  }

  async openBulk(): Promise<void> {
    await this.open();
    await this.bulk.ready();
    this.hasBulk = true;
  }

  async isOneLost(): Promise<boolean> {
    const isLost = (this.hasLane && this.lane.runId === undefined) || (this.hasBulk && this.bulk.runId === undefined);
    if (isLost) await this.witness.call('PING');
    return isLost;
  }

  close(): void {
    for (const connection of [this.lane, this.bulk, this.witness]) connection.close();
  }
}

/** To one database of a server alone. */
export function ownOfServer(options: OpenedWith, database: number): OwnOpener {
  const own = new OwnOfServer(options, database);
  const { lane, bulk } = own;
  return {
    open: async () => {
      await own.open();
      return {
        connection: lane,
        runId: lane.runId,
        bulk: { ready: () => own.openBulk(), sendKeyed: (keys, encode) => bulk.sendKeyed(keys, encode) },
      };
    },
    isOneLost: () => own.isOneLost(),
    close: () => {
      own.close();
    },
  };
}

/** To the nodes of a cluster that the call speaks to, opened as it does. */
export function ownOfCluster(cluster: Cluster, options: Omit<OpenedWith, 'settings'>): OwnOpener {
  const nodes = new Set<OwnOfServer>();
  const opened = new Map<string, Promise<OwnOfServer>>();
  /** Those whose connection for writing in bulk is known to lead to the node. */
  const recognised = new Set<OwnOfServer>();
  let isClosed = false;
  const openAt = async (address: NodeAddress, settings: ConnectionSettings): Promise<OwnOfServer> => {
    const own = new OwnOfServer({ ...options, settings }, 0);
    nodes.add(own);
    await own.open();
    if (isClosed) own.close();
    await cluster.recognise(address, own.lane.runId ?? '');
    return own;
  };
  const nodeAt = async (address: NodeAddress): Promise<OwnOfServer> => {
    const settings = await cluster.wayTo(address);
    const text = addressText(address);
    const own = opened.get(text) ?? openAt(address, settings);
    opened.set(text, own);
    return await own;
  };
  const own: Nodes = {
    name: cluster.name,
    ownerOf: (slot) => cluster.ownerOf(slot),
    get anyMaster() {
      return cluster.anyMaster;
    },
    redirected: (redirect, from) => cluster.redirected(redirect, from),
    suspect: () => {
      cluster.suspect();
    },
    lane: async (address) => (await nodeAt(address)).lane,
    bulk: async (address) => {
      const node = await nodeAt(address);
      await node.openBulk();
      if (!recognised.has(node)) await cluster.recognise(address, node.bulk.processId);
      recognised.add(node);
      return node.bulk;
    },
  };
  return {
    open: async () => {
      await cluster.ready();
      return {
        connection: {
          call: async (...command) => {
            const [reply = null] = await routedPipeline(own, [command]);
            if (reply instanceof RedisError) throw reply;
            return reply;
          },
          pipeline: (commands) => routedPipeline(own, commands),
          byServer: (keys) => groupsByOwner(own, keys),
        },
        runId: '',
        nodes: own,
        bulk: { ready: () => cluster.ready(), sendKeyed: (keys, encode) => routedSend(own, keys, encode) },
      };
    },
    isOneLost: async () => (await Promise.all([...nodes].map((node) => node.isOneLost()))).includes(true),
    close: () => {
      isClosed = true;
      for (const node of nodes) node.close();
    },
  };
}
