import { availableParallelism, totalmem } from 'node:os';
import path from 'node:path';
import Table from 'cli-table3';
import { Command } from 'commander';
import { Redis } from 'ioredis';
import { fillServer } from '../demo/generate';
import { startCluster, type RunningCluster } from '../local/servers/start-cluster';
import { startServer, type RunningServer } from '../local/servers/start-server';
import { command, keyferryWith, shakeOf, type Contender, type Cost } from './contenders';
import { withServers, type Servers } from './measure';
import { middle } from './median';
import { parseCount } from './option-values';
import { cpuSeconds } from './process-usage';
import { measuredBy, tableRow, writeSection } from './results-file';

interface Options extends Servers {
  readonly keys: number;
  readonly rounds: number;
  readonly write: boolean;
}

/** Times as fast as the pipeline that follows MOVED, at least; and the servers' CPU against the copy between two servers alone, at most. */
const WANTED_SPEED = 3;
const WANTED_CPU = 1.2;

const program = withServers(
  new Command('npm run bench:cluster --')
    .description(
      'Copies the same keys between clusters of three masters, from one server to a cluster, and between two servers.',
    )
    .option('--keys <n>', 'keys', parseCount, 300_000)
    .option('--rounds <n>', 'rounds; each copy once a round, the median counts', parseCount, 3)
    .option('--write', 'write the section "Clusters" of bench/RESULTS.md', false),
);

/** A server, or the masters of a cluster, of which the first leads to all. */
type Side = readonly [RunningServer, ...RunningServer[]];

interface Run extends Cost {
  /** CPU seconds of all servers of a side. */
  readonly sourceCpu: number;
  readonly targetCpu: number;
  readonly keys: number;
}

interface Way {
  readonly name: string;
  readonly contender: Contender;
  readonly from: Side;
  readonly to: Side;
}

const cpuOf = (side: Side) => side.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0);

async function onEach<T>(side: Side, call: (client: Redis) => Promise<T>): Promise<T[]> {
  return await Promise.all(
    side.map(async ({ url }) => {
      const client = new Redis(url);
      try {
        return await call(client);
      } finally {
        client.disconnect();
      }
    }),
  );
}

const keysOn = async (side: Side) =>
  (await onEach(side, (client) => client.dbsize())).reduce((sum, size) => sum + size, 0);

async function measure({ contender, from, to }: Way): Promise<Run> {
  await onEach(to, (client) => client.flushall());
  // What the flush leaves to background threads falls into no measurement.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const before = [cpuOf(from), cpuOf(to)] as const;
  const cost = await contender.copy(from[0], to[0]);
  return { ...cost, sourceCpu: cpuOf(from) - before[0], targetCpu: cpuOf(to) - before[1], keys: await keysOn(to) };
}

const HEAD = ['', 's', 'keys/s', 'CPU s copier', 'CPU s source', 'CPU s target', 'MiB copier', ''];
const two = (value: number | undefined) => (value === undefined ? '' : value.toFixed(2));

function rowOf(name: string, run: Run): string[] {
  const rate = Math.round(run.keys / run.seconds).toLocaleString('en');
  return [
    ...[name, two(run.seconds), rate, two(run.appCpu), two(run.sourceCpu), two(run.targetCpu)],
    ...[run.memory?.toFixed(0) ?? '', run.note ?? ''],
  ];
}

function sideOf({ nodes }: RunningCluster): Side {
  const [first, ...others] = nodes;
  if (first === undefined) throw new RangeError('A cluster has a node.');
  return [first, ...others];
}

