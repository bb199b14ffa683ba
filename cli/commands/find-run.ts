import type { RunFolder, SeenMigration } from '../runs/run-folder';
import { commandLine } from '../hints';
import { UsageError } from '../outcome';
import { runStore, sameApp, type CommonOptions } from './context';

/** The folder of the local migration with this id, and what was last seen of it. @throws UsageError when there is none */
export async function findRun(
  id: string,
  options: CommonOptions,
): Promise<{ readonly run: RunFolder; readonly seen: SeenMigration }> {
  const store = runStore(options);
  const run = await store.withId(id);
  const seen = run?.migration(id);
  if (run !== undefined && seen !== undefined) return { run, seen };
  throw new UsageError(`There is no migration "${id}" in ${store.dataFolder}.`, [
    `Those that are there: ${commandLine('list', ...sameApp(options))}`,
    'One of a deployed app needs --endpoint; one that was started in another folder needs --data.',
  ]);
}
