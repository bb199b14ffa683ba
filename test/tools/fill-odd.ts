import { Redis } from 'ioredis';

import type { Abilities, Command } from './odd-keys/commands';
import { expiryCommands, nameCommands } from './odd-keys/names';
import { streamCommands } from './odd-keys/streams';
import { bigCommands, valueCommands } from './odd-keys/values';

export interface OddOptions {
  /** Also values of many megabytes. Default false. */
  readonly big?: boolean;
  /** Everything goes into the first; the others get the odd names and the expiries. Default `[0, 1, 15]`. */
  readonly databases?: readonly number[];
  /** Streams too. Default true. */
  readonly streams?: boolean;
  /** Hash fields with expiries where the server has them. Default true. */
  readonly fieldExpiries?: boolean;
}

/**
 * Fills a server with what is easily got wrong: every type and encoding its version has, streams with groups and pending
 * entries, expiries, odd names, in several databases. Nothing of it expires within an hour.
 * @returns how many keys each database has got.
 * @throws Error with the command where the server refuses one.
 */
export async function fillOdd(
  server: { readonly url: string } | number,
  options: OddOptions = {},
): Promise<Record<number, number>> {
  const url = typeof server === 'number' ? `redis://127.0.0.1:${server}` : server.url;
  const redis = new Redis(url, { protocol: 2, maxRetriesPerRequest: 3 });
  try {
    const able = await abilities(redis, options.fieldExpiries ?? true);
    const counts: Record<number, number> = {};
    for (const [place, database] of (options.databases ?? [0, 1, 15]).entries()) {
      await redis.select(database);
      await run(redis, [...nameCommands(), ...expiryCommands(Date.now())]);
      if (place === 0) {
        await run(redis, valueCommands(able));
        if (options.streams ?? true) await run(redis, streamCommands(able));
        if (options.big ?? false) await run(redis, bigCommands());
      }
      counts[database] = await redis.dbsize();
    }
    return counts;
  } finally {
    redis.disconnect();
  }
}

async function abilities(redis: Redis, wantFieldExpiry: boolean): Promise<Abilities> {
  const info = await redis.info('server');
  const [, name, major, minor] =
    /^(valkey)_version:(\d+)\.(\d+)/m.exec(info) ?? /^(redis)_version:(\d+)\.(\d+)/m.exec(info) ?? [];
  const version = Number(major) * 100 + Number(minor);
  return { version, fieldExpiry: wantFieldExpiry && name === 'redis' && version >= 704 };
}

async function run(redis: Redis, commands: readonly Command[]): Promise<void> {
  for (let at = 0; at < commands.length; at += 1_000) {
    const some = commands.slice(at, at + 1_000);
    const pipeline = redis.pipeline();
    for (const [name, ...args] of some) pipeline.callBuffer(name, ...args);
    for (const [index, [error]] of ((await pipeline.exec()) ?? []).entries()) {
      if (error !== null) throw new Error(`${some[index]?.slice(0, 4).join(' ') ?? ''}: ${error.message}`);
    }
  }
}
