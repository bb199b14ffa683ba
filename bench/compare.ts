import { availableParallelism } from 'node:os';
import { Command } from 'commander';
import { Redis } from 'ioredis';
import { fillServer } from '../demo/generate';
import { startServer, type RunningServer } from '../local/servers/start-server';
import { keyferryWith, type Contender } from './contenders';
import { emptied, measured, withServers, type Servers } from './measure';
import { median } from './median';
import { parseCount } from './option-values';
import { measuredBy, writeSection } from './results-file';

interface Options extends Servers {
  readonly keys: number;
  readonly kilobytes: number;
  readonly large: number;
  readonly rounds: number;
  readonly empty: boolean;
  readonly write: boolean;
}

/** One run: seconds from POST to the verdict, bytes over both servers' connections, CPU seconds of source and target. */
interface Run {
  readonly seconds: number;
  readonly bytes: number;
  readonly cpu: readonly [app: number, source: number, target: number];
}

/** A sync of unchanged data must cost less than this share of the copy, a comparison send less than this share of the data. */
const WANTED_SYNC = 0.5;
const WANTED_BYTES = 0.1;
/** So long may a comparison take that finds every key missing, seconds. */
const WANTED_EMPTY_S = 15;

const program = withServers(
  new Command('npm run bench:compare --')
    .description('Copies, compares and syncs the same keys between two servers on this machine and prints ratios.')
    .option('--keys <n>', 'keys of the mixed data', parseCount, 1_000_000)
    .option('--kilobytes <n>', 'strings of 1 KB', parseCount, 200_000)
    .option('--large <n>', 'strings of 10 KB', parseCount, 60_000)
    .option('--rounds <n>', 'rounds; the median of each counts', parseCount, 3)
    .option('--empty', 'only compare the mixed keys with an empty target: each is a finding', false)
    .option('--write', 'write the section in bench/RESULTS.md', false),
);

const copy = keyferryWith('copy to an empty target', {});
const unchanged: readonly Contender[] = [
  keyferryWith('sync of unchanged data', { mode: 'sync' }),
  keyferryWith('compare, quick', { mode: 'compare', verify: 'quick' }),
  keyferryWith('compare, full', { mode: 'compare', verify: 'full' }),
];

/** Bytes that a server has received and sent so far. */
async function traffic(client: Redis): Promise<number> {
  const info = await client.info('stats');
  const of = (name: string) => Number(new RegExp(`${name}:(\\d+)`).exec(info)?.[1] ?? 0);
  return of('total_net_input_bytes') + of('total_net_output_bytes');
}

async function measure(contender: Contender, source: RunningServer, target: RunningServer): Promise<Run> {
  const clients = [source, target].map((server) => new Redis(server.url));
  try {
    const sent = async () => {
      const [a = 0, b = 0] = await Promise.all(clients.map(traffic));
      return a + b;
    };
    const before = await sent();
    const { seconds, appCpu = 0, sourceCpu, targetCpu, note } = await measured(contender, source, target);
    const run: Run = { seconds, bytes: (await sent()) - before, cpu: [appCpu, sourceCpu, targetCpu] };
    const words = run.cpu.map((value) => value.toFixed(2)).join(' / ');
    console.log(
      `  ${contender.name}: ${seconds.toFixed(2)} s, ${mega(run.bytes)} MB, CPU s of app / source / target ${words}; ${note ?? ''}`,
    );
    return run;
  } finally {
    for (const client of clients) client.disconnect();
  }
}

