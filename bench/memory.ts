import { availableParallelism } from 'node:os';
import { Command } from 'commander';
import { startServer } from '../local/servers/start-server';
import { keyferryWith } from './contenders';
import { emptied, measured, withServers, type Servers } from './measure';
import { alterMix, fillMix, withoutScripts } from './memory-mix';
import { parseCount } from './option-values';
import { measuredBy, tableRow, writeSection } from './results-file';

interface Options extends Servers {
  readonly mib: number;
  readonly only: string;
  readonly write: boolean;
}

/** MB (10^6 bytes) that the app may take. */
const WANTED = 300;

const program = withServers(
  new Command('npm run bench:memory --')
    .description(
      'Copies, syncs and compares big keys of all types at once, and prints the most memory that the app took.',
    )
    .option('--mib <n>', 'size of the largest elements, MiB', parseCount, 20)
    .option('--only <text>', 'only runs whose names have this in them', '')
    .option('--write', 'write the section "Memory" of bench/RESULTS.md', false),
);

const HEAD = ['', 's', 'CPU s app', 'MB app', ''];

/** In this order: a sync needs a target to be altered, the comparison one that is equal. */
const MODES = [
  { name: 'copy', request: {} },
  { name: 'sync', request: { mode: 'sync' } },
  { name: 'compare, full', request: { mode: 'compare', verify: 'full' } },
] as const;

async function main(): Promise<void> {
  const { mib, only, write, source: older, target: newer } = program.parse().opts<Options>();
  const rows: string[][] = [];
  let most = 0;
  let allEnded = true;
  for (const [from, to] of [
    [older, newer],
    [newer, older],
  ] as const) {
    const servers = [await startServer(from), await startServer(to)] as const;
    try {
      const [source, target] = servers;
      await fillMix(source, mib);
      for (const scripts of [true, false]) {
        await emptied(target);
        for (const { name: mode, request } of MODES) {
          const name = `${mode}, ${from} → ${to}${scripts ? '' : ', no scripts'}`;
          if (!name.includes(only)) continue;
          if (mode === 'sync') await alterMix(target);
          const [a, b] = scripts ? servers : ([await withoutScripts(source), await withoutScripts(target)] as const);
          const { seconds, appCpu = 0, memory = 0, note = '' } = await measured(keyferryWith(name, request), a, b);
          const megabytes = (memory * 1_048_576) / 1e6;
          most = Math.max(most, megabytes);
          allEnded &&= note.startsWith('completed,');
          rows.push([name, seconds.toFixed(1), appCpu.toFixed(1), megabytes.toFixed(0), note]);
          console.log(rows.at(-1)?.join('  '));
        }
      }
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  }
  const line = `- ${most.toFixed(0)} MB at most in the app (wanted: below ${WANTED}).`;
  console.log(line);
  if (write) {
    await writeSection('Memory', [
      `${measuredBy('bench:memory')}: two lists, hashes, sets, sorted sets and streams each, with elements of ${mib} MiB and of 1 MiB, two strings of 128 MiB and 2,000 keys from 20 KB to 6 MB, nothing of it compressible; ${availableParallelism()} shared cores, loopback; the most resident memory of the app's process.`,
      '',
      tableRow(HEAD),
      tableRow(HEAD.map(() => '---')),
      ...rows.map(tableRow),
      '',
      line,
    ]);
  }
  process.exitCode = allEnded && most < WANTED ? 0 : 1;
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
