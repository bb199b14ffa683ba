import type { Cluster, ReachedNode } from './cluster';
import type { DatabaseBulk, DatabaseConnection } from './database-connection';
import type { EncodedCommands } from './encoded-command';
import { isRedisError, RedisError } from './errors';
import { inTime } from './first-answers';
import type { Admits } from './lane';
import { keysByServer, type Command, type KeyedPort, type RedisPort, type Reply } from './redis-port';
import { groupsByOwner, routedPipeline, routedSend } from './routing';
import type { Master } from './topology';

/** A server behind a connection. */
export interface ServerOfSide {
  /** What it is in its cluster; undefined where it is in none. */
  readonly master?: Master;
  /** Why there is no connection to it, where there is none. */
  readonly port: RedisPort | RedisError;
}

/**
 * A connection to one database of a Redis, whether that is one server or a cluster: which of both it is shows when it is opened.
 * To a cluster every command goes to the node that owns its key.
 */
export class RoutedConnection implements RedisPort {
  constructor(
    private readonly seed: DatabaseConnection,
    /** To be asked only where it is one. */
    readonly cluster: Cluster,
    private readonly admits?: Admits,
  ) {}

  /** The same connection for one who sends only to some server processes. */
  admitting(admits: Admits): RoutedConnection {
    return new RoutedConnection(this.seed, this.cluster, admits);
  }

  get name(): string {
    return this.cluster.name;
  }

  /**
   * The run id of the server process on the other end; undefined while not connected. Empty where a server tells none, and for
   * a cluster, whose nodes may take each other's places.
   */
  get runId(): string | undefined {
    if (!this.cluster.isOne) return this.seed.runId;
    return this.cluster.isKnown ? '' : undefined;
  }

  /** Opens what is not open. @throws RedisError */
  async ready(): Promise<void> {
    if (!this.cluster.isOne) {
      await this.seed.ready();
      if (!this.seed.isClusterNode && !(await this.cluster.isNamedBy(this.seed))) return;
      this.cluster.isOne = true;
    }
    await this.cluster.ready();
  }

  async call(...command: Command): Promise<Reply> {
    const [reply = null] = await this.pipeline([command]);
    if (reply instanceof RedisError) throw reply;
    return reply;
  }

  async pipeline(commands: readonly Command[]): Promise<(Reply | RedisError)[]> {
    if (this.cluster.isOne) return await routedPipeline(this.cluster, commands, this.admits);
    const replies = await this.seed.pipeline(commands, this.admits);
    replies.forEach((reply) => {
      this.hear(reply);
    });
    return replies;
  }

  byServer(keys: readonly Buffer[]): readonly (readonly number[])[] {
    return this.cluster.isOne ? groupsByOwner(this.cluster, keys) : keysByServer(this.seed, keys);
  }

  /**
   * The server itself, or the masters of a cluster as they are at this moment; to be opened before, and to be used at once.
   * @throws RedisError
   */
  async servers(): Promise<readonly RedisPort[]> {
    return (await this.eachServer()).map(({ port }) => {
      if (port instanceof RedisError) throw port;
      return port;
    });
  }

  /**
   * As `servers`, each with what it is in its cluster, or why there is no connection to it.
   * @param patienceMs how long one may take at most
   * @throws RedisError where it is not known which there are
   */
  async eachServer(patienceMs?: number): Promise<readonly ServerOfSide[]> {
    if (!this.cluster.isOne) return [{ port: this.admits === undefined ? this.seed : this }];
    await this.cluster.refresh();
    const { masters } = this.cluster;
    if (masters.length === 0) throw new RedisError('clusterDown', this.name);
    return await Promise.all(
      masters.map(async (master): Promise<ServerOfSide> => {
        try {
          const lane = this.cluster.lane(master);
          const late = () => new RedisError('timeout', this.name);
          const port = patienceMs === undefined ? await lane : await inTime(lane, late, patienceMs);
          this.admits?.(port.runId ?? '');
          return { master, port };
        } catch (error) {
          if (error instanceof RedisError) return { master, port: error };
          throw error;
        }
      }),
    );
  }

  /** The masters of a cluster, each tried by itself; none of a server. To be opened before. @throws RedisError */
  async nodes(): Promise<readonly ReachedNode[]> {
    return this.cluster.isOne ? await this.cluster.tryMasters() : [];
  }

  /** Ends the connection at once; what is under way fails. */
  close(why?: RedisError): void {
    this.seed.close(why);
  }

  /** What INFO hides shows when a node sends a key to another one. */
  private hear(answer: unknown): void {
    if (isRedisError(answer, 'moved')) this.cluster.isOne = true;
  }
}

/** The same for writing keys in bulk. */
export class RoutedBulk implements KeyedPort {
  constructor(
    private readonly seed: DatabaseBulk,
    private readonly cluster: Cluster,
    /** Finds out whether it is a cluster, which the answers to what is written in bulk do not tell. */
    private readonly opener: Pick<RoutedConnection, 'ready'>,
    private readonly admits?: Admits,
  ) {}

  /** The same connection for one who sends only to some server processes. */
  admitting(admits: Admits): RoutedBulk {
    return new RoutedBulk(this.seed, this.cluster, this.opener, admits);
  }

  get name(): string {
    return this.cluster.name;
  }

  get runId(): string | undefined {
    if (!this.cluster.isOne) return this.seed.runId;
    return this.cluster.isKnown ? '' : undefined;
  }

  /** Ends the connection at once; what is under way fails. */
  close(why?: RedisError): void {
    this.seed.close(why);
  }

  /** Opens what is not open. @throws RedisError */
  async ready(): Promise<void> {
    await this.opener.ready();
    if (!this.cluster.isOne) await this.seed.ready();
  }

  async sendKeyed(
    keys: readonly Buffer[],
    encode: (places?: readonly number[]) => EncodedCommands,
  ): Promise<ReadonlyMap<number, RedisError>> {
    if (this.cluster.isOne) return await routedSend(this.cluster, keys, encode, this.admits);
    return await this.seed.sendKeyed(keys, encode, this.admits);
  }
}
