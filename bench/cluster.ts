import { availableParallelism, totalmem } from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { fillServer } from '../demo/generate';
import { startCluster, type RunningCluster } from '../local/servers/start-cluster';
import { startServer } from '../local/servers/start-server';
import { command, keyferryWith, shakeOf, type Contender } from './contenders';
import { COPY_HEAD, copyRow, showCopies, two } from './copy-table';
import { emptied, keysOn, measuredBetween, withServers, type Measured, type Servers, type Side } from './measure';
import { middle } from './median';
import { parseCount } from './option-values';
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

interface Way {
  readonly name: string;
  readonly contender: Contender;
  readonly from: Side;
  readonly to: Side;
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
    const runs = new Map<Way, Measured[]>(ways.map((each) => [each, []]));
    for (let round = 1; round <= rounds; round++) {
      for (const each of round % 2 === 0 ? [...ways].reverse() : ways) {
        await emptied(...each.to);
        const run = await measuredBetween(each.contender, each.from, each.to);
        if (run.keys !== keys) throw new Error(`${each.name}: ${run.keys} keys of ${keys} arrived. ${run.note ?? ''}`);
        runs.get(each)?.push(run);
        console.log(`round ${round}  ${each.name}: ${two(run.seconds)} s`);
      }
    }
    const of = (each: Way): Measured => {
      const run = middle(runs.get(each) ?? [], ({ seconds }) => seconds);
      if (run === undefined) throw new Error('Nothing was measured.');
      return run;
    };
    const cpu = (each: Way): number =>
      middle(
        (runs.get(each) ?? []).map(({ sourceCpu, targetCpu }) => sourceCpu + targetCpu),
        Number,
      ) ?? Number.NaN;
    const rows = ways.map((each) => copyRow(each.name, of(each)));
    showCopies(rows);
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
        tableRow(COPY_HEAD),
        tableRow(COPY_HEAD.map(() => '---')),
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
