import type { Context } from './context';
import { migrate, type MigrateOptions } from './migrate';

export interface CompareOptions extends MigrateOptions {
  readonly quick?: boolean;
  readonly full?: boolean;
}

export type SyncOptions = MigrateOptions;

/** `keyferry compare`: a migration in mode compare. @returns the exit code: 1 where there are differences */
export async function compare(options: CompareOptions, context: Context): Promise<number> {
  return await migrate({ ...options, mode: 'compare', verify: options.quick === true ? 'quick' : 'full' }, context);
}

/** `keyferry live`: a migration in mode live, to its proved cut-over. @returns the exit code */
export async function live(options: SyncOptions, context: Context): Promise<number> {
  return await migrate({ ...options, mode: 'live' }, context);
}

/** `keyferry sync`: a migration in mode sync. @returns the exit code */
export async function sync(options: SyncOptions, context: Context): Promise<number> {
  return await migrate({ ...options, mode: 'sync' }, context);
}
