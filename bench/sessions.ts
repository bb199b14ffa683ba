import { availableParallelism, totalmem } from 'node:os';
import { Command } from 'commander';
import { startServer } from '../local/servers/start-server';
import { keyferryWith, type Contender } from './contenders';
import { fillSessions } from './fill-sessions';
import { emptied, measured, withServers, type Servers } from './measure';
import { median } from './median';
import { parseCount } from './option-values';
import { measuredBy, tableRow, writeSection } from './results-file';

interface Options extends Servers {
  readonly sessions: number;
  readonly items: number;
  readonly rounds: number;
  readonly write: boolean;
}

/** Converted sessions must come at no less than this share of the keys per second of the same keys copied as they are. */
const WANTED = 0.5;

const program = withServers(
  new Command('npm run bench:sessions --')
    .description('Copies ASP.NET sessions converted and as they are, by turns, and prints the ratio.')
    .option('--sessions <n>', 'sessions, of two keys each', parseCount, 120_000)
    .option('--items <n>', 'items of each', parseCount, 20)
    .option('--rounds <n>', 'rounds; the median of their ratios counts', parseCount, 5)
    .option('--write', 'write the section "Sessions" of bench/RESULTS.md', false),
);

const HEAD = ['round', '', 's', 'keys/s', 'CPU s app', 'CPU s source', 'CPU s target'];

async function main(): Promise<void> {
  const { sessions, items, rounds, write, ...servers } = program.parse().opts<Options>();
  const [source, target] = await Promise.all([startServer(servers.source), startServer(servers.target)]);
  try {
    console.log(`Filling ${servers.source} with ${sessions} sessions of ${items} items …`);
    await fillSessions(source.url, sessions, items);
    const plain = keyferryWith('as they are', {});
    const converting = keyferryWith('converted', { convert: ['aspnet-session-v5'] });
    const rows: string[][] = [];
    const ratios: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      const order = round % 2 === 0 ? [converting, plain] : [plain, converting];
      const seconds = new Map<Contender, number>();
      for (const contender of order) {
        await emptied(target);
        const run = await measured(contender, source, target);
        seconds.set(contender, run.seconds);
        const rate = Math.round((2 * sessions) / run.seconds).toLocaleString('en');
        const cpu = [run.appCpu ?? 0, run.sourceCpu, run.targetCpu].map((value) => value.toFixed(2));
        rows.push([String(round), contender.name, run.seconds.toFixed(2), rate, ...cpu]);
        console.log(
          `round ${round}  ${contender.name}: ${run.seconds.toFixed(2)} s, ${rate} keys/s; CPU s of app / source / target: ${cpu.join(' / ')}; ${run.note ?? ''}`,
        );
      }
      ratios.push((seconds.get(plain) ?? 0) / (seconds.get(converting) ?? Number.NaN));
    }
    const ratio = median(ratios);
    const line = `Converted at ${ratio.toFixed(2)} times the keys/s of the same keys as they are (wanted: at least ${WANTED}).`;
    console.log(line);
    if (write) {
      await writeSection('Sessions', [
        `${measuredBy('bench:sessions')}: ${sessions.toLocaleString('en')} sessions of ${items} items, two keys each; ${availableParallelism()} shared cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, loopback; ${source.flavour} ${source.version} → ${target.flavour} ${target.version}; both by turns, the median of the rounds' ratios.`,
        '',
        tableRow(HEAD),
        tableRow(HEAD.map(() => '---')),
        ...rows.map(tableRow),
        '',
        `- ${line}`,
      ]);
    }
    process.exitCode = ratio >= WANTED ? 0 : 1;
  } finally {
    await Promise.all([source.stop(), target.stop()]);
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
