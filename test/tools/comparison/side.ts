import { Redis } from 'ioredis';

/** A command: its name and its arguments. */
export type Command = readonly [string, ...(string | number | Buffer)[]];
/** A reply with all its text as bytes. */
export type Reply = null | number | Buffer | Error | Reply[];

/** One of the two servers that are compared: a plain connection for each database. */
export class Side {
  private readonly clients = new Map<number, Redis>();
  /** Major and minor version, 7.4 as 704; 0 until `open`. */
  private version = 0;
  private valkey = false;

  constructor(private readonly url: string) {}

  /** Connects and asks for the version. */
  async open(): Promise<this> {
    const info = await this.client(0).info('server');
    const [, major = '0', minor = '0'] = /^(?:valkey_version|redis_version):(\d+)\.(\d+)/m.exec(info) ?? [];
    this.version = Number(major) * 100 + Number(minor);
    this.valkey = info.includes('valkey_version:');
    return this;
  }

  /** Whether a field of a hash can have an expiry of its own. */
  get hasFieldExpiry(): boolean {
    return !this.valkey && this.version >= 704;
  }

  /** Sends the commands together. Replies are in their order; a refusal is an Error among them. */
  async ask(database: number, commands: readonly Command[]): Promise<Reply[]> {
    if (commands.length === 0) return [];
    const pipeline = this.client(database).pipeline();
    for (const [name, ...args] of commands) pipeline.callBuffer(name, ...args);
    const replies = await pipeline.exec();
    return (replies ?? []).map(([error, reply]) => error ?? (reply as Reply));
  }

  /** One command's reply. */
  async askOne(database: number, ...command: Command): Promise<Reply> {
    const [reply] = await this.ask(database, [command]);
    if (reply instanceof Error) throw reply;
    return reply ?? null;
  }

  /** Numbers of the databases that hold keys. */
  async databases(): Promise<number[]> {
    return [...(await this.client(0).info('keyspace')).matchAll(/^db(\d+):/gm)].map(([, number]) => Number(number));
  }

  /** Every key of a database, once, as a latin1 string (a character a byte). */
  async keys(database: number): Promise<Set<string>> {
    const keys = new Set<string>();
    let cursor = '0';
    do {
      const [next, page] = (await this.askOne(database, 'SCAN', cursor, 'COUNT', 2000)) as [Buffer, Buffer[]];
      for (const key of page) keys.add(key.toString('latin1'));
      cursor = next.toString();
    } while (cursor !== '0');
    return keys;
  }

  close(): void {
    for (const client of this.clients.values()) client.disconnect();
  }

  private client(database: number): Redis {
    let client = this.clients.get(database);
    if (client === undefined) {
      client = new Redis(this.url, { db: database, protocol: 2, maxRetriesPerRequest: 3 });
      client.on('error', () => undefined);
      this.clients.set(database, client);
    }
    return client;
  }
}

/** Time in ms from a reply of TIME. */
export function timeOf(reply: Reply | undefined): number {
  const [seconds, micros] = reply as [Buffer, Buffer];
  return Number(seconds.toString()) * 1000 + Number(micros.toString()) / 1000;
}
