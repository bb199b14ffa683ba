import { Redis } from 'ioredis';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startServer, type RunningServer } from '../../local/servers/start-server';
import type { SideName } from './journal';
import type { ServerChoice } from './scenario';
import type { TcpProxy } from './tcp-proxy';
import { holdsWithin, isAlive } from './wait';

/** One side of a migration: its server, a replica where it has one, and the app's way to it. */
export class ServerSide {
  private replica: RunningServer | undefined;
  private readonly clients = new Set<Redis>();
  private readonly retired: RunningServer[] = [];
  private pid: number;
  /** Keys that it has evicted, and when it last did. */
  evicted = { keys: 0, lastAt: 0 };

  private constructor(
    readonly name: SideName,
    readonly proxy: TcpProxy,
    private server: RunningServer,
  ) {
    this.pid = server.pid;
  }

  /** @param folder where its data goes, and that of its replica */
  static async start(name: SideName, choice: ServerChoice, proxy: TcpProxy, folder: string): Promise<ServerSide> {
    const dataFolder = await mkdtemp(join(folder, `${name}-`));
    const server = await startServer(choice.server, { dataFolder, args: argsOf(choice) });
    const side = new ServerSide(name, proxy, server);
    if (choice.replica) {
      side.replica = await startServer(choice.server, {
        dataFolder: await mkdtemp(join(folder, `${name}-replica-`)),
        args: [...argsOf(choice), '--replicaof', '127.0.0.1', String(server.port)],
      });
    }
    proxy.heal();
    proxy.leadTo(server.port);
    return side;
  }

  /** Of the server itself, past the proxy. */
  get url(): string {
    return this.server.url;
  }

  get version(): string {
    return `${this.server.flavour} ${this.server.version}`;
  }

  get lastWords(): string {
    return this.server.lastWords();
  }

  /** Whether its process is gone although nobody here ended it. */
  get hasEnded(): boolean {
    return !isAlive(this.pid);
  }

  /** A client of the server that it is now, ended with this side. It reconnects by itself. */
  client(database = 0): Redis {
    const client = new Redis(this.url, {
      db: database,
      protocol: 2,
      retryStrategy: () => 30,
      maxRetriesPerRequest: null,
      enableOfflineQueue: true,
    });
    client.on('error', () => undefined);
    this.clients.add(client);
    return client;
  }

  async call(...command: [string, ...(string | number)[]]): Promise<unknown> {
    const client = new Redis(this.url, { protocol: 2, maxRetriesPerRequest: 3, connectTimeout: 5_000 });
    client.on('error', () => undefined);
    try {
      const [name, ...args] = command;
      return await client.call(name, ...args);
    } finally {
      client.disconnect();
    }
  }

  /** Writes everything down; again where a replica is being served by another process. */
  async save(): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        await this.call('SAVE');
        return;
      } catch (error) {
        if (tries === 50 || !String(error).includes('in progress')) throw error;
        await sleep(50);
      }
    }
  }

  /** Waits until the replica has everything. */
  async replicated(): Promise<void> {
    if (this.replica === undefined) return;
    const port = this.replica.port;
    const client = new Redis(port, { protocol: 2 });
    client.on('error', () => undefined);
    const isUp = async () => {
      const info = await client.info('replication');
      return info.includes('master_link_status:up') && !info.includes('master_sync_in_progress:1');
    };
    const up = await holdsWithin(20_000, isUp);
    client.disconnect();
    if (!up) throw new Error('The replica does not follow.');
    await this.call('WAIT', 1, 5_000);
  }

  /** Ends the server hard and starts it again on the same port. `wipe`: without what it had on disk. */
  async crash(downMs: number, wipe: boolean): Promise<void> {
    process.kill(this.server.pid, 'SIGKILL');
    await holdsWithin(5_000, () => !isAlive(this.server.pid));
    if (wipe) {
      const folder = this.server.dataFolder;
      for (const file of await readdir(folder)) await rm(join(folder, file), { recursive: true, force: true });
    }
    await sleep(downMs);
    await this.server.restart();
    // A replica that was promoted would follow its dead master again.
    if (this.retired.length > 0) await this.call('REPLICAOF', 'NO', 'ONE');
    this.pid = this.server.pid;
  }

  /** It answers nothing for so long, and goes on. */
  async freeze(ms: number): Promise<void> {
    const { pid } = this.server;
    process.kill(pid, 'SIGSTOP');
    await sleep(ms);
    if (isAlive(pid)) process.kill(pid, 'SIGCONT');
  }

  /** The replica takes no more from its master; it lags from now on. */
  async detachReplica(): Promise<void> {
    if (this.replica === undefined) return;
    const client = new Redis(this.replica.port, { protocol: 2 });
    client.on('error', () => undefined);
    await client.call('REPLICAOF', 'NO', 'ONE');
    client.disconnect();
  }

  /** The replica becomes the server, and the old server ends. */
  async failOver(downMs: number): Promise<void> {
    const { replica, server } = this;
    if (replica === undefined) return;
    process.kill(server.pid, 'SIGKILL');
    await this.detachReplica();
    await sleep(downMs);
    this.retired.push(server);
    this.replica = undefined;
    this.server = replica;
    this.pid = replica.pid;
    this.proxy.leadTo(replica.port);
  }

  /** Every second connection of the app leads to the replica for so long. */
  async splitWay(ms: number): Promise<void> {
    if (this.replica === undefined) return;
    this.proxy.split(this.replica.port);
    await sleep(ms);
    this.proxy.heal();
    this.proxy.cut();
  }

  get hasReplica(): boolean {
    return this.replica !== undefined;
  }

  /** Asks how many keys it has evicted. */
  async watchEvictions(): Promise<void> {
    const info = String(await this.call('INFO', 'stats'));
    const keys = Number(/evicted_keys:(\d+)/.exec(info)?.[1] ?? 0);
    if (keys > this.evicted.keys) this.evicted = { keys, lastAt: Date.now() };
  }

  async end(): Promise<void> {
    for (const client of this.clients) client.disconnect();
    this.proxy.heal();
    this.proxy.cut();
    const all = [this.server, ...(this.replica === undefined ? [] : [this.replica]), ...this.retired];
    await Promise.all(
      all.map(async (server) => {
        await server.kill();
        await rm(server.dataFolder, { recursive: true, force: true, maxRetries: 5 });
      }),
    );
  }
}

function argsOf({ persistence, server }: ServerChoice): string[] {
  const debug = server === 'redis-6.0' ? [] : ['--enable-debug-command', 'yes'];
  const files = persistence === 'aof' ? ['--appendonly', 'yes', '--appendfsync', 'everysec'] : [];
  return [...debug, ...files, '--repl-diskless-sync', 'yes', '--repl-diskless-sync-delay', '0', '--databases', '16'];
}
