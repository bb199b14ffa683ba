import { Command, Option } from 'commander';
import type { ShowCommand } from '../src/convert/about';
import { catalogue } from '../src/convert/catalogue';
import type { BackupOptions, RestoreOptions } from './commands/backup-and-restore';
import type { CommonOptions } from './commands/context';
import type { CutoverOptions } from './commands/cutover';
import type { DoctorOptions } from './commands/doctor';
import type { FindingsOptions } from './commands/findings';
import type { MigrateOptions } from './commands/migrate';
import type { CompareOptions, SyncOptions } from './commands/compare-and-sync';
import type { ShowOptions } from './commands/show-value';
import type { ResumeOptions } from './commands/resume';
import { conclusions, converters, doctorConclusions, secrets } from './help-texts';
import {
  addConverter,
  addRename,
  parseAmount,
  parseCount,
  parseDatabases,
  parseList,
  parsePositive,
} from './option-values';

/** What the command line asks for; each is loaded when it is called, so that help is there at once. */
export interface Actions {
  readonly migrate: (options: MigrateOptions) => Promise<void>;
  readonly compare: (options: CompareOptions) => Promise<void>;
  readonly sync: (options: SyncOptions) => Promise<void>;
  readonly live: (options: SyncOptions) => Promise<void>;
  readonly cutover: (id: string, options: CutoverOptions) => Promise<void>;
  readonly dryRun: (options: MigrateOptions) => Promise<void>;
  readonly doctor: (options: DoctorOptions) => Promise<void>;
  readonly backup: (options: BackupOptions) => Promise<void>;
  readonly restore: (options: RestoreOptions) => Promise<void>;
  readonly status: (id: string, options: CommonOptions) => Promise<void>;
  readonly list: (options: CommonOptions) => Promise<void>;
  readonly schedules: (options: CommonOptions) => Promise<void>;
  readonly cancel: (id: string, options: CommonOptions) => Promise<void>;
  readonly resume: (id: string, options: ResumeOptions) => Promise<void>;
  readonly findings: (id: string, options: FindingsOptions) => Promise<void>;
  readonly showValue: (options: ShowOptions, command: ShowCommand) => Promise<void>;
}

/** The command line of `keyferry`. Mistakes are thrown as CommanderError, after they were told. */
export function makeProgram(actions: Actions, version: string): Command {
  const program = new Command('keyferry')
    .description('Copies a whole Redis into another Redis, fast and provably complete.')
    .version(version)
    .showHelpAfterError('(--help tells more)')
    .exitOverride();
  addMigrate(program, actions);
  addCompare(program, actions);
  addSync(program, actions);
  addLive(program, actions);
  addDryRun(program, actions);
  addDoctor(program, actions);
  addBackup(program, actions);
  addRestore(program, actions);
  common(program.command('status <id>').description('tell how far a migration is, or how it ended')).action(
    actions.status,
  );
  common(program.command('list').description('list the migrations, newest first')).action(actions.list);
  common(
    program
      .command('schedules')
      .description('tell what a deployed app starts by the clock, and when (with --endpoint)'),
  ).action(actions.schedules);
  common(
    program
      .command('cancel <id>')
      .description('cancel a migration and wait until it has stopped; keys copied stay')
      .option('--target <redis>', 'the target again, where its address has a password: to remove what is left there'),
  ).action(actions.cancel);
  addResume(program, actions);
  common(program.command('findings <id>').description('show the keys that were not copied as asked, and why'))
    .option('--limit <n>', 'how many', parsePositive, 100)
    .option('--all', 'all of them')
    .action(actions.findings);
  for (const { show } of catalogue) if (show !== undefined) addShow(program, show, actions);
  program.addHelpText('after', `\n${conclusions}`);
  return program;
}

function common(command: Command): Command {
  return command
    .addOption(new Option('--endpoint <url>', 'a deployed app, for example https://my-app.azurewebsites.net'))
    .addOption(new Option('--key <key>', 'its function key; better in the environment: KEYFERRY_KEY'))
    .option('--data <folder>', 'where migrations on this machine are kept (default: .keyferry in the current folder)')
    .option('--json', 'print the document as JSON on standard output, and nothing else there')
    .option('--verbose', 'show what the local app logs');
}

