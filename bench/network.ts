import { availableParallelism } from 'node:os';
import { Command } from 'commander';
import { fillServer } from '../demo/generate';
import { startServer, type RunningServer } from '../local/servers/start-server';
import { competitors, keyferry, pipeline, type Contender } from './contenders';
import { COPY_HEAD, copyRow, showCopies, two } from './copy-table';
import { startDelayingProxy } from './delaying-proxy';
import { emptied, measuredBetween, withServers, type Measured, type Servers } from './measure';
import { middle } from './median';
import { parseCount } from './option-values';
import { measuredBy, tableRow, writeSection } from './results-file';

interface Options extends Servers {
  readonly keys: number;
  readonly rounds: number;
  readonly roundTrips: readonly number[];
  readonly others: boolean;
  readonly write: boolean;
}

/** Of the speed on loopback, at a round trip of so many ms to each side. */
const WANTED: ReadonlyMap<number, number> = new Map([
  [10, 0.85],
  [40, 0.6],
]);

const program = withServers(
  new Command('npm run bench:network --')
    .description(
      'Copies the same keys between two servers that are far away: everything to and from each takes its time.',
    )
    .option('--keys <n>', 'keys', parseCount, 1_000_000)
    .option('--rounds <n>', 'rounds; each copy once a round, the median counts', parseCount, 3)
    .option(
      '--round-trips <list>',
      'round trips to each side, milliseconds',
      (text) => text.split(',').map(parseCount),
      [2, 10, 40],
    )
    .option('--no-others', 'without the plain pipeline, and without competitors that the environment names')
    .option('--write', 'write the section "Network" of bench/RESULTS.md', false),
);

/** A server as it is reached through a line. */
interface Reached {
  readonly roundTripMs: number;
  readonly source: RunningServer;
  readonly target: RunningServer;
}

async function main(): Promise<void> {
  const { source: from, target: to, keys, rounds, roundTrips, others, write } = program.parse().opts<Options>();
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const [source, target] = [await startServer(from), await startServer(to)];
    ends.push(
      () => source.stop(),
      () => target.stop(),
    );
    console.log(`Filling ${from} with ${keys.toLocaleString('en')} keys …`);
    await fillServer({ port: source.port, keys, seed: 1 });
    const far = async (server: RunningServer, roundTripMs: number): Promise<RunningServer> => {
      const proxy = await startDelayingProxy(server.port, roundTripMs);
      ends.push(() => proxy.close());
      return { ...server, port: proxy.port, url: proxy.url };
    };
    const lines: Reached[] = [{ roundTripMs: 0, source, target }];
    for (const roundTripMs of roundTrips) {
      lines.push({ roundTripMs, source: await far(source, roundTripMs), target: await far(target, roundTripMs) });
    }
    const contenders = others ? [keyferry, pipeline, ...competitors(process.env)] : [keyferry];
    const ways = lines.flatMap((line) => contenders.map((contender) => ({ line, contender, runs: [] as Measured[] })));
    for (let round = 1; round <= rounds; round++) {
      for (const { line, contender, runs } of ways) {
        await emptied(target);
        const through: Contender = {
          ...contender,
          copy: () => contender.copy(line.source, line.target),
        };
        const run = await measuredBetween(through, [source], [target]);
        runs.push(run);
        console.log(`round ${round}  ${contender.name}, ${line.roundTripMs} ms: ${two(run.seconds)} s`);
      }
    }
    const medianOf = (runs: readonly Measured[]): Measured => {
      const run = middle(runs, ({ seconds }) => seconds);
      if (run === undefined) throw new Error('nothing was measured');
      return run;
    };
    const rows = ways.map(({ line, contender, runs }) =>
      copyRow(`${contender.name}, ${line.roundTripMs === 0 ? 'loopback' : `${line.roundTripMs} ms`}`, medianOf(runs)),
    );
    showCopies(rows);
    const ours = ways.filter(({ contender }) => contender === keyferry);
    const near = medianOf(ours[0]?.runs ?? []).seconds;
    const found = ours.slice(1).map(({ line: { roundTripMs }, runs }) => {
      const seconds = runs.map((run) => run.seconds);
      const wanted = WANTED.get(roundTripMs);
      return `- ${roundTripMs} ms to each side: ${two(near / medianOf(runs).seconds)} of the speed on loopback${wanted === undefined ? '' : ` (wanted: at least ${wanted})`}; the slowest run took ${two(Math.max(...seconds) / Math.min(...seconds))} times the quickest.`;
    });
    found.forEach((line) => {
      console.log(line);
    });
    if (write) {
      await writeSection('Network', [
        `${measuredBy('bench:network')}: ${keys.toLocaleString('en')} mixed keys; ${availableParallelism()} shared cores, which do the delaying as well; ${source.flavour} ${source.version} → ${target.flavour} ${target.version}; ${rounds} rounds, the median of each.`,
        '',
        tableRow(COPY_HEAD),
        tableRow(COPY_HEAD.map(() => '---')),
        ...rows.map(tableRow),
        '',
        ...found,
      ]);
    }
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
