import type { App } from '../app/app';
import { safeText } from '../basics/safe-text';
import type { Writer, Writers } from '../migration/live';
import { listClients, type ListedClient } from '../redis/client-list';
import { mayChangeKeys } from '../redis/command-calls';

/** Who has written longer ago is not taken for a writer. */
const LATELY_MS = 10_000;
/** A server with many clients has much to tell: it is asked no more often. */
const EVERY_MS = 1_000;
const MOST_TOLD = 20;
const LONGEST_NAME = 100;

/** A connection from which a replica has what its master writes. */
const MASTER = 'M';

interface Seen {
  readonly client: ListedClient;
  /** The last command that may have changed keys, and when it was run, by this process' monotonic clock, ms. */
  readonly command: string;
  readonly at: number;
}

/**
 * Which clients of a server write to it. A list of clients has only the last command of each: one that reads between its writes is
 * found by looking again and again.
 */
export class WriterList {
  private seen = new Map<string, Seen>();
  private clients = 0;

  /** @param others all clients but the app's own @param now by a monotonic clock, ms */
  see(others: readonly ListedClient[], now: number): void {
    const seen = others.flatMap((client): [string, Seen][] => {
      const at = now - client.idleSeconds * 1_000;
      const mayWrite = client.flags.includes(MASTER) || mayChangeKeys(client.command);
      const latest = mayWrite ? { client, command: client.command, at } : this.seen.get(client.id);
      return latest === undefined ? [] : [[client.id, latest]];
    });
    this.clients = others.length;
    this.seen = new Map(seen);
  }

  /** Those that wrote lately, the last first. */
  told(now: number): Pick<Writers, 'clients' | 'writing' | 'latest'> {
    const lately = [...this.seen.values()].filter(({ at }) => now - at <= LATELY_MS).sort((a, b) => b.at - a.at);
    const latest = lately.slice(0, MOST_TOLD).map(({ client, command, at }): Writer => ({
      name: safeText(client.name, LONGEST_NAME),
      address: safeText(client.address, LONGEST_NAME),
      database: client.database,
      command: safeText(command, LONGEST_NAME),
      secondsAgo: Math.max(0, Math.round((now - at) / 1_000)),
    }));
    return { clients: this.clients, writing: lately.length, latest };
  }
}

/** Looks who writes to the server of a connection. */
export class WriterWatch {
  /** As it was looked last; null before. */
  seen: Writers | null = null;
  private readonly list = new WriterList();
  private lookedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly connection: string,
    private readonly app: Pick<App, 'connections'>,
  ) {}

  /** Looks, unless it did just now. @param at the time, ISO 8601 @throws RedisError of the connection */
  async look(at: string): Promise<void> {
    if (performance.now() - this.lookedAt < EVERY_MS) return;
    this.lookedAt = performance.now();
    const connection = this.app.connections.get(this.connection, 0);
    await connection.ready();
    const lists = await Promise.all((await connection.servers()).map(listClients));
    const now = performance.now();
    const untold = lists.includes(undefined);
    // Each server numbers its clients by itself.
    const clients = lists.flatMap((list, i) => list?.map((client) => ({ ...client, id: `${i} ${client.id}` })) ?? []);
    this.list.see(
      clients.filter((client) => !this.app.connections.isOwn(client)),
      now,
    );
    this.seen = { at, untold, ...this.list.told(now) };
  }
}
