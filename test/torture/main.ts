import { Command, InvalidArgumentError } from 'commander';
import { randomInt } from 'node:crypto';
import path from 'node:path';
import { repositoryRoot } from '../../local/servers/repository-root';
import { seedOf } from './dice';
import { keepEvidence } from './evidence-folder';
import { House } from './house';
import { runScenario, type Outcome } from './run-scenario';
import { drawScenario } from './scenario';
import { lineOf, Summary } from './summary';

interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly scenarioSeed?: readonly number[];
  readonly times: number;
  readonly lanes: number;
  readonly keep?: string;
  readonly keepAll?: true;
}

function parseNumber(text: string): number {
  const value = Number(text);
  if (!(value >= 0)) throw new InvalidArgumentError('Not a number, 0 or more.');
  return value;
}

const program = new Command('npm run torture --')
  .description('Runs random migrations under random faults, and holds what they say against what is so.')
  .option('--minutes <n>', 'how long; what runs then is ended in order', parseNumber, 60)
  .option('--seed <n>', 'decides the scenarios', parseNumber, randomInt(1_000_000_000))
  .option('--scenario-seed <list>', 'only these scenarios, as a run printed them', (text) =>
    text.split(',').map(parseNumber),
  )
  .option('--times <n>', 'with --scenario-seed: how often each', parseNumber, 1)
  .option('--lanes <n>', 'how many scenarios at once', parseNumber, 2)
  .option('--keep <folder>', 'where evidence of violations goes (default: .keyferry/torture)')
  .option('--keep-all', 'keep what is known about the good ones too');

/** A house is left after so many scenarios, so that its storage stays small. */
const scenariosInHouse = 20;

class Run {
  readonly summary = new Summary();
  private readonly until: number;
  private number = 0;
  private stopped = false;

  constructor(
    private readonly options: Options,
    private readonly folder: string,
  ) {
    this.until = Date.now() + options.minutes * 60_000;
  }

  stop(): void {
    this.stopped = true;
  }

  /** Scenarios one after the other, until the time is over. */
  async lane(): Promise<void> {
    let house: House | undefined;
    let used = 0;
    try {
      for (let next = this.next(); next !== undefined; next = this.next()) {
        if (used === scenariosInHouse) {
          await house?.close();
          house = undefined;
          used = 0;
        }
        house ??= await House.open();
        used++;
        const isGood = await this.one(next.number, next.seed, house);
        // Whoever did not end well might disturb those who come after.
        if (!isGood) used = scenariosInHouse;
      }
    } finally {
      await house?.close();
    }
  }

  private next(): { readonly number: number; readonly seed: number } | undefined {
    const { scenarioSeed: seeds, times, seed } = this.options;
    if (this.stopped) return undefined;
    const number = this.number++;
    if (seeds !== undefined) {
      const chosen = number < seeds.length * times ? seeds[number % seeds.length] : undefined;
      return chosen === undefined ? undefined : { number, seed: chosen };
    }
    return Date.now() > this.until ? undefined : { number, seed: seedOf(seed, number) };
  }

  /** Whether it ended well. */
  private async one(number: number, seed: number, house: House): Promise<boolean> {
    let outcome: Outcome;
    try {
      outcome = await runScenario(drawScenario(seed), house);
    } catch (error) {
      if (this.stopped) return false;
      this.summary.broke(seed, error);
      console.log(
        `#${number} seed ${seed} could not be run: ${error instanceof Error ? (error.stack ?? '') : String(error)}`,
      );
      return false;
    }
    this.summary.add(outcome);
    console.log(lineOf(number, outcome));
    if (outcome.violations.length > 0 || this.options.keepAll) {
      for (const { kind, detail } of outcome.violations) console.log(`    ${kind}: ${detail}`);
      console.log(`    ${await keepEvidence(this.folder, outcome, house.app.log)}`);
    }
    return outcome.violations.length === 0 && /^(completed|cancelled)/.test(outcome.verdict);
  }
}

async function main(): Promise<void> {
  const options = program.parse().opts<Options>();
  const folder = path.resolve(
    options.keep ?? path.join(repositoryRoot(), '.keyferry', 'torture'),
    String(options.seed),
  );
  const run = new Run(options, folder);
  console.log(`Seed ${options.seed}, ${options.minutes} minutes, ${options.lanes} lanes.`);
  const interrupted = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve);
  });
  const lanes = Promise.all(Array.from({ length: options.lanes }, () => run.lane()));
  const ended = await Promise.race([lanes.then(() => true), interrupted.then(() => false)]);
  run.stop();
  console.log(run.summary.text());
  // All processes that were started end with this one.
  process.exit(ended ? (run.summary.violated === 0 ? 0 : 1) : 130);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
