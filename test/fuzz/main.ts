import { appendFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { Command } from 'commander';
import { edges, type Fault, type FuzzTally } from './exercise';
import type { FuzzWork } from './work';

/** So many inputs of each edge between two lines. */
const AT_ONCE = 2_000;
/** A worker that is at one input for so long hangs. */
const HANGS_MS = 30_000;

interface Options {
  readonly inputs: number;
  readonly seed: number;
  readonly from: number;
  readonly edge?: string;
  readonly evidence: string;
}

const options = new Command('npm run fuzz --')
  .description(
    'Gives odd and damaged inputs to every place where something comes in from outside: bodies, messages, rows, settings, replies, sessions, files.',
  )
  .option('--inputs <n>', 'how many in all', Number, 1_000_000)
  .option('--seed <n>', 'decides the inputs', Number, Date.now() % 1_000_000)
  .option('--from <n>', 'begin at this round of the seed', Number, 0)
  .option('--edge <name>', `only this one: ${edges.map(({ name }) => `"${name}"`).join(', ')}`)
  .option('--evidence <file>', 'where inputs go after which something was wrong', 'fuzz.jsonl')
  .parse()
  .opts<Options>();

/** Runs some rounds. @returns what came of them; undefined where the worker hung or died */
async function run(work: Omit<FuzzWork, 'place'>, onFault: (fault: Fault) => void): Promise<FuzzTally[] | undefined> {
  const place = new SharedArrayBuffer(8);
  const at = new Int32Array(place);
  const worker = new Worker(require.resolve('./work'), { workerData: { ...work, place } });
  const here = () => ({ edge: edges[at[0] ?? 0]?.name ?? '', round: at[1] ?? 0 });
  return await new Promise((resolve) => {
    let last = '';
    const watching = setInterval(() => {
      const now = JSON.stringify(here());
      if (now === last) end({ ...here(), what: `hangs for ${HANGS_MS} ms`, input: '' });
      last = now;
    }, HANGS_MS);
    const end = (fault?: Fault, tallies?: FuzzTally[]) => {
      clearInterval(watching);
      if (fault !== undefined) onFault(fault);
      void worker.terminate();
      resolve(tallies);
    };
    worker.on('message', (told: Fault | FuzzTally[]) => {
      if (Array.isArray(told)) end(undefined, told);
      else onFault(told);
    });
    worker.on('error', (error: unknown) => {
      end({
        ...here(),
        what: `died: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        input: '',
      });
    });
  });
}

async function main(): Promise<void> {
  const { seed, inputs, edge, evidence } = options;
  const chosen = edges.filter(({ name }) => edge === undefined || name === edge);
  if (chosen.length === 0) throw new Error(`There is no edge "${edge ?? ''}".`);
  console.log(`${chosen.length} edges, seed ${seed}`);
  const sums = new Map<string, FuzzTally>();
  const faults: Fault[] = [];
  let done = 0;
  let wrong = 0;
  for (let from = options.from; done < inputs; from += AT_ONCE) {
    const rounds = Math.min(AT_ONCE, Math.ceil((inputs - done) / chosen.length));
    const tallies = await run({ seed, from, rounds, only: edge }, (fault) => {
      faults.push(fault);
      console.log(`${fault.edge}, round ${fault.round}: ${fault.what.slice(0, 600)}`);
    });
    done += rounds * chosen.length;
    wrong += faults.length;
    for (const fault of faults.splice(0)) await appendFile(evidence, `${JSON.stringify({ seed, ...fault })}\n`);
    for (const { taken, refused, slowestMs, edge: name } of tallies ?? []) {
      const sum = sums.get(name) ?? { edge: name, taken: 0, refused: 0, slowestMs: 0 };
      const slowest = Math.max(sum.slowestMs, slowestMs);
      sums.set(name, { edge: name, taken: sum.taken + taken, refused: sum.refused + refused, slowestMs: slowest });
    }
    console.log(`${done} inputs`);
  }
  console.table([...sums.values()].map((sum) => ({ ...sum, slowestMs: Math.round(sum.slowestMs) })));
  if (wrong > 0) throw new Error(`After ${wrong} of them something was wrong: see ${evidence}.`);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
