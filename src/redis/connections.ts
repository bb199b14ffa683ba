import { lazyAzureCredential } from '../identity/azure-credential';
import { BulkConnection } from './bulk-connection';
import { RedisConnection } from './connection';
import { addressOf, readConnectionSettings, type ConnectionSettings } from './connection-settings';
import { entraCredentials, type CredentialSource } from './credentials';

/** How many connections one process opens to one database of one Redis. Ranges share them. */
const LANES = 2;
/** A connection that nobody asked for this long is closed. */
const IDLE_MS = 5 * 60_000;

interface Entry {
  readonly lanes: RedisConnection[];
  next: number;
  /** For writing keys in bulk; one is enough, since its commands go out without waiting for replies. */
  readonly bulk: BulkConnection;
}

/** The process's connections, by name and database, opened on first use and shared by everything that runs in it. */
export class Connections {
  private readonly entries = new Map<string, Entry>();
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
  get(name: string, database: number): RedisConnection {
    const { lanes, next } = this.entry(name, database);
    const lane = lanes[next % LANES];
    if (lane === undefined) throw new Error('unreachable: a connection has at least one lane');
    return lane;
  }

  /** The connection for writing keys in bulk to one database; not necessarily open yet. @throws ConnectionSettingsError */
  bulk(name: string, database: number): BulkConnection {
    return this.entry(name, database).bulk;
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
      const lanes = Array.from(
        { length: LANES },
        () => new RedisConnection(settings, database, this.clientName, credentials),
      );
      const bulk = new BulkConnection(settings, database, this.clientName, credentials);
      entry = { lanes, next: 0, bulk };
      this.entries.set(id, entry);
    }
    entry.next++;
    return entry;
  }

  /** Ends all connections. */
  close(): void {
    clearInterval(this.sweeper);
    for (const { lanes, bulk } of this.entries.values()) for (const lane of [...lanes, bulk]) lane.close();
    this.entries.clear();
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
    for (const { lanes } of this.entries.values()) {
      if (lanes.some((lane) => Date.now() - lane.lastUse < IDLE_MS)) continue;
      for (const lane of lanes) lane.close();
    }
  }
}
