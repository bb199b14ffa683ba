import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Command } from 'commander';
import { startAzurite } from '../local/azurite';
import { createConsoleLogger } from '../local/logger';
import { getRanges, getReport } from '../src/api/read-migrations';
import { rangeName } from '../src/migration/rows';
import { parseCount } from './option-values';
import { measuredBy, tableRow, writeSection } from './results-file';
import { Simulation } from './scale/simulation';
import { operationKinds, StorageOperations, sumOf, type Operations } from './scale/storage-operations';

interface Options {
  readonly keys: number;
  readonly shards: number;
  readonly workers: number;
  readonly rate: number;
  readonly write: boolean;
}

const program = new Command('npm run bench:scale --')
  .description(
    'A migration of a billion keys into a large cluster, with servers and time simulated and all else real: planning, visits of the tally, documents, many workers on one ledger, and the operations of the storage.',
  )
  .option('--keys <n>', 'keys of the source', parseCount, 1_000_000_000)
  .option('--shards <n>', 'masters of the target', parseCount, 384)
  .option('--workers <n>', 'ranges at work at once', parseCount, 200)
  .option('--rate <n>', 'keys that all workers together copy in a simulated second', parseCount, 500_000)
  .option('--write', 'write the section "Scale" of bench/RESULTS.md', false);

const WANTED = { startSeconds: 30, visitSeconds: 2, visitMiB: 100 };
/** Rows that workers have written between two visits. */
const CHANGED = 200;
const PAGE_KEYS = 5_000;
const SAMPLE_MS = 5;
const VISIT_EVERY_S = 15;
const MIB = 1_048_576;

interface Measured extends Step {
  readonly operations: Operations;
}

interface Step {
  readonly name: string;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Growth at the worst moment, MiB. */
  readonly heap: number;
  readonly resident: number;
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

async function measure<T>(name: string, work: () => Promise<T>): Promise<{ step: Step; result: T }> {
  collect();
  const before = process.memoryUsage();
  let [heap, resident] = [0, 0];
  const look = () => {
    const now = process.memoryUsage();
    heap = Math.max(heap, now.heapUsed + now.external - before.heapUsed - before.external);
    resident = Math.max(resident, now.rss - before.rss);
  };
  const sampling = setInterval(look, SAMPLE_MS);
  const [cpu, started] = [process.cpuUsage(), performance.now()];
  try {
    const result = await work();
    look();
    const seconds = (performance.now() - started) / 1_000;
    const { user, system } = process.cpuUsage(cpu);
    return {
      step: { name, seconds, cpuSeconds: (user + system) / 1e6, heap: heap / MIB, resident: resident / MIB },
      result,
    };
  } finally {
    clearInterval(sampling);
  }
}

const HEAD = ['', 's', 'CPU s', 'MiB heap', 'MiB RSS', ...operationKinds, 'conflicts'];

function rowOf({ name, seconds, cpuSeconds, heap, resident, operations }: Measured): string[] {
  const whole = (n: number) => n.toLocaleString('en');
  return [
    name,
    seconds.toFixed(2),
    cpuSeconds.toFixed(2),
    heap.toFixed(0),
    resident.toFixed(0),
    ...operationKinds.map((kind) => whole(operations[kind])),
    whole(operations.conflicts),
  ];
}

async function main(): Promise<void> {
  const options = program.parse().opts<Options>();
  const folder = await mkdtemp(path.join(tmpdir(), 'keyferry-bench-scale-'));
  const azurite = await startAzurite(folder, createConsoleLogger());
  const operations = new StorageOperations(azurite.connectionString);
  const load = loadavg()[0] ?? 0;
  const steps: Measured[] = [];
  try {
    const simulation = new Simulation(
      { id: 'scale', ...options, keysPerSecond: options.rate, pageKeys: PAGE_KEYS },
      azurite.connectionString,
    );
    await simulation.ensure();
    operations.take();
    const step = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
      const measured = await measure(name, work);
      const all = { ...measured.step, operations: operations.take() };
      steps.push(all);
      console.log(rowOf(all).join('\t'));
      return measured.result;
    };
    console.log(HEAD.join('\t'));
    const plan = await step('the plan', () => simulation.plan());
    await step('its rows and messages', () => simulation.start(plan));
    const ranges = 2 ** (plan.databases[0]?.bits ?? 0);
    await step('a visit that reads and parses all rows', () => simulation.visit());
    await simulation.touch(
      Array.from({ length: CHANGED }, (_, i) => rangeName('copy', Math.floor((i * ranges) / CHANGED))),
    );
    operations.take();
    await step(`a visit after ${CHANGED} rows were written`, () => simulation.visit());
    await step('a visit that waits', () => simulation.visit());
    const { id, process: app } = simulation;
    await step('GET of the report', () => getReport(id, app));
    await step('GET of the ranges', () => getRanges(id, app));
    let second = 0;
    const done = await step(`${options.workers} workers, with visits`, () =>
      simulation.work(
        () => 1,
        async () => {
          // The last one is measured by itself.
          if (++second % VISIT_EVERY_S === 0 && second < options.keys / options.rate - VISIT_EVERY_S)
            await simulation.visit();
        },
      ),
    );
    const last = await step('the last visit: what was written, then all rows', () => simulation.visit());
    const report = await getReport(id, app);
    const { conflicts } = sumOf(steps.map((each) => each.operations));
    const isRight = last.status.state === 'completed' && report?.counts.copied === options.keys;
    const lines = [
      `- ${done.seconds.toFixed(0)} simulated seconds; ${last.status.state}, ${report?.counts.copied.toLocaleString('en') ?? 'no'} keys copied of ${options.keys.toLocaleString('en')}; ${conflicts} conflicts (wanted: 0).`,
      `- Wanted: the start in less than ${WANTED.startSeconds} s, a visit in less than ${WANTED.visitSeconds} s and ${WANTED.visitMiB} MiB.`,
    ];
    console.log(lines.join('\n'));
    if (options.write) {
      await writeSection('Scale', [
        `${measuredBy('bench:scale')}: ${options.keys.toLocaleString('en')} keys in ${ranges.toLocaleString('en')} ranges into a cluster of ${options.shards} masters, ${options.workers} workers that copy ${options.rate.toLocaleString('en')} keys a second together. Simulated are the servers and the time that they take; plan, ledger, tally, workers' rows and documents are real, and the storage is Azurite on the same machine: ${availableParallelism()} shared cores, load ${load.toFixed(0)} from other work at the beginning.`,
        '',
        tableRow(HEAD),
        tableRow(HEAD.map(() => '---')),
        ...steps.map((each) => tableRow(rowOf(each))),
        '',
        ...lines,
      ]);
    }
    process.exitCode = isRight && conflicts === 0 ? 0 : 1;
  } finally {
    operations.end();
    await azurite.close();
    await rm(folder, { recursive: true, force: true });
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
