import type { Context } from './context';
import { UsageError } from '../outcome';
import { fromFile } from './backup-and-restore';
import { migrate, type MigrateOptions } from './migrate';

export interface CompareOptions extends Omit<MigrateOptions, 'source'> {
  readonly source?: string;
  readonly file?: string;
  readonly sourceRdb?: string;
  readonly quick?: boolean;
  readonly full?: boolean;
}

export type SyncOptions = MigrateOptions;

/** `keyferry compare`: a migration in mode compare. @returns the exit code: 1 where there are differences */
export async function compare({ source, ...given }: CompareOptions, context: Context): Promise<number> {
  const options = { ...given, mode: 'compare', verify: given.quick === true ? 'quick' : 'full' };
  const sides = [source, options.file, options.sourceRdb].filter((side) => side !== undefined);
  if (sides.length !== 1) throw new UsageError('Give one of --source, --file and --source-rdb.');
  return source === undefined ? await fromFile(options, context) : await migrate({ ...options, source }, context);
}

/** `keyferry live`: a migration in mode live, to its proved cut-over. @returns the exit code */
export async function live(options: SyncOptions, context: Context): Promise<number> {
  return await migrate({ ...options, mode: 'live' }, context);
}

/** `keyferry sync`: a migration in mode sync. @returns the exit code */
export async function sync(options: SyncOptions, context: Context): Promise<number> {
  return await migrate({ ...options, mode: 'sync' }, context);
}