function mega(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

async function rounds(options: Options, source: RunningServer, target: RunningServer): Promise<Map<Contender, Run[]>> {
  const runs = new Map<Contender, Run[]>([copy, ...unchanged].map((contender) => [contender, []]));
  for (let round = 1; round <= options.rounds; round++) {
    console.log(`round ${round}`);
    await emptied(target);
    for (const contender of [copy, ...unchanged]) {
      runs.get(contender)?.push(await measure(contender, source, target));
    }
  }
  return runs;
}

function table(runs: ReadonlyMap<Contender, readonly Run[]>): string[] {
  const of = (contender: Contender, value: (run: Run) => number) => median((runs.get(contender) ?? []).map(value));
  const lines = [...runs.keys()].map((contender) => {
    const [seconds, bytes] = [of(contender, (run) => run.seconds), of(contender, (run) => run.bytes)];
    const cpu = ([0, 1, 2] as const).map((i) => of(contender, (run) => run.cpu[i]).toFixed(2)).join(' / ');
    const shares = [seconds / of(copy, (run) => run.seconds), bytes / of(copy, (run) => run.bytes)];
    return `| ${contender.name} | ${seconds.toFixed(2)} | ${mega(bytes)} | ${cpu} | ${shares.map((share) => share.toFixed(2)).join(' | ')} |`;
  });
  return [
    '| | s | MB over the wire, both sides | CPU s app / source / target | s against the copy | bytes against the copy |',
    '| --- | --- | --- | --- | --- | --- |',
    ...lines,
  ];
}

/** Every key is missing on the target: what telling so many differences costs. */
async function compareWithNothing(options: Options, source: RunningServer, target: RunningServer): Promise<void> {
  await emptied(target);
  const runs: Run[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    console.log(`round ${round}`);
    const contender = keyferryWith('compare with an empty target', { mode: 'compare', verify: 'full' });
    runs.push(await measure(contender, source, target));
  }
  const of = (value: (run: Run) => number) => median(runs.map(value));
  const seconds = of((run) => run.seconds);
  const cpu = ([0, 1, 2] as const).map((i) => of((run) => run.cpu[i]).toFixed(2)).join(' / ');
  const lines = [
    `${measuredBy('bench:compare')}: ${availableParallelism()} shared cores, loopback; ${source.flavour} ${source.version} → ${target.flavour} ${target.version}; ${options.rounds} rounds, the median of each.`,
    '',
    `- a comparison that finds each of ${options.keys.toLocaleString('en')} keys missing takes ${seconds.toFixed(1)} s, CPU seconds of app / source / target ${cpu} (wanted: below ${WANTED_EMPTY_S} s)`,
  ];
  for (const line of lines) console.log(line);
  if (options.write) await writeSection('Many differences', lines);
  process.exitCode = seconds < WANTED_EMPTY_S ? 0 : 1;
}

async function main(): Promise<void> {
  const options = program.parse().opts<Options>();
  const [source, target] = await Promise.all([startServer(options.source), startServer(options.target)]);
  try {
    console.log(`${options.keys.toLocaleString('en')} mixed keys`);
    await fillServer({ port: source.port, keys: options.keys, seed: 1 });
    if (options.empty) {
      await compareWithNothing(options, source, target);
      return;
    }
    const mixed = await rounds(options, source, target);
    console.log(`${options.kilobytes.toLocaleString('en')} strings of 1 KB`);
    await fillStrings(source, options.kilobytes, 1_000);
    const kilobytes = await rounds(options, source, target);
    console.log(`${options.large.toLocaleString('en')} strings of 10 KB`);
    await fillStrings(source, options.large, 10_000);
    const large = await rounds(options, source, target);

    const seconds = (runs: Map<Contender, Run[]>, contender: Contender) =>
      median((runs.get(contender) ?? []).map((run) => run.seconds));
    const [sync, , full] = unchanged;
    if (sync === undefined || full === undefined) throw new Error('unreachable');
    const shares = [mixed, kilobytes, large].map((runs) => seconds(runs, sync) / seconds(runs, copy));
    const data = options.kilobytes * 1_000;
    const sent = median((kilobytes.get(full) ?? []).map((run) => run.bytes)) / data;
    const lines = [
      `${measuredBy('bench:compare')}: ${availableParallelism()} shared cores, loopback; ${source.flavour} ${source.version} → ${target.flavour} ${target.version}; ${options.rounds} rounds, the median of each.`,
      '',
      `${options.keys.toLocaleString('en')} mixed keys:`,
      '',
      ...table(mixed),
      '',
      `${options.kilobytes.toLocaleString('en')} strings of 1 KB that cannot be compressed:`,
      '',
      ...table(kilobytes),
      '',
      `${options.large.toLocaleString('en')} strings of 10 KB that cannot be compressed:`,
      '',
      ...table(large),
      '',
      `- a sync of unchanged data takes ${shares.map((share) => share.toFixed(2)).join(', ')} of the time of the copy: mixed keys, 1 KB, 10 KB (wanted: below ${WANTED_SYNC})`,
      `- a full comparison of the mixed keys takes ${(seconds(mixed, full) / seconds(mixed, copy)).toFixed(2)} of the time of the copy`,
      `- a full comparison of values of 1 KB sends ${(100 * sent).toFixed(1)} % of the data over the wire, both sides together (wanted: below ${100 * WANTED_BYTES})`,
    ];
    for (const line of lines) console.log(line);
    if (options.write) await writeSection('Compare and sync', lines);
    process.exitCode = shares.every((share) => share < WANTED_SYNC) && sent < WANTED_BYTES ? 0 : 1;
  } finally {
    await Promise.all([source.stop(), target.stop()]);
  }
}

const FILL = `
math.randomseed(tonumber(ARGV[1]))
for i = ARGV[1], ARGV[2] do
  local words = {}
  for n = 1, tonumber(ARGV[3]) / 8 do words[n] = struct.pack('>I4I4', math.random(0, 2147483647), math.random(0, 2147483647)) end
  redis.call('SET', 'string:' .. string.format('%09d', i), table.concat(words))
end`;
const BYTES_AT_ONCE = 5_000_000;

/** Strings of so many bytes, a multiple of 8, that cannot be compressed. */
async function fillStrings(server: RunningServer, keys: number, bytes: number): Promise<void> {
  const client = new Redis(server.url);
  await client.flushall();
  const atOnce = BYTES_AT_ONCE / bytes;
  for (let at = 1; at <= keys; at += atOnce) {
    await client.eval(FILL, 0, at, Math.min(keys, at + atOnce - 1), bytes);
  }
  client.disconnect();
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
