import type { Redis } from 'ioredis';
import { ticksNow, Version4Session, type Items } from './version4';

/** A session that the farm uses. Each writing makes it one version older, and all its items say which. */
interface Used {
  readonly session: Version4Session;
  /** The last version whose writing the server has answered. */
  version: number;
  removed: boolean;
  busy: boolean;
}

/** Version numbers of a session, by its app id. */
export type Versions = ReadonlyMap<string, number>;

/** A web farm on version 4 that reads, changes, touches, abandons and begins sessions as fast as it can. */
export class Farm {
  private readonly used: Used[] = [];
  private readonly ended = new Set<string>();
  private running = true;
  private readonly workers: Promise<void>[];
  requests = 0;

  private constructor(
    private readonly redis: Redis,
    private readonly random: () => number,
    workers: number,
  ) {
    this.workers = Array.from({ length: workers }, () => this.work());
  }

  static async open(redis: Redis, sessions: number, random: () => number, workers = 6): Promise<Farm> {
    const farm = new Farm(redis, random, 0);
    for (let i = 0; i < sessions; i++) await farm.begin();
    farm.workers.push(...Array.from({ length: workers }, () => farm.work()));
    return farm;
  }

  /** The versions that the server has told to be written, of sessions that are not abandoned. */
  versions(): Versions {
    return new Map(this.used.map(({ session, version }) => [session.appId, version]));
  }

  /** Sessions that were abandoned, and told to be so. */
  abandoned(): ReadonlySet<string> {
    return new Set(this.ended);
  }

  async close(): Promise<void> {
    this.running = false;
    await Promise.all(this.workers);
  }

  private async begin(): Promise<void> {
    const session = new Version4Session(this.redis, `/Farm_${this.used.length + this.ended.size}_${this.requests}`);
    const used: Used = { session, version: 1, removed: false, busy: true };
    this.used.push(used);
    await session.set(itemsOfVersion(1), 1_200);
    used.busy = false;
  }

  private async work(): Promise<void> {
    while (this.running) {
      this.requests++;
      const used = this.used[Math.floor(this.random() * this.used.length)];
      const chance = this.random();
      if (chance < 0.03) await this.begin();
      else if (used === undefined || used.busy) await new Promise((resolve) => setImmediate(resolve));
      else if (chance < 0.06 && this.used.length > 20) await this.end(used);
      else if (chance < 0.3) await used.session.touch();
      else await this.request(used);
    }
  }

  private async request(used: Used): Promise<void> {
    used.busy = true;
    const ticks = ticksNow();
    if (await used.session.takeLock(ticks, 5)) {
      if (this.random() < 0.5) await new Promise((resolve) => setTimeout(resolve, 1 + this.random() * 4));
      const next = used.version + 1;
      const [before, after] = [itemsOfVersion(used.version), itemsOfVersion(next)];
      const removed = Object.keys(before).filter((name) => !(name in after));
      await used.session.update(ticks, after, removed, 1_200);
      used.version = next;
    }
    used.busy = false;
  }

  private async end(used: Used): Promise<void> {
    used.busy = true;
    this.used.splice(this.used.indexOf(used), 1);
    await used.session.remove();
    this.ended.add(used.session.appId);
  }
}

/** Items that all say the version, and whose names depend on it. */
export function itemsOfVersion(version: number): Items {
  const names = ['first', 'second', `only${version % 3}`, ...(version % 2 === 0 ? ['even'] : [])];
  return Object.fromEntries(names.map((name) => [name, String(version)]));
}
