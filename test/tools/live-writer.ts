import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';

const tickMs = 20;
/** Of one that stops, where a cluster does not answer. */
const PATIENCE_MS = 2_000;

export interface WriterOptions {
  /** Every key it writes begins with this. Default `live:`. */
  readonly namespace?: string;
  readonly database?: number;
  /** Commands a second. Default 500. */
  readonly perSecond?: number;
  /** The same seed gives the same commands. Default 1. */
  readonly seed?: number;
  /** It adds keys until there are about so many, then deletes them again down to a quarter, and so on. Default 2,000. */
  readonly keys?: number;
}

/** A server, or the nodes of a cluster: a key of that bears a hash tag, which it keeps when it is renamed. */
export type WrittenTo = { readonly url: string } | number | { readonly nodes: readonly { readonly url: string }[] };

/** What a writer has done. */
export interface LiveWriter {
  /** Commands sent so far. */
  readonly sent: number;
  /** Keys of its own that exist or may exist (some expire by themselves). */
  readonly size: number;
  /**
   * Whether a key stays as it is from `since` (ms, `Date.now()`) on: outside the writer's namespace, or not changed after that time
   * and never given a short expiry.
   */
  isStable(key: Buffer | string, since: number): boolean;
  /** Its own keys that it has changed since that time, or that expire by themselves. */
  changedSince(since: number): string[];
  /** Stops; resolves when the server has answered everything. @throws Error where it refused a command. */
  stop(): Promise<void>;
}

/**
 * Writes, changes, renames, deletes and expires keys of every type in its own namespace at a steady rate until it is stopped.
 * Reconnects where the server goes away meanwhile; commands lost by that are left out.
 */
export async function startLiveWriter(server: WrittenTo, options: WriterOptions = {}): Promise<LiveWriter> {
  if (typeof server === 'object' && 'nodes' in server) {
    const cluster = new Cluster(
      server.nodes.map(({ url }) => url),
      { slotsRefreshTimeout: 2_000, retryDelayOnFailover: 50, clusterRetryStrategy: () => 50 },
    );
    cluster.on('error', () => undefined);
    await cluster.ping();
    return new Writer(cluster, options);
  }
  const url = typeof server === 'number' ? `redis://127.0.0.1:${server}` : server.url;
  const redis = new Redis(url, { db: options.database ?? 0, maxRetriesPerRequest: null });
  redis.on('error', () => undefined);
  await redis.ping();
  return new Writer(redis, options);
}

class Writer implements LiveWriter {
  sent = 0;
  private readonly namespace: string;
  private readonly most: number;
  private readonly timer: NodeJS.Timeout;
  /** When each key was last changed, also where it is deleted by now; and those that expire soon after. */
  private readonly changes = new Map<string, number>();
  private readonly fleeting = new Set<string>();
  private readonly living: string[] = [];
  private readonly pending = new Set<Promise<void>>();
  private failure: Error | undefined;
  private growing = true;
  private created = 0;
  private state: number;
  private due = 0;
  private last = performance.now();

  constructor(
    private readonly redis: Redis | Cluster,
    private readonly options: WriterOptions,
  ) {
    this.namespace = options.namespace ?? 'live:';
    this.most = options.keys ?? 2_000;
    this.state = options.seed ?? 1;
    this.timer = setInterval(() => {
      this.tick();
    }, tickMs);
  }

  get size(): number {
    return this.living.length;
  }

  isStable(key: Buffer | string, since: number): boolean {
    const name = key.toString();
    return !name.startsWith(this.namespace) || (!this.fleeting.has(name) && (this.changes.get(name) ?? 0) < since);
  }

  changedSince(since: number): string[] {
    return [...this.changes.keys()].filter((name) => !this.isStable(name, since));
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    if (this.redis instanceof Cluster) {
      // What its client holds for a node that is gone is answered by nobody.
      const patience = new AbortController();
      await Promise.race([Promise.all(this.pending), sleep(PATIENCE_MS, undefined, patience).catch(() => undefined)]);
      patience.abort();
      this.redis.disconnect();
      if (this.failure !== undefined) throw this.failure;
      return;
    }
    await Promise.all(this.pending);
    // Once only: a second end would be waited for without end.
    if (this.redis.status !== 'end') {
      const gone = new Promise((resolve) => this.redis.once('end', resolve));
      this.redis.disconnect();
      await gone;
    }
    if (this.failure !== undefined) throw this.failure;
  }

