import { appendFile } from 'node:fs/promises';
import { Command } from 'commander';
import { serverNames } from '../../local/servers/server-names';
import { collectSamples } from './samples';
import { Trial } from './trial';

const AT_ONCE = 300;
const TELL_MS = 60_000;

interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly evidence: string;
}

const { minutes, seed, evidence } = new Command('npm run mutations --')
  .description('Changes payloads at random and lets a real Redis 6.0 load what passes every look at it.')
  .option('--minutes <n>', 'how long', Number, 60)
  .option('--seed <n>', 'of the first changes', Number, Date.now() % 1_000_000)
  .option('--evidence <file>', 'where payloads go after which something was wrong', 'mutations.jsonl')
  .parse()
  .opts<Options>();

async function main(): Promise<void> {
  const samples = await collectSamples(serverNames);
  console.log(`${samples.length} samples, seed ${seed}, ${minutes} minutes`);
  const trial = await Trial.begin(samples);
  const until = Date.now() + minutes * 60_000;
  let told = Date.now();
  try {
    for (let round = 0; Date.now() < until; round++) {
      await trial.run(seed + round, AT_ONCE);
      for (const culprit of trial.culprits.splice(0)) {
        console.log(`round ${seed + round}: ${culprit.what.slice(-2_000)}`);
        await appendFile(evidence, `${JSON.stringify(culprit)}\n`);
      }
      if (Date.now() - told < TELL_MS) continue;
      told = Date.now();
      console.log(JSON.stringify(trial.tally));
    }
  } finally {
    console.log(JSON.stringify(trial.tally));
    await trial.end();
  }
  const { ended, hung, corrupted, failed } = trial.tally;
  process.exitCode = ended + hung + corrupted + failed > 0 ? 1 : 0;
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
