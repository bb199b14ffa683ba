import type { BulkConnection } from './bulk-connection';
import type { RedisConnection } from './connection';
import type { EncodedCommands } from './encoded-command';
import { RedisError } from './errors';
import type { Admits, Lane, Switchable } from './lane';
import type { LanePool } from './lane-pool';
import type { Command, KeyedPort, RedisPort, Reply } from './redis-port';

/** What connections to one database have in common, whose lane others share. */
class DatabaseLane<C extends Switchable> {
  protected lane: Lane<C> | undefined;
  /** Of the lane's connection, when it was last seen to have the database. */
  private seen = 0;
  private opening: Promise<void> | undefined;

  constructor(
    private readonly pool: LanePool<C>,
    protected readonly name: string,
    protected readonly database: number,
  ) {}

  get runId(): string | undefined {
    return this.lane?.connection.runId;
  }

  /** Opens the connection if it is not open. @throws RedisError, also where there is no such database */
  async ready(): Promise<void> {
    if (this.lane?.isOpen === true && this.seen === this.lane.connection.openings) return;
    this.opening ??= this.open().finally(() => (this.opening = undefined));
    await this.opening;
  }

  private async open(): Promise<void> {
    const lane = await this.pool.open(this.lane);
    if (this.lane !== lane) {
      if (this.lane !== undefined) this.lane.users--;
      lane.users++;
    }
    this.lane = lane;
    const { openings } = lane.connection;
    await lane.in(this.database, () => Promise.resolve());
    this.seen = openings;
  }

  /** Ends the connection, and with it that of all that share it; what is under way fails. */
  close(why?: RedisError): void {
    this.lane?.connection.close(why);
  }

  protected async use<T>(call: (connection: C) => Promise<T>): Promise<T> {
    if (this.lane === undefined) throw new RedisError('notOpen', this.name);
    return await this.lane.in(this.database, call);
  }
}

/** A connection to one database of one Redis, as `RedisConnection` is one. */
export class DatabaseConnection extends DatabaseLane<RedisConnection> implements RedisPort {
  get isClusterNode(): boolean {
    return this.lane?.connection.isClusterNode === true;
  }

  async call(...command: Command): Promise<Reply> {
    return await this.use((connection) => connection.call(...command));
  }

  /** @param admits asked of the server process in the moment in which the commands are sent to it */
  async pipeline(commands: readonly Command[], admits?: Admits): Promise<(Reply | RedisError)[]> {
    return await this.use((connection) => {
      admits?.(connection.runId ?? '');
      return connection.pipeline(commands);
    });
  }
}

/** The same for writing keys in bulk. */
export class DatabaseBulk extends DatabaseLane<BulkConnection> implements KeyedPort {
  /** @param admits asked of the server process in the moment in which the commands are sent to it */
  async sendKeyed(
    _keys: readonly Buffer[],
    encode: () => EncodedCommands,
    admits?: Admits,
  ): Promise<ReadonlyMap<number, RedisError>> {
    return await this.use((connection) => {
      admits?.(connection.processId);
      return connection.sendAll(encode());
    });
  }
}
