import { isName, noTarget, readGiven, readGivenFile, readStoreFile } from '../connections/given-connection';
import { gatherSettings } from '../connections/local-settings';
import { sidesText } from '../display/words';
import { UsageError } from '../outcome';
import { checkReportFile } from '../report/write-report';
import { appRoot } from '../service/app-root';
import { deployedService, type Context } from './context';
import { migrateBetween, startDeployed, targetSpec, type HereOptions } from './migrate';

interface FileOptions extends HereOptions {
  readonly file?: string;
  readonly wait: boolean;
}

export interface BackupOptions extends FileOptions {
  readonly source: string;
  readonly targetRdb?: string;
}

export interface RestoreOptions extends FileOptions {
  /** May be left out in a dry run: what is in the file is asked of nobody else. */
  readonly target?: string;
  readonly sourceRdb?: string;
  readonly dryRun?: boolean;
}

/** `keyferry backup`: a whole Redis into one RDB file. @returns the exit code */
export async function backup(options: BackupOptions, context: Context): Promise<number> {
  const deployed = deployedService(options);
  checkReport(options);
  if (deployed === undefined) {
    const settings = await hereSettings(options);
    const source = readGiven('source', options.source, settings);
    const target = readGivenFile('target', { file: options.file, rdb: options.targetRdb }, settings);
    return await migrateBetween(source, target, settings, options, context);
  }
  const target = fileElsewhere('--target-rdb', options, options.targetRdb);
  const spec = targetSpec(target, options);
  checkName('--source', options.source);
  const shown = `${options.source} → ${target.name}/${target.file}`;
  return await startDeployed(deployed, { source: options.source, target: spec, shown }, options, context);
}

/** `keyferry restore`: any RDB file into a Redis. @returns the exit code */
export async function restore(options: RestoreOptions, context: Context): Promise<number> {
  if (options.target === undefined && options.dryRun !== true) {
    throw new UsageError('Give --target: where the file is to be restored to; or --dry-run, to be told what is in it.');
  }
  return await fromFile(options.dryRun === true ? { ...options, mode: 'dry-run' } : options, context);
}

/** What the options ask for, from a file to a Redis. @returns the exit code */
export async function fromFile(options: RestoreOptions, context: Context): Promise<number> {
  const deployed = deployedService(options);
  checkReport(options);
  if (deployed === undefined) {
    const settings = await hereSettings(options);
    const source = readGivenFile('source', { file: options.file, rdb: options.sourceRdb }, settings);
    const target = options.target === undefined ? noTarget : readGiven('target', options.target, settings);
    return await migrateBetween(source, target, settings, options, context);
  }
  const { name: rdb, file } = fileElsewhere('--source-rdb', options, options.sourceRdb);
  const { target } = options;
  if (target !== undefined) checkName('--target', target);
  const shown = sidesText(`${rdb}/${file}`, target ?? '');
  return await startDeployed(deployed, { source: { rdb, file }, target, shown }, options, context);
}

function checkReport({ report, wait }: FileOptions): void {
  if (report === undefined) return;
  checkReportFile(report);
  if (!wait) throw new UsageError('--report is written at the end: leave --no-wait out.');
}

async function hereSettings({ wait }: FileOptions): Promise<ReturnType<typeof gatherSettings>> {
  if (!wait)
    throw new UsageError('--no-wait needs --endpoint: without a deployed app the work is done inside this command.');
  return await gatherSettings(appRoot());
}

/** A deployed app knows only the file stores of its own settings. */
function fileElsewhere(
  option: string,
  { file }: FileOptions,
  rdb: string | undefined,
): ReturnType<typeof readStoreFile> {
  if (file !== undefined || rdb === undefined) {
    throw new UsageError(
      `With --endpoint give ${option} NAME/file: a deployed app writes into a file store of its own settings (RDB_<NAME>).`,
    );
  }
  return readStoreFile(option, rdb);
}

function checkName(option: string, text: string): void {
  if (isName(text)) return;
  throw new UsageError(
    `${option}: a deployed app takes the name of a connection in its own settings, never an address.`,
  );
}
