import type { RunFolder } from '../runs/run-folder';
import { commandLine } from '../hints';
import { UsageError } from '../outcome';
import { runStore, sameApp, type CommonOptions } from './context';

/** The local migration with this id. @throws UsageError when there is none */
export async function findRun(id: string, options: CommonOptions): Promise<RunFolder> {
  const store = runStore(options);
  const run = await store.withId(id);
  if (run !== undefined) return run;
  throw new UsageError(`There is no migration "${id}" in ${store.dataFolder}.`, [
    `Those that are there: ${commandLine('list', ...sameApp(options))}`,
    'One of a deployed app needs --endpoint; one that was started in another folder needs --data.',
  ]);
}
