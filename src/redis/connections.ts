import { lazyAzureCredential } from '../identity/azure-credential';
import { BulkConnection } from './bulk-connection';
import { Cluster } from './cluster';
import { RedisConnection } from './connection';
import { addressOf, readConnectionSettings, type ConnectionSettings } from './connection-settings';
import { entraCredentials, type CredentialSource } from './credentials';
import { RoutedBulk, RoutedConnection } from './routed-connection';

/** How many connections one process opens to one database of one Redis. Ranges share them. */
const LANES = 2;
/** A connection that nobody asked for this long is closed. */
const IDLE_MS = 5 * 60_000;

interface Entry {
  readonly seeds: readonly RedisConnection[];
  readonly lanes: readonly RoutedConnection[];
  next: number;
  readonly bulkSeed: BulkConnection;
  /** For writing keys in bulk; one is enough, since its commands go out without waiting for replies. */
  readonly bulk: RoutedBulk;
}

/** The process's connections, by name and database, opened on first use and shared by everything that runs in it. */
export class Connections {
  private readonly entries = new Map<string, Entry>();
  private readonly clusters = new Map<string, Cluster>();
  private readonly credentialSources = new Map<string, CredentialSource>();
  private readonly sweeper: NodeJS.Timeout;

  constructor(
    private readonly settings: Readonly<Record<string, string | undefined>>,
    private readonly clientName: string,
  ) {
    this.sweeper = setInterval(() => {
      this.closeIdle();
    }, 60_000);
    this.sweeper.unref();
  }

  /**
   * A connection to one database of the Redis that the settings name so; not necessarily open yet.
   * @throws ConnectionSettingsError when the settings have no such name, or cannot be read
   */
  get(name: string, database: number): RoutedConnection {
    const { lanes, next } = this.entry(name, database);
    const lane = lanes[next % LANES];
    if (lane === undefined) throw new Error('unreachable: a connection has at least one lane');
    return lane;
  }

  /** The connection for writing keys in bulk to one database; not necessarily open yet. @throws ConnectionSettingsError */
  bulk(name: string, database: number): RoutedBulk {
    return this.entry(name, database).bulk;
  }

  /**
   * The server processes, by their run ids, that open connections of this name lead to. More than one: those before a failover, or an
   * endpoint of several servers. None of a cluster, whose nodes are all reached.
   */
  processesOf(name: string): string[] {
    if (this.clusters.get(name)?.isOne === true) return [];
    const ids = this.connectionsOf(name).map((each) => (each instanceof BulkConnection ? each.processId : each.runId));
    return [...new Set(ids.filter((id) => id !== undefined && id !== ''))] as string[];
  }

  /** Has each connection of this name opened anew when it is needed next; what is under way fails as when it is lost. */
  reopen(name: string): void {
    for (const connection of this.connectionsOf(name)) connection.close();
  }

  /**
   * Opens so many further connections to database 0 at the same time, and gives the run ids of the processes that they led to.
   * Those that the server does not take are left out.
   */
  async metBy(name: string, count: number): Promise<string[]> {
    const settings = readConnectionSettings(name, this.settings);
    const open = Array.from(
      { length: count },
      () => new RedisConnection(settings, 0, this.clientName, this.credentialsFor(settings)),
    );
    try {
      await Promise.allSettled(open.map((connection) => connection.ready()));
      return [...new Set(open.flatMap(({ runId }) => (runId === undefined || runId === '' ? [] : runId)))];
    } finally {
      for (const connection of open) connection.close();
    }
  }

  private connectionsOf(name: string): (RedisConnection | BulkConnection)[] {
    const prefix = `${name}/`;
    return [...this.entries].flatMap(([id, { seeds, bulkSeed }]) =>
      id.startsWith(prefix) ? [...seeds, bulkSeed] : [],
    );
  }

  /** Where the Redis listens that the settings name so, however it is spelt there. @throws ConnectionSettingsError */
  addressOf(name: string): string {
    return addressOf(readConnectionSettings(name, this.settings));
  }

  /** Gives a call a connection to database 0 of its own, so that it may change what holds for a connection. */
  async withOwn<T>(name: string, call: (connection: RedisConnection) => Promise<T>): Promise<T> {
    const settings = readConnectionSettings(name, this.settings);
    const connection = new RedisConnection(settings, 0, this.clientName, this.credentialsFor(settings));
    try {
      await connection.ready();
      return await call(connection);
    } finally {
      connection.close();
    }
  }

  private entry(name: string, database: number): Entry {
    const id = `${name}/${database}`;
    let entry = this.entries.get(id);
    if (entry === undefined) {
      const settings = readConnectionSettings(name, this.settings);
      const credentials = this.credentialsFor(settings);
      const cluster = this.clusterOf(name, settings);
      const seeds = Array.from(
        { length: LANES },
        () => new RedisConnection(settings, database, this.clientName, credentials),
      );
      const lanes = seeds.map((seed) => new RoutedConnection(seed, cluster));
      const bulkSeed = new BulkConnection(settings, database, this.clientName, credentials);
      entry = {
        seeds,
        lanes,
        next: 0,
        bulkSeed,
        bulk: new RoutedBulk(bulkSeed, cluster, { ready: () => this.get(name, database).ready() }),
      };
      this.entries.set(id, entry);
    }
    entry.next++;
    return entry;
  }

  /** Ends all connections. */
  close(): void {
    clearInterval(this.sweeper);
    for (const { seeds, bulkSeed } of this.entries.values()) for (const each of [...seeds, bulkSeed]) each.close();
    for (const cluster of this.clusters.values()) cluster.close();
    this.entries.clear();
    this.clusters.clear();
  }

  /** Shared by all databases: a cluster has only one. */
  private clusterOf(name: string, settings: ConnectionSettings): Cluster {
    const cluster = this.clusters.get(name) ?? new Cluster(settings, this.clientName, this.credentialsFor(settings));
    this.clusters.set(name, cluster);
    return cluster;
  }

  private credentialsFor({ entra }: ConnectionSettings): CredentialSource | undefined {
    if (entra === undefined) return undefined;
    const key = entra.clientId ?? '';
    let source = this.credentialSources.get(key);
    if (source === undefined) {
      const { clientId } = entra;
      source = entraCredentials(lazyAzureCredential(clientId));
      this.credentialSources.set(key, source);
    }
    return source;
  }

  private closeIdle(): void {
    // Entries stay: who holds a lane of one may open it again, and it must end with the others.
    for (const { seeds } of this.entries.values()) {
      if (seeds.some((seed) => performance.now() - seed.lastUse < IDLE_MS)) continue;
      for (const seed of seeds) seed.close();
    }
  }
}
