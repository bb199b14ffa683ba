import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { Redis } from 'ioredis';
import { fillServer } from '../demo/generate';
import { startServer } from '../local/servers/start-server';
import { keyferryWith } from './contenders';
import type { Latencies } from './foreign-client';
import { median } from './median';
import { parseCount } from './option-values';
import { measuredBy, tableRow, writeSection } from './results-file';

interface Options {
  readonly keys: number;
  readonly rate: number;
  readonly limits: readonly number[];
  readonly rounds: number;
  readonly write: boolean;
}

/** What the foreign client felt in one round, and how fast the copy beside it was; 0 without one. */
interface Felt {
  readonly latencies: Latencies;
  readonly keysPerSecond: number;
}

/** One way to treat the source, and what was felt of it, round by round. */
interface Case {
  readonly name: string;
  readonly run: () => Promise<Felt>;
  readonly felt: Felt[];
}

const WANTED_TIMES = 2;
const WANTED_SPEED = 1 / 3;

const program = new Command('npm run bench:latency --')
  .description(
    'What a foreign client of the source feels: without a copy, with one at full speed, with maxSourceLatencyMs.',
  )
  .option('--keys <n>', 'keys to copy', parseCount, 1_000_000)
  .option('--rate <n>', 'operations a second of the foreign client', parseCount, 500)
  .option('--limits <list>', 'values of maxSourceLatencyMs', parseLimits, [2, 1, 0.5, 0.25, 0.2])
  .option('--rounds <n>', 'rounds; the median of each value counts', parseCount, 3)
  .option('--write', 'write the section "Latency" of bench/RESULTS.md', false);

function parseLimits(text: string): number[] {
  const limits = text.split(',').map(Number);
  if (!limits.every((limit) => limit > 0)) throw new InvalidArgumentError('Not numbers above 0, with commas between.');
  return limits;
}

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
  // Asked for before this process is kept off one of them.
  const cores = availableParallelism();
  const { keys, rate, limits, rounds, write } = program.parse().opts<Options>();
  const [source, target] = await Promise.all([startServer('redis-6.0'), startServer('redis-7.0')]);
  const client = spawn(process.execPath, [path.join(__dirname, 'foreign-client.js'), source.url, String(rate)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const apart = keepApart([source.pid, client.pid ?? 0], [process.pid, target.pid]);
  const read = async (): Promise<Latencies> => {
    const answer = once(client.stdout, 'data');
    client.stdin.write('\n');
    const [line] = (await answer) as [Buffer];
    return JSON.parse(line.toString()) as Latencies;
  };
  const undisturbed = async (): Promise<Felt> => {
    await read();
    await sleep(UNDISTURBED_MS);
    return { latencies: await read(), keysPerSecond: 0 };
  };
  const besideCopy = async (maxSourceLatencyMs: number): Promise<Felt> => {
    const redis = new Redis(target.url);
    await redis.flushall();
    redis.disconnect();
    let latencies: Latencies | undefined;
    const around = {
      before: read,
      after: async () => (latencies = await read()),
    };
    const { seconds, note = '' } = await keyferryWith('', { limits: { maxSourceLatencyMs } }, around).copy(
      source,
      target,
    );
    if (latencies === undefined || !note.startsWith('completed,'))
      throw new Error(`The copy did not complete: ${note}`);
    return { latencies, keysPerSecond: keys / seconds };
  };
  const cases: readonly Case[] = [
    { name: 'no copy', run: undisturbed, felt: [] },
    { name: 'full speed', run: () => besideCopy(0), felt: [] },
    ...limits.map((limit) => ({ name: `maxSourceLatencyMs ${limit}`, run: () => besideCopy(limit), felt: [] })),
  ];
  try {
    console.log(`Filling redis-6.0 with ${keys.toLocaleString('en')} keys …`);
    await fillServer({ port: source.port, keys, seed: 1 });
    for (let round = 1; round <= rounds; round++) {
      for (const { name, run, felt } of cases) {
        const result = await run();
        felt.push(result);
        console.log(`Round ${round}, ${name}: p99 ${result.latencies.p99.toFixed(2)} ms`);
      }
    }
  } finally {
    client.stdin.end();
    await Promise.all([source.stop(), target.stop()]);
  }
  const lines = [
    `${measuredBy('bench:latency')}: what a foreign client of the source feels that makes ${rate} operations a second, GET and SET by turns, while ${keys.toLocaleString('en')} mixed keys are copied; ${cores} cores, ${apart ? 'the source and the foreign client with one for themselves' : 'shared by all'}; ${source.flavour} ${source.version} → ${target.flavour} ${target.version}, loopback; ${rounds} rounds, the median of each.`,
    '',
    ...table(cases),
  ];
  console.log(`\n${lines.join('\n')}`);
  if (write) await writeSection('Latency', lines);
}

function table(cases: readonly Case[]): string[] {
  const rows = cases.map(({ name, felt }) => ({
    name,
    p50: median(felt.map(({ latencies }) => latencies.p50)),
    p99: median(felt.map(({ latencies }) => latencies.p99)),
    longest: median(felt.map(({ latencies }) => latencies.longest)),
    speed: median(felt.map(({ keysPerSecond }) => keysPerSecond)),
  }));
  const [alone, full] = rows;
  if (alone === undefined || full === undefined) throw new Error('Nothing was measured.');
  const held = rows.filter(({ p99, speed }) => p99 <= alone.p99 * WANTED_TIMES && speed >= full.speed * WANTED_SPEED);
  const ms = (value: number) => value.toFixed(2);
  return [
    tableRow(['', 'p50 ms', 'p99 ms', 'p99 against no copy', 'longest ms', 'keys/s', 'of full speed']),
    tableRow(Array<string>(7).fill('---')),
    ...rows.map(({ name, p50, p99, longest, speed }) =>
      tableRow([
        name,
        ms(p50),
        ms(p99),
        ms(p99 / alone.p99),
        ms(longest),
        ...(speed === 0 ? ['', ''] : [Math.round(speed).toLocaleString('en'), ms(speed / full.speed)]),
      ]),
    ),
    '',
    `- within ${WANTED_TIMES} times the undisturbed p99 at no less than a third of full speed: ${held.map(({ name }) => name).join(', ') || 'none'} (wanted: one that is)`,
  ];
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
