#!/usr/bin/env node
import '../local/compile-cache';
import { Command, CommanderError, Option } from 'commander';
import { carryOut } from '../cli/carry-out';
import { parsePositive } from '../cli/option-values';
import { exitCodes, exitWhenWritten } from '../cli/outcome';
import { serverNames } from '../local/servers/server-names';
import { runDemo, type DemoOptions } from './run-demo';

const program = new Command('npm run demo --')
  .description('Fills a real Redis with keys, migrates it into a newer one, and shows what became of every key.')
  .option('--keys <n>', 'how many keys', parsePositive, 800_000)
  .option('--snapshot', 'instead of made keys: what a real Redis 4 wrote, with all types in four databases')
  .addOption(new Option('--source <server>', 'where from').choices(serverNames).default('redis-6.0'))
  .addOption(new Option('--target <server>', 'where to').choices(serverNames).default('redis-8.0'))
  .option('--keep', 'leave both servers running until Ctrl-C')
  .option('--verbose', 'show what the app logs')
  .addHelpText(
    'after',
    '\nServers come from REDIS_SERVER or the PATH where they fit, otherwise from Debian packages unpacked into .redis/\n' +
      '(nothing is installed). Everything else is in a temporary folder and gone afterwards.',
  )
  .allowExcessArguments(false)
  .exitOverride();

async function main(): Promise<number> {
  try {
    program.parse();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : exitCodes.usage;
  }
  const options = program.opts<DemoOptions>();
  return await carryOut((context) => runDemo(options, context), options.verbose ?? false);
}

main().then(exitWhenWritten, (error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  exitWhenWritten(exitCodes.failed);
});
