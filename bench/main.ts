import { availableParallelism, totalmem } from 'node:os';
import Table from 'cli-table3';
import { Command } from 'commander';
import { Redis } from 'ioredis';
import { fillServer } from '../demo/generate';
import { startServer, type RunningServer } from '../local/servers/start-server';
import type { ServerName } from '../local/servers/server-names';
import { competitors, keyferry, pipeline, replication, type Contender, type Cost } from './contenders';
import { cpuSeconds } from './process-usage';
import { parseCount } from './option-values';
import { measuredBy, tableRow, writeSection } from './results-file';

interface Options {
  readonly keys: number;
  readonly rounds: number;
  readonly source: ServerName;
  readonly target: ServerName;
  readonly growth: readonly number[];
  readonly write: boolean;
}

interface Measured extends Cost {
  readonly sourceCpu: number;
  readonly targetCpu: number;
  readonly keys: number;
}

const program = new Command('npm run bench --')
  .description('Copies the same keys in several ways between two servers on this machine and prints ratios.')
  .option('--keys <n>', 'keys of the comparison', parseCount, 1_000_000)
  .option('--rounds <n>', 'rounds; each contender once a round, the median counts', parseCount, 3)
  .option('--source <server>', 'redis-6.0, redis-7.0, redis-8.0 or valkey-8.1', 'redis-6.0')
  .option('--target <server>', 'the same', 'redis-7.0')
  .option(
    '--growth <list>',
    'numbers of keys to show how time grows',
    (text) => text.split(',').map(parseCount),
    [10_000, 100_000, 300_000, 3_000_000],
  )
  .option('--no-growth-runs', 'only the comparison')
  .option('--write', 'write the section "Copying" of bench/RESULTS.md', false);

async function measure(contender: Contender, source: RunningServer, target: RunningServer): Promise<Measured> {
  const client = new Redis(target.url);
  await client.flushall();
  // What the flush left to background threads must not fall into the measurement.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const before = [cpuSeconds(source.pid), cpuSeconds(target.pid)] as const;
  const cost = await contender.copy(source, target);
  const sourceCpu = cpuSeconds(source.pid) - before[0];
  const targetCpu = cpuSeconds(target.pid) - before[1];
  const keys = await client.dbsize();
  client.disconnect();
  return { ...cost, sourceCpu, targetCpu, keys };
}

function median(runs: readonly Measured[]): Measured {
  const sorted = [...runs].sort((a, b) => a.seconds - b.seconds);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  if (middle === undefined) throw new Error('nothing was measured');
  return middle;
}

const two = (value: number | undefined) => (value === undefined ? '' : value.toFixed(2));

function row(name: string, run: Measured): string[] {
  return [
    name,
    run.keys.toLocaleString('en'),
    two(run.seconds),
    Math.round(run.keys / run.seconds).toLocaleString('en'),
    two(run.appCpu),
    two(run.sourceCpu),
    two(run.targetCpu),
    run.memory === undefined ? '' : run.memory.toFixed(0),
    run.note ?? '',
  ];
}

const HEAD = ['', 'keys on target', 's', 'keys/s', 'CPU s copier', 'CPU s source', 'CPU s target', 'MiB copier', ''];

function show(rows: readonly (readonly string[])[]): void {
  const table = new Table({ head: HEAD, style: { head: [], border: [] } });
  table.push(...rows.map((r) => [...r]));
  console.log(table.toString());
}

async function main(): Promise<void> {
  const options = program.parse().opts<Options & { growthRuns: boolean }>();
  const source = await startServer(options.source, {
    args: ['--repl-diskless-sync', 'yes', '--repl-diskless-sync-delay', '0'],
  });
  const target = await startServer(options.target);
  const lines: string[] = [];
  const say = (line: string) => {
    console.log(line);
    lines.push(line);
  };
  try {
    const contenders = [keyferry, pipeline, replication, ...competitors(process.env)];
    console.log(`Filling ${options.source} with ${options.keys.toLocaleString('en')} keys …`);
    await fillServer({ port: source.port, keys: options.keys, seed: 1 });
    const runs = new Map<Contender, Measured[]>(contenders.map((contender) => [contender, []]));
    for (let round = 1; round <= options.rounds; round++) {
      for (const contender of contenders) {
        const run = await measure(contender, source, target);
        runs.get(contender)?.push(run);
        console.log(`round ${round}  ${contender.name}: ${two(run.seconds)} s`);
      }
    }
    const medians = contenders.map((contender) => ({ contender, run: median(runs.get(contender) ?? []) }));
    const rows = medians.map(({ contender, run }) => row(contender.name, run));
    show(rows);
    const of = (contender: Contender) => median(runs.get(contender) ?? []);
    const [ours, plain, limit] = [of(keyferry), of(pipeline), of(replication)];
    const busier = Math.max(ours.sourceCpu, ours.targetCpu);
    say(`- ${two(plain.seconds / ours.seconds)} times as fast as the plain pipeline (wanted: at least 2.5)`);
    say(`- ${two(ours.seconds / limit.seconds)} times the time of REPLICAOF (wanted: at most 1.6)`);
    say(`- ${two(ours.appCpu)} s of CPU in the app, engine and host together (wanted: at most 4 for a million keys)`);
    say(`- ${ours.memory?.toFixed(0) ?? '?'} MiB at most in the app (wanted: below 300)`);
    say(
      `- ${two(ours.seconds)} s against ${two(1.3 * busier + 3)} s, 1.3 times the busier server's CPU time (${two(busier)} s) plus 3 s`,
    );

    const growth: string[][] = [];
    for (const keys of options.growthRuns ? options.growth : []) {
      const client = new Redis(source.url);
      await client.flushall();
      client.disconnect();
      await fillServer({ port: source.port, keys, seed: 1 });
      growth.push(row(`Keyferry, ${keys.toLocaleString('en')} keys`, await measure(keyferry, source, target)));
    }
    if (growth.length > 0) show(growth);
    if (options.write) await writeResults(options, source, target, [...rows, ...growth], lines);
  } finally {
    await Promise.all([source.stop(), target.stop()]);
  }
}

async function writeResults(
  options: Options,
  source: RunningServer,
  target: RunningServer,
  rows: readonly (readonly string[])[],
  lines: readonly string[],
): Promise<void> {
  await writeSection('Copying', [
    `${measuredBy('bench')}: ${availableParallelism()} shared cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, loopback; ${source.flavour} ${source.version} → ${target.flavour} ${target.version}; ${options.rounds} rounds, the median of each.`,
    '',
    tableRow(HEAD),
    tableRow(HEAD.map(() => '---')),
    ...rows.map(tableRow),
    '',
    ...lines,
  ]);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
