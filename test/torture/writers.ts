import type { ChainableCommander, Redis } from 'ioredis';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Dice } from './dice';
import { partsOf, type Journal, type KeyId, type SideName } from './journal';
import { rewriteScript, rewrittenKeys, rewrittenName } from './prepare';
import type { Scenario } from './scenario';
import type { ServerSide } from './server-side';
import type { Snapshot } from './snapshot';

const tickMs = 20;
/** How many new keys a writer makes. */
const mostNew = 400;

/** Writes until it is stopped. */
export interface Writer {
  stop(): Promise<void>;
}

/** Clients of one side, by database; new ones where another server has taken over. */
class Clients {
  private readonly open = new Map<string, Redis>();
  private readonly pending = new Set<Promise<unknown>>();

  constructor(private readonly side: ServerSide) {}

  /** undefined while the server does not answer. */
  of(database: number): Redis | undefined {
    const name = `${this.side.url} ${database}`;
    let client = this.open.get(name);
    if (client === undefined) {
      client = this.side.client(database);
      this.open.set(name, client);
    }
    return client.status === 'ready' ? client : undefined;
  }

  /** Whether something is not answered yet: as applications do, whoever writes waits for it. */
  get areWaiting(): boolean {
    return this.pending.size > 0;
  }

  /** What the server answers does not matter: it was told to the journal before. */
  send(pipeline: { exec(): Promise<unknown> }): void {
    const sent = pipeline
      .exec()
      .catch(() => undefined)
      .finally(() => this.pending.delete(sent));
    this.pending.add(sent);
  }

  async close(): Promise<void> {
    await Promise.race([Promise.all(this.pending), sleep(2_000)]);
    for (const client of this.open.values()) client.disconnect();
  }
}

/** Writes to a quarter of the keys that a side has, and to new ones, as applications do. */
export function startWriter(
  side: ServerSide,
  keys: Snapshot,
  perSecond: number,
  journal: Journal,
  scenario: Scenario,
): Writer {
  const dice = new Dice(scenario.seed + (side.name === 'source' ? 11 : 12));
  const mine = [...keys].filter(
    ([id]) => createHash('md5').update(id).digest()[0]! % 4 === (side.name === 'source' ? 0 : 1),
  );
  const victims = mine.map(([id, { type }]) => ({ id, type })).filter(({ id }) => !id.includes(':big:rewritten:'));
  const databases = [...new Set(victims.map(({ id }) => partsOf(id).database))];
  const clients = new Clients(side);
  let [due, number] = [0, 0];
  const tick = () => {
    due = Math.min(due + (perSecond * tickMs) / 1_000, perSecond);
    if (clients.areWaiting) return;
    const pipelines = new Map<number, ChainableCommander>();
    for (; due >= 1; due--) {
      const victim = victims.length > 0 && dice.chance(85) ? victims[dice.next() % victims.length] : undefined;
      const database = victim ? partsOf(victim.id).database : (databases[0] ?? 0);
      const pipeline = pipelines.get(database) ?? clients.of(database)?.pipeline();
      if (pipeline === undefined) return;
      pipelines.set(database, pipeline);
      write(pipeline, victim, { side: side.name, database, number: number++, dice, journal });
    }
    for (const pipeline of pipelines.values()) clients.send(pipeline);
  };
  const timer = setInterval(tick, tickMs);
  return {
    stop: async () => {
      clearInterval(timer);
      await clients.close();
    },
  };
}

interface Writing {
  readonly side: SideName;
  readonly database: number;
  readonly number: number;
  readonly dice: Dice;
  readonly journal: Journal;
}

function write(
  pipeline: ChainableCommander,
  victim: { readonly id: KeyId; readonly type: string } | undefined,
  { side, database, number, dice, journal }: Writing,
): void {
  const touch = (key: Buffer | string) => {
    journal.touch(side, database, key);
  };
  // The server does not grow for ever: a limited migration would never come to its end.
  const fresh = `user:${side}:${number % mostNew}`;
  if (victim === undefined) {
    touch(fresh);
    pipeline.set(fresh, `new ${number}`);
    return;
  }
  const key = Buffer.from(partsOf(victim.id).name, 'latin1');
  touch(key);
  const kind = dice.weighted({ change: 40, set: 15, rename: 12, replace: 12, expire: 8, delete: 6, persist: 7 });
  if (kind === 'set') pipeline.set(key, `written ${number}`);
  else if (kind === 'delete') pipeline.del(key);
  else if (kind === 'expire') pipeline.pexpire(key, dice.between(100, 5_000));
  else if (kind === 'persist') pipeline.persist(key);
  else if (kind === 'rename') {
    const moved = Buffer.concat([key, Buffer.from(':moved')]);
    touch(moved);
    pipeline.rename(key, moved);
  } else if (kind === 'replace') {
    touch(fresh);
    pipeline.del(key).set(fresh, `instead ${number}`);
  } else change(pipeline, key, victim.type, number);
}

/** Refused where the key has another type by now. */
function change(pipeline: ChainableCommander, key: Buffer, type: string, number: number): void {
  const value = `changed ${number}`;
  if (type === 'hash') pipeline.hset(key, `field${number % 50}`, value);
  else if (type === 'list') pipeline.rpush(key, value);
  else if (type === 'set') pipeline.sadd(key, value);
  else if (type === 'zset') pipeline.zadd(key, number, value);
  else if (type === 'stream') pipeline.xadd(key, '*', 'field', value);
  else pipeline.append(key, value);
}

/** Rewrites the large keys whole, one after the other, each in one step. */
export function startRewriter(source: ServerSide, journal: Journal, scenario: Scenario): Writer {
  const [database = 0] = scenario.databases;
  const clients = new Clients(source);
  let version = 0;
  const timer = setInterval(() => {
    const client = clients.of(database);
    if (clients.areWaiting) return;
    const kind = rewrittenKeys[++version % rewrittenKeys.length] ?? 'hash';
    const key = rewrittenName(kind);
    journal.touch('source', database, key);
    if (client !== undefined) clients.send(client.pipeline().eval(rewriteScript, 1, key, kind, String(version)));
  }, 40);
  return {
    stop: async () => {
      clearInterval(timer);
      await clients.close();
    },
  };
}