  private tick(): void {
    const now = performance.now();
    // Steady also where the timer is late, but nothing is made up for after a long pause.
    this.due += Math.min(((now - this.last) * (this.options.perSecond ?? 500)) / 1_000, this.options.perSecond ?? 500);
    this.last = now;
    if (this.due < 1 || this.redis.status !== 'ready') return;
    const commands: [string, ...(string | number)[]][] = [];
    for (; this.due >= 1; this.due--) commands.push(this.nextCommand());
    this.sent += commands.length;
    if (this.redis instanceof Cluster) {
      for (const command of commands) this.keep(this.redis.call(...command).then(() => []));
      return;
    }
    const pipeline = this.redis.pipeline();
    for (const command of commands) pipeline.call(...command);
    this.keep(pipeline.exec().then((replies) => replies?.flatMap(([error]) => error ?? []) ?? []));
  }

  private keep(sent: Promise<readonly Error[]>): void {
    const answered = sent
      // Of a single command the refusal is thrown, and what else is thrown is of the connection.
      .catch((error: unknown) => (error instanceof Error && error.name === 'ReplyError' ? [error] : []))
      .then((errors) => {
        // Keys that expired by themselves cannot be renamed; a cluster that changes refuses some. What is lost with a connection is none.
        const refusals = errors.filter(({ name }) => name === 'ReplyError');
        this.failure ??= refusals.find(({ message }) => !/no such key|CLUSTERDOWN|TRYAGAIN|MOVED/.test(message));
      });
    this.pending.add(answered);
    void answered.then(() => this.pending.delete(answered));
  }

  private nextCommand(): [string, ...(string | number)[]] {
    if (this.living.length >= this.most) this.growing = false;
    if (this.living.length <= this.most / 4) this.growing = true;
    const dice = this.random(100);
    if (this.living.length === 0 || (this.growing && dice < 50)) return this.create();
    if (!this.growing && dice < 50) return this.remove();
    const name = this.living[this.random(this.living.length)] ?? '';
    const type = name.slice(this.namespace.length).split(':')[0];
    if (dice < 60) return this.rename(name, type ?? '');
    this.touch(name);
    // A value that was overwritten by SET has lost its expiry; any other change leaves it.
    if (dice < 66) {
      this.fleeting.add(name);
      return ['PEXPIRE', name, 50 + this.random(2_000)];
    }
    if (dice < 72)
      return this.fleeting.has(name) ? ['TTL', name] : ['PEXPIRE', name, 3_600_000 + this.random(1_000_000)];
    return this.change(name, type ?? '');
  }

  private create(): [string, ...(string | number)[]] {
    const type = ['string', 'hash', 'list', 'set', 'zset', 'stream'][this.random(6)] ?? '';
    const number = this.created++;
    const name = `${this.namespace}${type}:${this.redis instanceof Cluster ? `{${number}}` : number}`;
    this.living.push(name);
    this.touch(name);
    return this.change(name, type);
  }

  private remove(): [string, ...(string | number)[]] {
    const name = this.takeOut(this.random(this.living.length));
    this.touch(name);
    return [this.random(2) === 0 ? 'DEL' : 'UNLINK', name];
  }

  private rename(name: string, type: string): [string, ...(string | number)[]] {
    const [tag] = /\{\d+\}/.exec(name) ?? [''];
    const renamed = `${this.namespace}${type}:${tag}${this.created++}`;
    this.living[this.living.indexOf(name)] = renamed;
    this.touch(name);
    this.touch(renamed);
    if (this.fleeting.has(name)) this.fleeting.add(renamed);
    return ['RENAME', name, renamed];
  }

  private change(name: string, type: string): [string, ...(string | number)[]] {
    const value = `${this.random(1_000_000)} ${'x'.repeat(this.random(200))}`;
    if (type === 'hash') return ['HSET', name, `field${this.random(30)}`, value];
    if (type === 'list') return ['RPUSH', name, value];
    if (type === 'set') return ['SADD', name, value];
    if (type === 'zset') return ['ZADD', name, this.random(1_000), value];
    if (type === 'stream') return ['XADD', name, '*', 'field', value];
    return ['SET', name, value];
  }

  private touch(name: string): void {
    this.changes.set(name, Date.now());
  }

  private takeOut(at: number): string {
    const name = this.living[at] ?? '';
    const last = this.living.pop();
    if (last !== undefined && at < this.living.length) this.living[at] = last;
    return name;
  }

  private random(below: number): number {
    this.state = (Math.imul(this.state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * below);
  }
}
