import { availableParallelism, totalmem } from 'node:os';
import { Command } from 'commander';
import { fillServer } from '../demo/generate';
import { startServer, type RunningServer } from '../local/servers/start-server';
import { competitors, keyferry, pipeline, replication, type Contender } from './contenders';
import { COPY_HEAD, copyRow, showCopies, two } from './copy-table';
import { emptied, measured, withServers, type Measured, type Servers } from './measure';
import { middle } from './median';
import { parseCount } from './option-values';
import { measuredBy, tableRow, writeSection } from './results-file';

interface Options extends Servers {
  readonly keys: number;
  readonly rounds: number;
  readonly growth: readonly number[];
  readonly write: boolean;
}

const program = withServers(
  new Command('npm run bench --')
    .description('Copies the same keys in several ways between two servers on this machine and prints ratios.')
    .option('--keys <n>', 'keys of the comparison', parseCount, 1_000_000)
    .option('--rounds <n>', 'rounds; each contender once a round, the median counts', parseCount, 3)
    .option(
      '--growth <list>',
      'numbers of keys to show how time grows',
      (text) => text.split(',').map(parseCount),
      [10_000, 100_000, 300_000, 3_000_000],
    )
    .option('--no-growth-runs', 'only the comparison')
    .option('--write', 'write the section "Copying" of bench/RESULTS.md', false),
);

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
        await emptied(target);
        const run = await measured(contender, source, target);
        runs.get(contender)?.push(run);
        console.log(`round ${round}  ${contender.name}: ${two(run.seconds)} s`);
      }
    }
    const of = (contender: Contender): Measured => {
      const run = middle(runs.get(contender) ?? [], ({ seconds }) => seconds);
      if (run === undefined) throw new Error('nothing was measured');
      return run;
    };
    const rows = contenders.map((contender) => copyRow(contender.name, of(contender)));
    showCopies(rows);
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
      await emptied(source);
      await fillServer({ port: source.port, keys, seed: 1 });
      await emptied(target);
      growth.push(copyRow(`Keyferry, ${keys.toLocaleString('en')} keys`, await measured(keyferry, source, target)));
    }
    if (growth.length > 0) showCopies(growth);
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
    tableRow(COPY_HEAD),
    tableRow(COPY_HEAD.map(() => '---')),
    ...rows.map(tableRow),
    '',
    ...lines,
  ]);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
