import { RedisError } from './errors';

/** Whether something may be sent to a server process, by its run id; empty where it tells none. @throws RedisError where it may not */
export type Admits = (runId: string) => void;

/** A connection whose database can be chosen again and again. */
export interface Switchable {
  /** Of the connection in the settings. */
  readonly name: string;
  /** Undefined while it is not open. */
  readonly runId: string | undefined;
  /** How often it was opened. */
  readonly openings: number;
  /** The database that commands go to; undefined where that is not known. */
  readonly selected: number | undefined;
  ready(): Promise<void>;
  /** Chooses a database, and waits until the server has. @throws RedisError */
  select(database: number): Promise<void>;
  /** Why it was last closed, where whoever closed it said so. */
  readonly endedFor: RedisError | undefined;
  /** Ends the connection at once; what is under way fails, with the reason where one is given. Nothing where it was ended for this already. */
  close(why?: RedisError): void;
}

/**
 * A connection that several databases share. Calls for one database go together; those for another one wait until all that were
 * sent are answered, since what the server is told after a choice that it has refused would go into the database before.
 */
export class Lane<C extends Switchable> {
  /** How many use it. */
  users = 0;
  private inside = 0;
  private database: number | undefined;
  private choosing: Promise<void> | undefined;
  private waiting: { readonly database: number; readonly enter: () => void }[] = [];

  constructor(readonly connection: C) {}

  get isOpen(): boolean {
    return this.connection.runId !== undefined;
  }

  /** Makes a call with the connection in a database: at once, in the same moment, where it is there. @throws RedisError, and what the call throws */
  async in<T>(database: number, call: (connection: C) => Promise<T>): Promise<T> {
    const { connection } = this;
    const { openings } = connection;
    if (this.inside > 0 && (this.database !== database || this.waiting.length > 0)) {
      await new Promise<void>((enter) => this.waiting.push({ database, enter }));
    } else {
      this.inside++;
      this.database = database;
    }
    try {
      if (connection.selected !== database) {
        this.choosing ??= connection.select(database).finally(() => (this.choosing = undefined));
        await this.choosing;
      }
      // Whoever calls has looked at the server process that it was open to before.
      if (connection.openings !== openings || connection.selected !== database) {
        throw connection.endedFor ?? new RedisError('connectionLost', connection.name);
      }
      return await call(connection);
    } finally {
      this.leave();
    }
  }

  private leave(): void {
    this.inside--;
    const [next] = this.waiting;
    if (this.inside > 0 || next === undefined) return;
    const { database } = next;
    const entering = this.waiting.filter((one) => one.database === database);
    this.waiting = this.waiting.filter((one) => one.database !== database);
    this.database = database;
    this.inside = entering.length;
    for (const { enter } of entering) enter();
  }
}
