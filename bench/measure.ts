import type { Command } from 'commander';
import { Redis } from 'ioredis';
import type { ServerName } from '../local/servers/server-names';
import type { RunningServer } from '../local/servers/start-server';
import type { Contender, Cost } from './contenders';
import { cpuSeconds } from './process-usage';

/** What one copy cost, also the servers. CPU seconds. */
export interface Measured extends Cost {
  readonly sourceCpu: number;
  readonly targetCpu: number;
  /** On the target afterwards. */
  readonly keys: number;
}

export interface Servers {
  readonly source: ServerName;
  readonly target: ServerName;
}

/** Which servers a bench runs on. */
export function withServers(program: Command): Command {
  return program
    .option('--source <server>', 'redis-6.0, redis-7.0, redis-8.0 or valkey-8.1', 'redis-6.0')
    .option('--target <server>', 'the same', 'redis-7.0');
}

/** A server, or the masters of a cluster, of which the first leads to all. */
export type Side = readonly [RunningServer, ...RunningServer[]];

/** Takes all keys off a side; what the flush leaves to background threads falls into no measurement. */
export async function emptied(...side: Side): Promise<void> {
  await onEach(side, (client) => client.flushall());
  await new Promise((resolve) => setTimeout(resolve, 1_000));
}

export async function keysOn(side: Side): Promise<number> {
  return (await onEach(side, (client) => client.dbsize())).reduce((sum, size) => sum + size, 0);
}

/** The work of a contender, with what it cost the servers of both sides in CPU seconds. */
export async function measured(contender: Contender, source: RunningServer, target: RunningServer): Promise<Measured> {
  return await measuredBetween(contender, [source], [target]);
}

/** The same between sides of several servers. */
export async function measuredBetween(contender: Contender, source: Side, target: Side): Promise<Measured> {
  const before = [cpuOf(source), cpuOf(target)] as const;
  const cost = await contender.copy(source[0], target[0]);
  const [sourceCpu, targetCpu] = [cpuOf(source) - before[0], cpuOf(target) - before[1]];
  return { ...cost, sourceCpu, targetCpu, keys: await keysOn(target) };
}

function cpuOf(side: Side): number {
  return side.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0);
}

async function onEach<T>(side: Side, call: (client: Redis) => Promise<T>): Promise<T[]> {
  return await Promise.all(
    side.map(async ({ url }) => {
      const client = new Redis(url);
      try {
        return await call(client);
      } finally {
        client.disconnect();
      }
    }),
  );
}
