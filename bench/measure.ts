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

/** Takes all keys off a server; what the flush leaves to background threads falls into no measurement. */
export async function emptied(server: RunningServer): Promise<void> {
  const client = new Redis(server.url);
  await client.flushall();
  client.disconnect();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
}

/** The work of a contender, with what it cost both servers in CPU seconds. */
export async function measured(contender: Contender, source: RunningServer, target: RunningServer): Promise<Measured> {
  const before = [cpuSeconds(source.pid), cpuSeconds(target.pid)] as const;
  const cost = await contender.copy(source, target);
  const [sourceCpu, targetCpu] = [cpuSeconds(source.pid) - before[0], cpuSeconds(target.pid) - before[1]];
  const client = new Redis(target.url);
  const keys = await client.dbsize();
  client.disconnect();
  return { ...cost, sourceCpu, targetCpu, keys };
}