async function main(): Promise<void> {
  const { keys, rounds, write, source, target } = program.parse().opts<Options>();
  const ends: (() => Promise<unknown>)[] = [];
  const alone = async (name: Servers['source']): Promise<Side> => {
    const server = await startServer(name);
    ends.push(() => server.stop());
    return [server];
  };
  const cluster = async (name: Servers['source']): Promise<Side> => {
    const started = await startCluster(name);
    ends.push(() => started.kill());
    return sideOf(started);
  };
  try {
    const servers = { from: await alone(source), to: await alone(target) };
    const clusters = { from: await cluster(source), to: await cluster(target) };
    const ours = (name: string) => keyferryWith(name, {});
    console.log(`Filling ${source} and a cluster of it with ${keys.toLocaleString('en')} keys …`);
    await fillServer({ port: servers.from[0].port, keys, seed: 1 });
    const filling = ours('filling');
    await filling.copy(servers.from[0], clusters.from[0]);
    if ((await keysOn(clusters.from)) !== keys) throw new Error('The cluster that is to be read was not filled.');

    const copier = path.join(__dirname, 'cluster-copier.js');
    const pipeline = command('pipeline that follows MOVED', process.execPath, (from, to) =>
      Promise.resolve([copier, from.url, to.url]),
    );
    const kinds = {
      standalone: { name: 'server → server', from: servers.from, to: servers.to },
      into: { name: 'server → cluster', from: servers.from, to: clusters.to },
      between: { name: 'cluster → cluster', from: clusters.from, to: clusters.to },
    };
    const way = (kind: keyof typeof kinds, contender: Contender): Way => ({
      ...kinds[kind],
      contender,
      name: `${kinds[kind].name}, ${contender.name}`,
    });
    const keyferry = ours('Keyferry');
    const our = {
      standalone: way('standalone', keyferry),
      into: way('into', keyferry),
      between: way('between', keyferry),
    };
    const theirs = { into: way('into', pipeline), between: way('between', pipeline) };
    const { REDIS_SHAKE_BIN: shake } = process.env;
    const shakes = shake
      ? [
          way('into', shakeOf(shake, { reader: false, writer: true })),
          way('between', shakeOf(shake, { reader: true, writer: true })),
        ]
      : [];
    const ways = [...Object.values(our), ...Object.values(theirs), ...shakes];
    const runs = new Map<Way, Run[]>(ways.map((each) => [each, []]));
    for (let round = 1; round <= rounds; round++) {
      for (const each of round % 2 === 0 ? [...ways].reverse() : ways) {
        const run = await measure(each);
        if (run.keys !== keys) throw new Error(`${each.name}: ${run.keys} keys of ${keys} arrived. ${run.note ?? ''}`);
        runs.get(each)?.push(run);
        console.log(`round ${round}  ${each.name}: ${two(run.seconds)} s`);
      }
    }
    const of = (each: Way): Run => {
      const run = middle(runs.get(each) ?? [], ({ seconds }) => seconds);
      if (run === undefined) throw new Error('Nothing was measured.');
      return run;
    };
    const cpu = (each: Way): number =>
      middle(
        (runs.get(each) ?? []).map(({ sourceCpu, targetCpu }) => sourceCpu + targetCpu),
        Number,
      ) ?? Number.NaN;
    const rows = ways.map((each) => rowOf(each.name, of(each)));
    const table = new Table({ head: HEAD, style: { head: [], border: [] } });
    table.push(...rows.map((each) => [...each]));
    console.log(table.toString());
    const speeds = [
      of(theirs.between).seconds / of(our.between).seconds,
      of(theirs.into).seconds / of(our.into).seconds,
    ];
    const costs = [cpu(our.between) / cpu(our.standalone), cpu(our.into) / cpu(our.standalone)];
    const lines = [
      `- ${speeds.map(two).join(' times (cluster → cluster) and ')} times (server → cluster) as fast as the pipeline that follows MOVED (wanted: at least ${WANTED_SPEED}).`,
      `- ${costs.map(two).join(' times (cluster → cluster) and ')} times (server → cluster) the CPU time of all servers of the copy between two (wanted: at most ${WANTED_CPU}).`,
    ];
    for (const line of lines) console.log(line);
    if (write) {
      const [[from], [to]] = [servers.from, servers.to];
      await writeSection('Clusters', [
        `${measuredBy('bench:cluster')}: ${keys.toLocaleString('en')} mixed keys; ${availableParallelism()} shared cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, loopback; ${from.flavour} ${from.version} → ${to.flavour} ${to.version}, clusters of three masters; ${rounds} rounds, the median of each.`,
        '',
        tableRow(HEAD),
        tableRow(HEAD.map(() => '---')),
        ...rows.map(tableRow),
        '',
        ...lines,
      ]);
    }
    const isWell = speeds.every((speed) => speed >= WANTED_SPEED) && costs.every((cost) => cost <= WANTED_CPU);
    process.exitCode = isWell ? 0 : 1;
  } finally {
    await Promise.all(ends.map((end) => end()));
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
