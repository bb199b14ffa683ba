import { availableParallelism, totalmem } from 'node:os';
import { Command } from 'commander';
import { fillServer } from '../demo/generate';
import { startServer, type RunningServer } from '../local/servers/start-server';
import { keyferryWith } from './contenders';
import { emptied, measured, withServers, type Servers } from './measure';
import { median } from './median';
import { parseCount } from './option-values';
import { measuredBy, tableRow, writeSection } from './results-file';

interface Options extends Servers {
  readonly keys: number;
  readonly rounds: number;
  readonly write: boolean;
}

/** To an older server keys must come at no less than this share of the keys per second of the way back. */
const WANTED = 0.6;
/** MiB that the app may take. */
const WANTED_MEMORY = 300;

const program = withServers(
  new Command('npm run bench:older --')
    .description('Copies the same keys from an older server to a newer one and the other way, by turns.')
    .option('--keys <n>', 'keys', parseCount, 1_000_000)
    .option('--rounds <n>', 'rounds; the median of their ratios counts', parseCount, 3)
    .option('--write', 'write the section "To an older server" of bench/RESULTS.md', false),
);

const HEAD = ['round', '', 's', 'keys/s', 'CPU s app', 'CPU s source', 'CPU s target', 'MiB app'];

async function main(): Promise<void> {
  const { keys, rounds, write, source: older, target: newer } = program.parse().opts<Options>();
  const servers: RunningServer[] = [];
  const start = async (name: Servers['source']): Promise<RunningServer> => {
    const server = await startServer(name);
    servers.push(server);
    return server;
  };
  try {
    const up = [await start(older), await start(newer)] as const;
    const down = [await start(newer), await start(older)] as const;
    for (const [source] of [up, down]) await fillServer({ port: source.port, keys, seed: 1 });
    const ways = [
      { name: `${older} → ${newer}`, servers: up },
      { name: `${newer} → ${older}`, servers: down },
    ];
    const rows: string[][] = [];
    const ratios: number[] = [];
    let memory = 0;
    for (let round = 1; round <= rounds; round++) {
      const seconds = new Map<string, number>();
      for (const {
        name,
        servers: [source, target],
      } of round % 2 === 0 ? [...ways].reverse() : ways) {
        await emptied(target);
        const run = await measured(keyferryWith(name, {}), source, target);
        if (run.keys !== keys) throw new Error(`${run.keys} keys of ${keys} arrived: ${run.note ?? ''}`);
        seconds.set(name, run.seconds);
        memory = Math.max(memory, run.memory ?? 0);
        const rate = Math.round(keys / run.seconds).toLocaleString('en');
        const cpu = [run.appCpu ?? 0, run.sourceCpu, run.targetCpu].map((value) => value.toFixed(2));
        rows.push([String(round), name, run.seconds.toFixed(2), rate, ...cpu, (run.memory ?? 0).toFixed(0)]);
        console.log(
          `round ${round}  ${name}: ${run.seconds.toFixed(2)} s, ${rate} keys/s; CPU s of app / source / target: ${cpu.join(' / ')}; ${run.note ?? ''}`,
        );
      }
      const [there, back] = ways.map(({ name }) => seconds.get(name) ?? Number.NaN);
      ratios.push((there ?? Number.NaN) / (back ?? Number.NaN));
    }
    const ratio = median(ratios);
    const lines = [
      `- To the older server at ${ratio.toFixed(2)} times the keys/s of the way back (wanted: at least ${WANTED}).`,
      `- ${memory.toFixed(0)} MiB at most in the app (wanted: below ${WANTED_MEMORY}).`,
    ];
    for (const line of lines) console.log(line);
    if (write) {
      await writeSection('To an older server', [
        `${measuredBy('bench:older')}: ${keys.toLocaleString('en')} mixed keys; ${availableParallelism()} shared cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, loopback; both ways by turns, the median of the rounds' ratios.`,
        '',
        tableRow(HEAD),
        tableRow(HEAD.map(() => '---')),
        ...rows.map(tableRow),
        '',
        ...lines,
      ]);
    }
    process.exitCode = ratio >= WANTED && memory < WANTED_MEMORY ? 0 : 1;
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
