import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { Redis } from 'ioredis';
import { fillServer } from '../local/demo/generate';
import { startServer } from '../local/servers/start-server';
import { keyferryWith } from './contenders';
import type { Latencies } from './foreign-client';

interface Options {
  readonly keys: number;
  readonly rate: number;
  readonly limits: readonly number[];
}

function count(text: string): number {
  const value = Number(text.replaceAll('_', ''));
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('Not a whole number above 0.');
  return value;
}

const program = new Command('npm run bench:latency --')
  .description(
    'What a foreign client of the source feels: without a copy, with one at full speed, with maxSourceLatencyMs.',
  )
  .option('--keys <n>', 'keys to copy', count, 1_000_000)
  .option('--rate <n>', 'operations a second of the foreign client', count, 500)
  .option('--limits <list>', 'values of maxSourceLatencyMs', (text) => text.split(',').map(Number), [2]);

const UNDISTURBED_MS = 8_000;

/**
 * On Azure the source has cores of its own: here it shares the first one with the foreign client, and everything else has the
 * others. Otherwise the client would feel how the machine shares its cores, not how the source is used.
 */
function keepApart(source: readonly number[], others: readonly number[]): boolean {
  if (availableParallelism() < 2) return false;
  const pin = (cores: string) => (pid: number) =>
    spawnSync('taskset', ['--all-tasks', '--pid', '--cpu-list', cores, String(pid)]).status === 0;
  return [...others.map(pin(`1-${availableParallelism() - 1}`)), ...source.map(pin('0'))].every(Boolean);
}

async function main(): Promise<void> {
  const { keys, rate, limits } = program.parse().opts<Options>();
  const [source, target] = await Promise.all([startServer('redis-6.0'), startServer('redis-7.0')]);
  const client = spawn(process.execPath, [path.join(__dirname, 'foreign-client.js'), source.url, String(rate)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const apart = keepApart([source.pid, client.pid ?? 0], [process.pid, target.pid]);
  console.log(apart ? 'The source and the foreign client have a core to themselves.' : 'All share all cores.');
  const read = async (): Promise<Latencies> => {
    const answer = once(client.stdout, 'data');
    client.stdin.write('\n');
    const [line] = (await answer) as [Buffer];
    return JSON.parse(line.toString()) as Latencies;
  };
  try {
    console.log(`Filling redis-6.0 with ${keys.toLocaleString('en')} keys …`);
    await fillServer({ port: source.port, keys, seed: 1 });
    await read();
    await sleep(UNDISTURBED_MS);
    const undisturbed = await read();
    say('no copy', undisturbed, undisturbed);
    let full: number | undefined;
    for (const limit of [0, ...limits]) {
      const redis = new Redis(target.url);
      await redis.flushall();
      redis.disconnect();
      await sleep(1_000);
      await read();
      const contender = keyferryWith('', { limits: { maxSourceLatencyMs: limit } });
      const { seconds } = await contender.copy(source, target);
      const speed = keys / seconds;
      full ??= speed;
      const name = limit === 0 ? 'full speed' : `maxSourceLatencyMs ${limit}`;
      say(
        `${name}: ${Math.round(speed).toLocaleString('en')} keys/s, ${(speed / full).toFixed(2)} of full speed`,
        await read(),
        undisturbed,
      );
    }
  } finally {
    client.stdin.end();
    await Promise.all([source.stop(), target.stop()]);
  }
}

function say(name: string, { operations, p50, p99, longest }: Latencies, undisturbed: Latencies): void {
  const ms = (value: number) => value.toFixed(2);
  console.log(
    `- ${name}: ${operations} operations, p50 ${ms(p50)} ms, p99 ${ms(p99)} ms (${ms(p99 / undisturbed.p99)} times the undisturbed one), longest ${ms(longest)} ms`,
  );
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