function addMigrate(program: Command, actions: Actions): void {
  const command = program.command('migrate').description('copy one Redis into another and wait for the verdict');
  sidesAndSelection(command)
    .option(...verifyOption)
    .action(actions.migrate);
}

function addCompare(program: Command, actions: Actions): void {
  const command = program
    .command('compare')
    .description('write nothing, and find every key that is missing, different or extra on the target');
  command
    .addOption(new Option('--quick', 'existence, types, lengths and expiries only').conflicts('full'))
    .option('--full', 'values too, by fingerprints that the servers make (default)')
    .option('--file <path>', 'in place of --source: an RDB file on this machine')
    .option('--source-rdb <name/file>', 'the same in a file store of the settings (RDB_<NAME>)');
  sidesAndSelection(command, 'option').action(actions.compare);
}

function addSync(program: Command, actions: Actions): void {
  const command = program
    .command('sync')
    .description('copy only what differs; cheap enough to be done again and again');
  command
    .option('--delete-extra', 'delete from the target the keys that the source does not have')
    .option('--force', 'with --delete-extra: although the source is empty or much smaller than the target')
    .option('--shrink-percent <n>', 'with --delete-extra: so much fewer keys than the target looks wrong', parseCount);
  sidesAndSelection(command).action(actions.sync);
}

function addLive(program: Command, actions: Actions): void {
  const command = program
    .command('live')
    .description('copy, follow what changes on the source, and wait for a proved cut-over');
  command
    .option('--delete-extra', 'needed where the target has keys: it becomes what the source is')
    .option('--force', 'follow the source although it loses its keys, or has little memory left to tell what changes')
    .option('--verify <how>', 'what is looked at after the cut-over too: quick (every key), or full (every value)');
  sidesAndSelection(command).action(actions.live);
  common(
    program
      .command('cutover <id>')
      .description('end a live migration: stop the writers, and wait for the proof')
      .option('--reverse', 'then have the old side follow the new one, for the way back'),
  ).action(actions.cutover);
}

function addDryRun(program: Command, actions: Actions): void {
  const command = program
    .command('dry-run')
    .description('do everything but write: report what is there, and what a copy would do');
  sidesAndSelection(command).action(actions.dryRun);
}

function addDoctor(program: Command, actions: Actions): void {
  const command = program
    .command('doctor')
    .description('try both servers as a copy would, write nothing, and tell what will be used and what is missing')
    .requiredOption('--source <redis>', `where from: ${ADDRESS}`)
    .requiredOption('--target <redis>', 'where to, likewise');
  conversions(selection(command))
    .option('--json', 'print the document as JSON on standard output, and nothing else there')
    .option('--verbose', 'show more of what went wrong')
    .addHelpText('after', `\n${secrets}\n\n${doctorConclusions}`)
    .action(actions.doctor);
}

const reportOption = [
  '--report <file>',
  'write the result with its findings, as a page (.html) or as JSON (.json)',
] as const;

function addBackup(program: Command, actions: Actions): void {
  const command = program
    .command('backup')
    .description('write a whole Redis into one RDB file, which any Redis loads and `restore` reads')
    .requiredOption('--source <redis>', ADDRESS)
    .option('--file <path>', 'the file to be written, on this machine')
    .option(
      '--target-rdb <name/file>',
      'or a file in a file store of the settings (RDB_<NAME>): a container of Blob storage',
    )
    .option(
      '--rdb-version <n>',
      'for servers older than the source: 8 for Redis 4.0, 9 for 5 and 6, 10 for 7.0, 11 for 7.2, 12 for 7.4 and 8.0, 80 for Valkey 9',
      parsePositive,
    )
    .option('--gzip', 'have gzip pack the file; servers load it once it is unpacked')
    .option('--overwrite', 'replace the file, where there is one');
  selection(command);
  rates(command).action(actions.backup);
}

