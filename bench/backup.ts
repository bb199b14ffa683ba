import { mkdtemp, rm, stat } from 'node:fs/promises';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command } from 'commander';
import { Redis } from 'ioredis';
import { fillServer } from '../demo/generate';
import { ensureServer } from '../local/servers/find-server';
import { startServer, type RunningServer } from '../local/servers/start-server';
import { command, keyferryWith, type Contender, type Cost } from './contenders';
import { emptied, measured, withServers, type Servers } from './measure';
import { median } from './median';
import { parseCount } from './option-values';
import { cpuSeconds } from './process-usage';
import { measuredBy, tableRow, writeSection } from './results-file';

interface Options extends Servers {
  readonly keys: number;
  readonly rounds: number;
  readonly write: boolean;
}

/** MiB that the app may take. */
const WANTED_MEMORY = 300;

const program = withServers(
  new Command('npm run bench:backup --')
    .description(
      'Backs a Redis up into a file and restores it, beside redis-cli --rdb and a server that loads the file.',
    )
    .option('--keys <n>', 'keys', parseCount, 1_000_000)
    .option('--rounds <n>', 'rounds; medians count', parseCount, 3)
    .option('--write', 'write the section "Backup and restore" of bench/RESULTS.md', false),
);

const HEAD = ['', 's (median)', 'keys/s', 'MB/s', 'CPU s app', 'CPU s server', 'MiB app'];

async function main(): Promise<void> {
  const { keys, rounds, write, source: from, target: to } = program.parse().opts<Options>();
  const folder = await mkdtemp(path.join(tmpdir(), 'keyferry-bench-backup-'));
  const servers: RunningServer[] = [];
  try {
    const source = await startServer(from);
    servers.push(source);
    const target = await startServer(to);
    servers.push(target);
    await fillServer({ port: source.port, keys, seed: 1 });
    const file = { rdb: 'FILES', file: 'bench.rdb' };
    const settings = { RDB_FILES: pathToFileURL(folder).href };
    const backup = keyferryWith('keyferry backup', { target: { ...file, overwrite: true } }, undefined, settings);
    const restore = keyferryWith('keyferry restore', { source: file }, undefined, settings);
    const found = await ensureServer(from);
    const ofClient = (text: string) => text.replace(/-server$/, '-cli');
    const cli = command(
      'redis-cli --rdb',
      ofClient(found.command),
      ({ port }) =>
        Promise.resolve([...found.args.map(ofClient), '-p', String(port), '--rdb', path.join(folder, 'cli.rdb')]),
      { ...process.env, ...found.env },
    );
    let loadCpu = 0;
    const load: Contender = {
      name: `${to} loads the file`,
      copy: async () => {
        const { seconds, cpu } = await loaded(to, folder, file.file, keys);
        loadCpu = cpu;
        return { seconds };
      },
    };
    const costs = new Map<string, (Cost & { readonly server: number })[]>();
    for (let round = 1; round <= rounds; round++) {
      for (const contender of [backup, cli, restore, load]) {
        if (contender === restore) await emptied(target);
        const run = await measured(contender, source, target);
        const ofFile = contender === load ? loadCpu : run.targetCpu;
        const server = contender === backup || contender === cli ? run.sourceCpu : ofFile;
        if (contender === restore && run.keys !== keys) throw new Error(`${run.keys} keys of ${keys} arrived.`);
        costs.set(contender.name, [...(costs.get(contender.name) ?? []), { ...run, server }]);
        console.log(`round ${round}  ${contender.name}: ${run.seconds.toFixed(2)} s  ${run.note ?? ''}`);
      }
    }
    const megabytes = (await stat(path.join(folder, file.file))).size / 1e6;
    const rows = [...costs].map(([name, runs]) => {
      const seconds = median(runs.map((run) => run.seconds));
      const memory = Math.max(...runs.map((run) => run.memory ?? 0));
      const cpu = median(runs.map((run) => run.appCpu ?? 0));
      return [
        name,
        seconds.toFixed(2),
        Math.round(keys / seconds).toLocaleString('en'),
        (megabytes / seconds).toFixed(0),
        cpu === 0 ? '' : cpu.toFixed(2),
        median(runs.map((run) => run.server)).toFixed(2),
        memory === 0 ? '' : memory.toFixed(0),
      ];
    });
    console.log([HEAD, ...rows].map((row) => row.join('\t')).join('\n'));
    if (write) {
      await writeSection('Backup and restore', [
        `${measuredBy('bench:backup')}: ${keys.toLocaleString('en')} mixed keys of a ${from}, a file of ${megabytes.toFixed(0)} MB, restored into a ${to}; ${availableParallelism()} shared cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, ${rounds} rounds by turns. The backup is read once more before it is complete; the restore looks the file through first.`,
        '',
        tableRow(HEAD),
        tableRow(HEAD.map(() => '---')),
        ...rows.map(tableRow),
      ]);
    }
    const memory = Math.max(...[...costs.values()].flat().map((run) => run.memory ?? 0));
    process.exitCode = memory < WANTED_MEMORY ? 0 : 1;
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    await rm(folder, { recursive: true, force: true });
  }
}

/** How long a server takes from its start until all keys of a file are there. */
async function loaded(
  name: Servers['target'],
  folder: string,
  file: string,
  keys: number,
): Promise<{ readonly seconds: number; readonly cpu: number }> {
  const started = performance.now();
  const server = await startServer(name, { dataFolder: folder, rdb: file });
  const client = new Redis(server.url);
  try {
    while ((await client.dbsize()) < keys) await new Promise((resolve) => setTimeout(resolve, 20));
    return { seconds: (performance.now() - started) / 1_000, cpu: cpuSeconds(server.pid) };
  } finally {
    client.disconnect();
    await server.stop();
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
