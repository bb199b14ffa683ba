import { randomInt } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { repositoryRoot } from '../../../local/servers/repository-root';
import { serverNames, type ServerName } from '../../../local/servers/server-names';
import { seedOf } from '../dice';
import { drawLive, liveFaults, type Fixed, type LiveFault } from './live-scenario';
import { runLive, type LiveOutcome } from './run-live';

interface Options extends Fixed {
  readonly runs: number;
  readonly seed: number;
  readonly runSeed?: readonly number[];
  readonly keep?: string;
}

function parseNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('Not a whole number.');
  return value;
}

const parseNumbers = (text: string) => text.split(',').map(parseNumber);

function parseNames<T extends string>(known: readonly T[]): (text: string) => T[] {
  return (text) =>
    text.split(',').map((name) => {
      const found = known.find((each) => each === name.trim());
      if (found === undefined) throw new InvalidArgumentError(`Not one of: ${known.join(', ')}.`);
      return found;
    });
}

const program = new Command('npm run torture:live --')
  .description('Follows sources that are written to under faults, cuts over, and holds both sides against each other.')
  .option('--runs <n>', 'how many, one after the other', parseNumber, 20)
  .option('--seed <n>', 'decides the runs', parseNumber, randomInt(1_000_000_000))
  .option('--run-seed <list>', 'only these, as a run printed them', parseNumbers)
  .option('--keys <n>', 'keys of the source', parseNumber)
  .option('--seconds <n>', 'for how long it is written to before the cut-over', parseNumber)
  .option('--rates <list>', 'writes a second', parseNumbers)
  .option('--faults <list>', `only these, each once: ${liveFaults.join(', ')}`, parseNames<LiveFault>(liveFaults))
  .option('--servers <list>', 'only these', parseNames<ServerName>(serverNames))
  .option('--keep <folder>', 'where evidence goes (default: .keyferry/torture-live)');

function lineOf(number: number, { scenario, wrong, report, longestLagMs, pauseMs, ms }: LiveOutcome): string {
  const { seed, source, target, keys, writer, faults, slowMs, sentBack, reverse } = scenario;
  const seconds = (value: number) => `${(value / 1_000).toFixed(1)} s`;
  const proof = report?.live?.cutover?.proof ?? undefined;
  const proved =
    proof &&
    `proved ${seconds(Date.parse(proof.at) - Date.parse(proof.quietSince))} after it was quiet with ${proof.names} names left, `;
  return [
    `#${number} seed ${seed}  ${source} → ${target}, ${keys} keys, ${writer.perSecond}/s`,
    faults.map(({ name }) => name).join(', ') || 'no fault',
    ...(slowMs > 0 ? [`slow target (${slowMs} ms)`] : []),
    ...(sentBack ? ['sent back'] : []),
    ...(reverse ? ['and back'] : []),
    `gaps ${report?.live?.gaps ?? '?'}, takeovers ${report?.live?.takeovers ?? '?'}, lag at most ${seconds(longestLagMs)}, ${proved ?? ''}pause ${seconds(pauseMs)}, ${seconds(ms)}`,
    wrong.length === 0 ? 'equal' : 'WRONG',
  ].join('; ');
}

async function keep(root: string, { log, ...outcome }: LiveOutcome): Promise<string> {
  const folder = path.join(root, String(outcome.scenario.seed));
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'outcome.json'), JSON.stringify(outcome, undefined, 2));
  await writeFile(path.join(folder, 'app.log'), log);
  return folder;
}

async function main(): Promise<void> {
  const { runs, seed, runSeed, keep: kept, ...fixed } = program.parse().opts<Options>();
  const folder = path.resolve(kept ?? path.join(repositoryRoot(), '.keyferry', 'torture-live'), String(seed));
  const seeds = runSeed ?? Array.from({ length: runs }, (_, number) => seedOf(seed, number));
  console.log(`Seed ${seed}, ${seeds.length} runs.`);
  let failed = 0;
  for (const [number, each] of seeds.entries()) {
    try {
      const outcome = await runLive(drawLive(each, fixed));
      console.log(lineOf(number, outcome));
      if (outcome.wrong.length === 0) continue;
      for (const line of outcome.wrong) console.log(`    ${line}`);
      console.log(`    ${await keep(folder, outcome)}`);
    } catch (error) {
      console.log(
        `#${number} seed ${each} could not be run: ${error instanceof Error ? (error.stack ?? '') : String(error)}`,
      );
    }
    failed++;
  }
  console.log(failed === 0 ? `All ${seeds.length} ended with equal sides.` : `${failed} of ${seeds.length} did not.`);
  process.exit(failed === 0 ? 0 : 1);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
