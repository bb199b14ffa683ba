import { readFileSync } from 'node:fs';
import path from 'node:path';
import { CommanderError } from 'commander';
import type { Context } from './commands/context';
import { exitCodes, exitWhenWritten, watchOutput } from './outcome';
import { makeProgram } from './program';

type Work = (context: Context) => Promise<number>;

async function main(args: readonly string[]): Promise<number> {
  let work: Work | undefined;
  const set = (next: Work): Promise<void> => {
    work = next;
    return Promise.resolve();
  };
  const program = makeProgram(
    {
      migrate: (options) => set(async (context) => (await import('./commands/migrate.js')).migrate(options, context)),
      compare: (options) =>
        set(async (context) => (await import('./commands/compare-and-sync.js')).compare(options, context)),
      sync: (options) =>
        set(async (context) => (await import('./commands/compare-and-sync.js')).sync(options, context)),
      backup: (options) =>
        set(async (context) => (await import('./commands/backup-and-restore.js')).backup(options, context)),
      restore: (options) =>
        set(async (context) => (await import('./commands/backup-and-restore.js')).restore(options, context)),
      live: (options) =>
        set(async (context) => (await import('./commands/compare-and-sync.js')).live(options, context)),
      cutover: (id, options) =>
        set(async (context) => (await import('./commands/cutover.js')).cutover(id, options, context)),
      dryRun: (options) => set(async (context) => (await import('./commands/migrate.js')).dryRun(options, context)),
      doctor: (options) => set(async (context) => (await import('./commands/doctor.js')).doctor(options, context)),
      status: (id, options) =>
        set(async (context) => (await import('./commands/status.js')).showStatus(id, options, context)),
      list: (options) => set(async (context) => (await import('./commands/list.js')).list(options, context)),
      schedules: (options) =>
        set(async (context) => (await import('./commands/schedules.js')).schedules(options, context)),
      cancel: (id, options) =>
        set(async (context) => (await import('./commands/cancel.js')).cancel(id, options, context)),
      resume: (id, options) =>
        set(async (context) => (await import('./commands/resume.js')).resume(id, options, context)),
      findings: (id, options) =>
        set(async (context) => (await import('./commands/findings.js')).findings(id, options, context)),
      showValue: (options, command) =>
        set(async (context) => (await import('./commands/show-value.js')).showValue(options, command, context)),
    },
    version(),
  );
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : exitCodes.usage;
  }
  if (work === undefined) return exitCodes.usage;
  const { carryOut } = await import('./carry-out.js');
  return await carryOut(work, args.includes('--verbose'));
}

function version(): string {
  for (let folder = __dirname; folder !== path.dirname(folder); folder = path.dirname(folder)) {
    try {
      const { name, version } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as {
        name: string;
        version: string;
      };
      if (name === 'keyferry') return version;
    } catch {
      // Not here; further up.
    }
  }
  return 'unknown';
}

watchOutput();
main(process.argv.slice(2)).then(exitWhenWritten, (error: unknown) => {
  process.stderr.write(`keyferry: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  exitWhenWritten(exitCodes.failed);
});
