import { Redis, type RedisOptions } from 'ioredis';
import { wallClock } from '../basics/wall-clock';
import { tlsOptions, type ConnectionSettings } from './connection-settings';
import { EncodedCommand, JoinedPieces, type PieceWriter } from './encoded-command';
import { credentialsOf, type CredentialSource, type Credentials } from './credentials';
import { errorFromClient, isRedisError, RedisError, socketError } from './errors';
import { inTime } from './first-answers';
import { infoField } from './info';
import { whyClosed } from './open-socket';
import type { Switchable } from './lane';
import type { Command, RedisPort, Reply } from './redis-port';

const CONNECT_TIMEOUT_MS = 10_000;
/** A command that gets no byte for so long is on a dead connection. */
const SILENCE_TIMEOUT_MS = 60_000;
/** Azure closes connections that are idle for 10 minutes. */
const PING_INTERVAL_MS = 60_000;

/** What a client writes to may be given, though its type asks for a whole stream. */
interface Sender {
  sendCommand(command: EncodedCommand, out: PieceWriter): Promise<unknown>;
}

/**
 * One connection to one database of one Redis. It opens when `ready` is called, never reconnects by itself and never
 * queues or resends: what is sent, is sent to the server process whose `runId` it had at that moment.
 */
export class RedisConnection implements RedisPort, Switchable {
  openings = 0;
  selected: number | undefined;
  endedFor: RedisError | undefined;
  private redis: Redis | undefined;
  private opening: Promise<void> | undefined;
  private currentRunId: string | undefined;
  private mode: string | undefined;
  private timer: NodeJS.Timeout | undefined;
  private usedAt = performance.now();

  constructor(
    private readonly settings: ConnectionSettings,
    private readonly database: number,
    private readonly clientName: string,
    private readonly credentials?: CredentialSource,
  ) {}

  /** The run id of the server process on the other end; undefined while not connected. Empty where a server tells none. */
  get runId(): string | undefined {
    return this.currentRunId;
  }

  /** Whether the server, when it was last reached, was a node of a cluster. */
  get isClusterNode(): boolean {
    return this.mode === 'cluster';
  }

  /** When something was last sent, by the monotonic clock, ms. */
  get lastUse(): number {
    return this.usedAt;
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
    if (this.currentRunId !== undefined) return;
    this.opening ??= this.open().finally(() => (this.opening = undefined));
    await this.opening;
  }

  async call(...command: Command): Promise<Reply> {
    const redis = this.connected();
    const encoded = new EncodedCommand(command);
    try {
      const reply = (await redis.sendCommand(encoded)) as Reply;
      encoded.release();
      return reply;
    } catch (error) {
      throw this.lost(errorFromClient(this.settings.name, error, command[0]));
    }
  }

  async pipeline(commands: readonly Command[]): Promise<(Reply | RedisError)[]> {
    if (commands.length === 0) return [];
    const redis = this.connected();
    const encoded = commands.map((command) => new EncodedCommand(command));
    // The library's own pipelines join all there is to send, large values too.
    const { stream } = redis;
    const out = new JoinedPieces(stream);
    stream.cork();
    const answers = encoded.map((command) => (redis as unknown as Sender).sendCommand(command, out));
    out.end();
    stream.uncork();
    const results = await Promise.allSettled(answers);
    const told = results.map((result, i) => this.told(commands[i]?.[0], result));
    if (this.currentRunId !== undefined) {
      for (const command of encoded) command.release();
      return told;
    }
    // What a server says before it hangs up.
    throw (
      told.find((each) => isRedisError(each, 'valueTooLong')) ??
      this.lost(new RedisError('connectionLost', this.settings.name))
    );
  }

  /** What whoever closed the connection told, in place of its loss. */
  private lost(error: RedisError): RedisError {
    return isRedisError(error, 'connectionLost') ? (this.endedFor ?? error) : error;
  }

  /** A reply as it is given; those of a transaction have errors in the places of its commands. */
  private told(name: string | undefined, result: PromiseSettledResult<unknown>): Reply | RedisError {
    if (result.status === 'rejected') return errorFromClient(this.settings.name, result.reason, name);
    const reply = result.value as Reply;
    if (name !== 'EXEC' || !Array.isArray(reply)) return reply;
    return reply.map((each: unknown) =>
      each instanceof Error ? errorFromClient(this.settings.name, each) : (each as Reply),
    ) as Reply;
  }

  close(why?: RedisError): void {
    if (why === undefined || why !== this.endedFor) this.forget(this.redis, why);
  }

