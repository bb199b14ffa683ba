import { Turns } from '../basics/turns';
import { lazyAzureCredential } from '../identity/azure-credential';
import { BulkConnection } from './bulk-connection';
import { endClients, isListener, listClients, type ListedClient } from './client-list';
import { ClientRoom } from './client-room';
import { Cluster } from './cluster';
import { RedisConnection } from './connection';
import { addressOf, readConnectionSettings, type ConnectionSettings } from './connection-settings';
import { entraCredentials, type CredentialSource } from './credentials';
import { isRedisError, RedisError } from './errors';
import { openFeeds, type Feed, type FeedEvents, type FeedKind } from './feed-connection';
import { DatabaseBulk, DatabaseConnection } from './database-connection';
import type { Admits } from './lane';
import { LanePool } from './lane-pool';
import { ownOfCluster, ownOfServer, type Own } from './own-connections';
import { RoutedBulk, RoutedConnection } from './routed-connection';
import { idsToldBy, oneOfEach } from './told-ids';

/** How many connections the ranges of one database share. */
const LANES = 2;
/** How many connections one process opens to one Redis; where there are more databases, they share them. */
const MOST_LANES = 12;
/** For writing keys in bulk; one to a database is enough, since its commands go out without waiting for replies. */
const MOST_BULKS = 6;
/** Calls that have connections of their own at the same time, by what they do about memory. Few ask for it meanwhile. */
const ALONE_AT_ONCE = { held: 4, asked: 2 } as const;
/** A connection that nobody asked for this long is closed. */
const IDLE_MS = 5 * 60_000;

/** One database of one Redis. */
interface Entry {
  readonly lanes: readonly RoutedConnection[];
  next: number;
  readonly bulk: RoutedBulk;
}

/** What leads to one Redis. */
interface Server {
  readonly lanes: LanePool<RedisConnection>;
  readonly bulks: LanePool<BulkConnection>;
  readonly room: ClientRoom;
  /** Of those who have connections of their own. Who reads over one may wait for one to write over, not the other way round. */
  readonly turns: Readonly<Record<OwnWay['kind'], Readonly<Record<OwnWay['memory'], Turns>>>>;
}

/** What a connection must not lead to: the processes of the other side of a migration. */
export interface Apart {
  /** The connection that leads there: to whatever process, in whatever moment. */
  readonly from: string;
  /** Those that are known, by their run ids, whether anything here leads to them at the moment or not. */
  readonly processes: readonly string[];
}

/** Where connections of a call's own lead, and what it means where the server ends one for what the call does. */
export interface OwnWay {
  readonly name: string;
  readonly database: number;
  readonly kind: 'replyTooLong' | 'valueTooLong';
  /**
   * Whether the call has the memory that it needs, or asks for some while it has the connections. Who has memory may wait for a turn,
   * and so never waits for those who have a turn and wait for memory (see BytesInFlight).
   */
  readonly memory: 'held' | 'asked';
  readonly apart?: Apart | undefined;
}

/** The process's connections, by name and database, opened on first use and shared by everything that runs in it. */
export class Connections {
  private readonly entries = new Map<string, Entry>();
  private readonly servers = new Map<string, Server>();
  private readonly clusters = new Map<string, Cluster>();
  private readonly credentialSources = new Map<string, CredentialSource>();
  private readonly sweeper: NodeJS.Timeout;

  constructor(
    private readonly settings: Readonly<Record<string, string | undefined>>,
    /** In CLIENT LIST; what is behind its last "-" is this process'. */
    private readonly clientName: string,
  ) {
    this.sweeper = setInterval(() => {
      this.closeIdle();
    }, 60_000);
    this.sweeper.unref();
  }

  /** Whether a client of a server is one of this app, in whatever process. */
  isOwn(client: { readonly name: string }): boolean {
    return client.name.startsWith(this.clientName.slice(0, this.clientName.lastIndexOf('-') + 1));
  }

  /**
   * Ends the connections of this app's other processes to a Redis, as far as the user may: what one that is frozen or cut off has sent, and the
   * server has not been given, never comes there then. Those by which changes are told stay. Whoever lives opens its own anew.
   * @throws RedisError
   */
  async endOthers(name: string): Promise<void> {
    const connection = this.get(name, 0);
    await connection.ready();
    const isOther = (client: ListedClient) =>
      this.isOwn(client) && client.name !== this.clientName && !isListener(client);
    for (const server of await connection.servers()) {
      const others = (await listClients(server))?.filter(isOther) ?? [];
      await endClients(server, others);
    }
  }

