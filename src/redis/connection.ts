import { wallClock } from '../basics/wall-clock';
import type { ConnectionSettings } from './connection-settings';
import type { CredentialSource } from './credentials';
import { isRedisError, RedisError } from './errors';
import { modeOf } from './info';
import type { Admits, Switchable } from './lane';
import type { Command, RedisPort, Reply } from './redis-port';
import { ReplySocket } from './reply-socket';

/** Azure closes connections that are idle for 10 minutes. */
const PING_INTERVAL_MS = 60_000;
/** A server may be set to take longer ones than the 512 MB of its default. */
const LONGEST_STRING = 4 * 1_073_741_824;

/**
 * One connection to one database of one Redis. It opens when `ready` is called, never reconnects by itself and never
 * queues or resends: what is sent, is sent to the server process whose `runId` it had at that moment.
 */
export class RedisConnection implements RedisPort, Switchable {
  openings = 0;
  selected: number | undefined;
  endedFor: RedisError | undefined;
  private socket: ReplySocket | undefined;
  private opening: Promise<void> | undefined;
  private abort = new AbortController();
  private mode: string | undefined;
  private timer: NodeJS.Timeout | undefined;
  private usedAt = performance.now();

  constructor(
    private readonly settings: ConnectionSettings,
    private readonly database: number,
    private readonly clientName: string,
    private readonly credentials?: CredentialSource,
    private readonly admits?: Admits,
  ) {}

  /** The run id of the server process on the other end; undefined while not connected. Empty where a server tells none. */
  get runId(): string | undefined {
    return this.socket?.runId;
  }

  /** Whether the server, when it was last reached, was a node of a cluster. */
  get isClusterNode(): boolean {
    return this.mode === 'cluster';
  }

  /** When something was last sent, by the monotonic clock, ms. */
  get lastUse(): number {
    return this.usedAt;
  }

  /** How many bytes have come since it was opened; 0 while not connected. */
  get bytesRead(): number {
    return this.socket?.bytesRead ?? 0;
  }

  get name(): string {
    return this.settings.name;
  }

  async select(database: number): Promise<void> {
    this.selected = undefined;
    const { openings } = this;
    await this.call('SELECT', String(database));
    if (openings === this.openings) this.selected = database;
  }

  /** Opens the connection if it is not open. @throws RedisError */
  async ready(): Promise<void> {
    this.usedAt = performance.now();
    if (this.socket !== undefined) return;
    this.opening ??= this.open().finally(() => (this.opening = undefined));
    await this.opening;
  }

  async call(...command: Command): Promise<Reply> {
    const [reply = null] = await this.pipeline([command]);
    if (reply instanceof RedisError) throw reply;
    return reply;
  }

  async pipeline(commands: readonly Command[]): Promise<(Reply | RedisError)[]> {
    if (commands.length === 0) return [];
    // The replies to a transaction have errors in the places of its commands.
    return (await this.connected().send(commands)) as (Reply | RedisError)[];
  }

  close(why?: RedisError): void {
    if (why !== undefined && why === this.endedFor) return;
    this.abort.abort(why ?? new RedisError('connectionLost', this.settings.name));
    this.forget(this.socket, why);
  }

  private connected(): ReplySocket {
    if (this.socket === undefined) throw new RedisError('notOpen', this.settings.name);
    this.usedAt = performance.now();
    return this.socket;
  }

  private async open(): Promise<void> {
    const { settings, clientName, credentials, database } = this;
    this.abort = new AbortController();
    const socket = await ReplySocket.open({
      settings,
      clientName,
      credentials,
      database,
      longestString: LONGEST_STRING,
      signal: this.abort.signal,
      onEnd: () => {
        this.forget(socket);
      },
    });
    this.mode = modeOf(socket.info);
    if (this.mode === 'sentinel') {
      socket.close();
      throw new RedisError('sentinel', settings.name);
    }
    try {
      this.admits?.(socket.runId);
    } catch (error) {
      socket.close();
      throw error;
    }
    this.socket = socket;
    this.openings++;
    this.selected = database;
    this.keepAlive(socket);
  }

  private keepAlive(socket: ReplySocket): void {
    this.timer = setInterval(() => {
      void (async () => {
        if (this.credentials === undefined || wallClock() < socket.renewAt) {
          await socket.call(['PING']);
          return;
        }
        const { username, password, renewAt } = await this.credentials();
        await socket.call(['AUTH', username, password]);
        socket.renewAt = renewAt;
      })().catch((error: unknown) => {
        // Whatever the server answers, it does.
        if (this.credentials === undefined && !isRedisError(error, 'connectionLost')) return;
        // A connection that cannot be kept is opened anew by whoever needs it next.
        if (this.credentials === undefined || socket.renewAt + PING_INTERVAL_MS * 5 < wallClock()) this.forget(socket);
      });
    }, PING_INTERVAL_MS);
    this.timer.unref();
  }

  private forget(socket: ReplySocket | undefined, why?: RedisError): void {
    if (socket === undefined || socket !== this.socket) return;
    this.endedFor = why;
    this.socket = undefined;
    clearInterval(this.timer);
    socket.close(why);
  }
}