  private connected(): Redis {
    if (this.redis === undefined || this.currentRunId === undefined) {
      throw new RedisError('notOpen', this.settings.name);
    }
    this.usedAt = performance.now();
    return this.redis;
  }

  private async open(): Promise<void> {
    const { name } = this.settings;
    this.forget(this.redis);
    const credentials = await credentialsOf(name, this.credentials);
    const redis = new Redis(this.options());
    this.redis = redis;
    const errors: Error[] = [];
    // Without a listener ioredis prints errors; the first one tells more than "Connection is closed."
    redis.on('error', (error: Error) => errors.push(error));
    redis.on('end', () => {
      this.forget(redis);
    });
    try {
      await redis.connect();
      const info = await inTime(this.firstAnswers(redis, credentials), () => new RedisError('timeout', name));
      // Valkey calls it so from 8.0.
      this.mode = infoField(info, 'redis_mode') ?? infoField(info, 'server_mode');
      if (this.mode === 'sentinel') throw new RedisError('sentinel', name);
      this.openings++;
      this.selected = this.database;
      this.currentRunId = infoField(info, 'run_id') ?? '';
      this.keepAlive(redis, credentials);
    } catch (error) {
      this.forget(redis);
      if (isReply(error)) throw errorFromClient(name, error);
      // What a server says before anything is asked, as in protected mode, the client library leaves out.
      throw await whyClosed(this.settings, socketError(name, errors[0] ?? error, 'closedAtOnce'));
    }
  }

  /**
   * Signs in, chooses the database and gives INFO server, in one go; empty where INFO is refused. By ourselves, since the
   * client library would go on without a password that is not asked for, and in database 0 where there is no other, and
   * would not see what a server says before it hangs up.
   */
  private async firstAnswers(redis: Redis, credentials: Credentials | undefined): Promise<string> {
    const username = credentials?.username ?? this.settings.username;
    const password = credentials?.password ?? this.settings.password;
    const signingIn =
      password === undefined
        ? undefined
        : username === undefined
          ? redis.auth(password)
          : redis.auth(username, password);
    const choosing = this.database === 0 ? undefined : redis.select(this.database);
    const [signedIn, chosen, info] = await Promise.allSettled([
      signingIn,
      choosing,
      redis.info('server'),
      redis.client('SETNAME', this.clientName),
      // From 7.2: what is looked at does not count as used.
      redis.call('CLIENT', 'NO-TOUCH', 'ON'),
    ]);
    for (const answer of [signedIn, chosen]) if (answer.status === 'rejected') throw answer.reason;
    if (info.status === 'fulfilled') return info.value;
    const reason: unknown = info.reason;
    // Without the right to INFO a restart of the server cannot be told from a lost connection.
    const isRefused = isRedisError(errorFromClient(this.settings.name, reason), 'noRight', 'unknownCommand');
    if (isRefused) return '';
    throw reason;
  }

  private options() {
    const { host, port, tls } = this.settings;
    return {
      host,
      port,
      ...(tls ? { tls: tlsOptions(this.settings) } : {}),
      lazyConnect: true,
      protocol: 2 as const,
      disableClientInfo: true,
      connectTimeout: CONNECT_TIMEOUT_MS,
      // A socket that is not closed by then is destroyed; its timer holds the process up.
      disconnectTimeout: 200,
      socketTimeout: SILENCE_TIMEOUT_MS,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      // A server that is loading shall answer LOADING, which whoever calls deals with.
      enableReadyCheck: false,
      retryStrategy: () => null,
    } satisfies RedisOptions;
  }

  private keepAlive(redis: Redis, credentials: Credentials | undefined): void {
    let renewAt = credentials?.renewAt;
    this.timer = setInterval(() => {
      void (async () => {
        if (this.credentials !== undefined && renewAt !== undefined && wallClock() >= renewAt) {
          const fresh = await this.credentials();
          await redis.auth(fresh.username, fresh.password);
          renewAt = fresh.renewAt;
        } else {
          await redis.ping();
        }
      })().catch((error: unknown) => {
        // Whatever the server answers, it does.
        if (isReply(error) && this.credentials === undefined) return;
        // A connection that cannot be kept is opened anew by whoever needs it next.
        if (this.credentials === undefined || (renewAt ?? 0) + PING_INTERVAL_MS * 5 < wallClock()) this.forget(redis);
      });
    }, PING_INTERVAL_MS);
    this.timer.unref();
  }

  private forget(redis: Redis | undefined, why?: RedisError): void {
    if (redis === undefined || redis !== this.redis) return;
    this.endedFor = why;
    this.redis = undefined;
    this.currentRunId = undefined;
    clearInterval(this.timer);
    redis.disconnect();
  }
}

function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError';
}
