import { lazyAzureCredential } from '../shared/azure-credential';
import { RedisConnection } from './connection';
import { readConnectionSettings, type ConnectionSettings } from './connection-settings';
import { entraCredentials, type CredentialSource } from './credentials';

/** How many connections one process opens to one database of one Redis. Ranges share them. */
const LANES = 2;
/** A connection that nobody asked for this long is closed. */
const IDLE_MS = 5 * 60_000;

interface Entry {
  readonly lanes: RedisConnection[];
  next: number;
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
    const id = `${name}/${database}`;
    let entry = this.entries.get(id);
    if (entry === undefined) {
      const settings = readConnectionSettings(name, this.settings);
      const credentials = this.credentialsFor(settings);
      const lanes = Array.from(
        { length: LANES },
        () => new RedisConnection(settings, database, this.clientName, credentials),
      );
      entry = { lanes, next: 0 };
      this.entries.set(id, entry);
    }
    const lane = entry.lanes[entry.next++ % LANES];
    if (lane === undefined) throw new Error('unreachable: a connection has at least one lane');
    return lane;
  }

  /** Ends all connections. */
  close(): void {
    clearInterval(this.sweeper);
    for (const entry of this.entries.values()) for (const lane of entry.lanes) lane.close();
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