  /**
   * A connection to one database of the Redis that the settings name so; not necessarily open yet.
   * @param apart what nothing may be sent to over it: a call that would be fails with `sameServer`
   * @throws ConnectionSettingsError when the settings have no such name, or cannot be read
   */
  get(name: string, database: number, apart?: Apart): RoutedConnection {
    const { lanes, next } = this.entry(name, database);
    const lane = lanes[next % LANES];
    if (lane === undefined) throw new Error('unreachable: a connection has at least one lane');
    return apart === undefined ? lane : lane.admitting(this.keeping(name, apart));
  }

  /** The same for writing keys in bulk to one database. @throws ConnectionSettingsError */
  bulk(name: string, database: number, apart?: Apart): RoutedBulk {
    const { bulk } = this.entry(name, database);
    return apart === undefined ? bulk : bulk.admitting(this.keeping(name, apart));
  }

  private keeping(name: string, { from, processes }: Apart): Admits {
    return (runId) => {
      if (runId === '') return;
      if (processes.includes(runId) || this.leadsTo(from, runId)) throw new RedisError('sameServer', name);
    };
  }

  /** Whether an open connection of this name leads to a server process. */
  private leadsTo(name: string, runId: string): boolean {
    const open = [...this.connectionsOf(name), ...(this.clusters.get(name)?.connections ?? [])];
    return open.some((each) => (each instanceof BulkConnection ? each.processId : each.runId) === runId);
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
   * Opens so many further connections to database 0 at the same time, and gives the run ids of the processes that they led to, of those
   * that are of one cluster the first. Those that the server does not take, and nodes that do not tell of which cluster they are, are left out.
   */
  async metBy(name: string, count: number): Promise<string[]> {
    const settings = readConnectionSettings(name, this.settings);
    const { lanes, room } = this.server(name, settings);
    const free = lanes.anyOpen === undefined ? undefined : await room.free(lanes.anyOpen);
    const open = Array.from({ length: Math.min(count, Math.floor((free ?? Infinity) / 2)) }, () =>
      this.newConnection(name, 0),
    );
    try {
      const isCluster = this.clusters.get(name)?.isOne === true;
      const asked = open.map(async (connection) => {
        await connection.ready();
        const { runId = '' } = connection;
        const ids = isCluster ? (await idsToldBy(connection)).ids : [runId];
        return { runId, ids };
      });
      const met = (await Promise.allSettled(asked)).flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
      return oneOfEach(met.filter(({ runId, ids }) => runId !== '' && ids.length > 0)).map(({ runId }) => runId);
    } finally {
      for (const connection of open) connection.close();
    }
  }

  private connectionsOf(name: string): readonly (RedisConnection | BulkConnection)[] {
    const server = this.servers.get(name);
    return server === undefined ? [] : [...server.lanes.connections, ...server.bulks.connections];
  }

  /** The database that a connection ends in, where it does. @throws ConnectionSettingsError */
  databaseOf(name: string): number | undefined {
    return readConnectionSettings(name, this.settings).database;
  }

  /** Where the Redis listens that the settings name so, however it is spelt there. @throws ConnectionSettingsError */
  addressOf(name: string): string {
    return addressOf(readConnectionSettings(name, this.settings));
  }

  /** How the settings say that a Redis is reached, without anything secret. @throws ConnectionSettingsError */
  wayOf(name: string): { readonly tls: boolean; readonly signsIn: 'entra' | 'password' | 'not' } {
    const { tls, entra, password } = readConnectionSettings(name, this.settings);
    return { tls, signsIn: entra !== undefined ? 'entra' : password !== undefined ? 'password' : 'not' };
  }

  /** How many clients more a Redis takes, beside those left to others; undefined where it does not tell. @throws RedisError */
  async roomOf(name: string): Promise<number | undefined> {
    const connection = this.get(name, 0);
    await connection.ready();
    const rooms = await Promise.all((await connection.servers()).map((server) => new ClientRoom().free(server)));
    return rooms.includes(undefined) ? undefined : Math.min(...rooms.map((room) => room ?? 0));
  }

  /** Gives a call a connection to database 0 of its own, so that it may change what holds for a connection. */
  async withOwn<T>(name: string, call: (connection: RedisConnection) => Promise<T>): Promise<T> {
    return await onOne(this.newConnection(name, 0), call);
  }

  /**
   * Gives a call connections to a database that nobody else uses, in a cluster to each node that it speaks to. Where one of them is lost
   * and another one to the same server, on which nothing was sent, is not, the server ends it for what the call sends or asks for.
   * @param stop asked while others are waited for
   * @throws RedisError of the way's kind then, and what the call and `stop` throw
   */
  async alone<T>(
    { name, database, kind, memory, apart }: OwnWay,
    call: (own: Own) => Promise<T>,
    stop?: { check(): void },
  ): Promise<T> {
    const settings = readConnectionSettings(name, this.settings);
    const { clientName } = this;
    const credentials = this.credentialsFor(settings);
    const admits = apart && this.keeping(name, apart);
    const cluster = this.clusters.get(name);
    const withThose = async () => {
      const own =
        cluster?.isOne === true
          ? ownOfCluster(cluster, { clientName, credentials, admits })
          : ownOfServer({ settings, clientName, credentials, admits }, database);
      try {
        const opened = await own.open();
        return await call(opened).catch(async (error: unknown) => {
          if (!isRedisError(error, 'connectionLost') || error.connection !== name) throw error;
          throw (await own.isOneLost()) ? new RedisError(kind, name, { cause: error }) : error;
        });
      } finally {
        own.close();
      }
    };
    const { turns } = this.server(name, settings);
    return await turns[kind][memory].take(withThose, () => stop?.check());
  }

  private newConnection(name: string, database: number): RedisConnection {
    const settings = readConnectionSettings(name, this.settings);
    return new RedisConnection(settings, database, this.clientName, this.credentialsFor(settings));
  }

  /**
   * Opens a feed of the keys that change on a Redis, of a cluster one that has those of all its masters; its end is its owner's matter.
   * @throws NoFeedError, RedisError, ConnectionSettingsError
   */
  async feed(name: string, kinds: readonly FeedKind[], events: FeedEvents): Promise<Feed> {
    const seed = readConnectionSettings(name, this.settings);
    const connection = this.get(name, 0);
    await connection.ready();
    const ways = connection.cluster.isOne ? await connection.cluster.waysToMasters() : [seed];
    const optionsOf = (settings: ConnectionSettings) => ({
      settings,
      credentials: this.credentialsFor(seed),
      clientName: this.clientName,
    });
    return await openFeeds(ways.map(optionsOf), kinds, events);
  }

  private entry(name: string, database: number): Entry {
    const id = `${name}/${database}`;
    let entry = this.entries.get(id);
    if (entry === undefined) {
      const settings = readConnectionSettings(name, this.settings);
      const cluster = this.clusterOf(name, settings);
      const { lanes, bulks } = this.server(name, settings);
      entry = {
        lanes: Array.from(
          { length: LANES },
          () => new RoutedConnection(new DatabaseConnection(lanes, settings.name, database), cluster),
        ),
        next: 0,
        bulk: new RoutedBulk(new DatabaseBulk(bulks, settings.name, database), cluster, {
          ready: () => this.get(name, database).ready(),
        }),
      };
      this.entries.set(id, entry);
    }
    entry.next++;
    return entry;
  }

  /** Ends all connections. */
  close(): void {
    clearInterval(this.sweeper);
    for (const name of this.servers.keys()) this.reopen(name);
    for (const cluster of this.clusters.values()) cluster.close();
    this.entries.clear();
    this.servers.clear();
    this.clusters.clear();
  }

  private server(name: string, settings: ConnectionSettings): Server {
    let server = this.servers.get(name);
    if (server === undefined) {
      const credentials = this.credentialsFor(settings);
      const room = new ClientRoom();
      const hasRoom = async () => {
        const open = lanes.anyOpen;
        return open === undefined || ((await room.free(open)) ?? 1) > 0;
      };
      const lanes = new LanePool(
        MOST_LANES,
        () => new RedisConnection(settings, 0, this.clientName, credentials),
        hasRoom,
      );
      const bulks = new LanePool(
        MOST_BULKS,
        () => new BulkConnection(settings, 0, this.clientName, credentials),
        hasRoom,
      );
      const turnsOf = () => ({ held: new Turns(ALONE_AT_ONCE.held), asked: new Turns(ALONE_AT_ONCE.asked) });
      const turns = { replyTooLong: turnsOf(), valueTooLong: turnsOf() };
      server = { lanes, bulks, room, turns };
      this.servers.set(name, server);
    }
    return server;
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
    // They stay: who holds one may open it again, and it must end with the others.
    for (const { lanes } of this.servers.values()) {
      for (const lane of lanes.connections) if (performance.now() - lane.lastUse >= IDLE_MS) lane.close();
    }
  }
}

/** Opens a connection for a call, and ends it. @throws RedisError, and what the call throws */
async function onOne<C extends { ready(): Promise<void>; close(): void }, T>(
  connection: C,
  call: (connection: C) => Promise<T>,
): Promise<T> {
  try {
    await connection.ready();
    return await call(connection);
  } finally {
    connection.close();
  }
}