function addRestore(program: Command, actions: Actions): void {
  const command = program
    .command('restore')
    .description('copy what is in an RDB file into a Redis: one of `backup`, of BGSAVE, or exported by Azure')
    .option('--file <path>', 'the file, on this machine')
    .option('--source-rdb <name/file>', 'or a file in a file store of the settings (RDB_<NAME>)')
    .option('--target <redis>', `${ADDRESS}; may be left out with --dry-run`);
  conversions(selection(command))
    .option(...verifyOption)
    .option('--dry-run', 'write nothing: report what is in the file, and with --target what would become of it there');
  rates(command, converters).action(actions.restore);
}

const onConflictOption = [
  '--on-conflict <what>',
  'for keys the target has already: replace (default), skip, or fail',
] as const;

const verifyOption = [
  '--verify <how>',
  'what is checked in the end: count (default), none, quick (every key), or full (every value)',
] as const;

const ADDRESS = 'the name of a setting, a redis:// or rediss:// URL, or the string the Azure portal shows';

const renameOption = [
  '--rename <rule>',
  'from=>to: a regular expression over key names, and what replaces its match; may be repeated',
  addRename,
] as const;

/** Which keys go, and into which databases. */
function selection(command: Command): Command {
  return command
    .option(
      '--databases <which>',
      'all, a list (0,1,5), or a map to other numbers or to key prefixes (0=3,1=old:)',
      parseDatabases,
    )
    .option('--match <glob...>', 'only keys that one of these globs matches')
    .option('--exclude <glob...>', 'no keys that one of these globs matches')
    .option('--types <list>', 'only keys of these types: string,list,set,zset,hash,stream', parseList);
}

/** What all that goes from one Redis to another takes. */
function sidesAndSelection(command: Command, source: 'option' | 'requiredOption' = 'requiredOption'): Command {
  command[source]('--source <redis>', `where from: ${ADDRESS}`).requiredOption(
    '--target <redis>',
    'where to, likewise',
  );
  return rates(conversions(selection(command)), converters);
}

/** What becomes of keys on the way. */
function conversions(command: Command): Command {
  return command
    .option(...onConflictOption)
    .option(...renameOption)
    .option(
      '--convert <converter>',
      'convert keys on the way: the name of a converter (below), or one with its options as JSON; may be repeated',
      addConverter,
    );
}

/** How fast it goes, and what all that runs has. */
function rates(command: Command, more?: string): Command {
  command
    .option('--keys-per-second <n>', 'limit of the whole migration', parseCount)
    .option('--bytes-per-second <n>', 'the same for bytes read from the source', parseCount)
    .option('--max-source-latency <ms>', 'slow down where the source takes longer to answer: 2, or 0.5', parseAmount)
    .option('--parallel-ranges <n>', 'how many ranges are worked on at once', parseCount)
    .option('--request-id <id>', 'the same id gives the same migration, however often it is asked for')
    .option(...reportOption)
    .option('--wait', 'wait for the verdict', true)
    .option('--no-wait', 'with --endpoint: only start it');
  const texts = [...(more === undefined ? [] : [more]), secrets, conclusions];
  return common(command).addHelpText('after', `\n${texts.join('\n\n')}`);
}

function addResume(program: Command, actions: Actions): void {
  const command = program
    .command('resume <id>')
    .description('go on with a migration that was interrupted, or follow one that runs')
    .option('--source <redis>', 'the source again, where its address has a password (as for migrate)')
    .option('--target <redis>', 'the target again, likewise')
    .option(...reportOption);
  common(command).addHelpText('after', `\n${secrets}\n\n${conclusions}`).action(actions.resume);
}

function addShow(program: Command, shown: ShowCommand, actions: Actions): void {
  program
    .command(shown.command)
    .description(shown.about)
    .command('show')
    .description(shown.show)
    .requiredOption('--source <redis>', 'the name of a setting, a redis:// or rediss:// URL, or the portal string')
    .requiredOption('--key <key>', shown.key)
    .option('--base64', 'the key is given as base64')
    .option('--database <n>', 'its database', parseCount, 0)
    .option('--json', 'print JSON')
    .option('--verbose', 'show more')
    .action((options: ShowOptions) => actions.showValue(options, shown));
}
