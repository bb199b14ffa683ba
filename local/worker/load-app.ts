import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { glob } from 'tinyglobby';
import type { CoreState } from './core-module';

/**
 * Loads the entry files of an app, the way the Azure worker does: every file that the glob `main` of its package.json
 * matches, in the order of their names. What the files register is then in `state`.
 * @throws Error when nothing matches (deployed, such an app would answer 404 everywhere) or a file fails to load
 */
export async function loadApp(appRoot: string, state: CoreState): Promise<string[]> {
  const packageJson = JSON.parse(await readFile(path.join(appRoot, 'package.json'), 'utf8')) as { main?: string };
  const pattern = packageJson.main ?? '';
  const files = pattern ? (await glob(pattern, { cwd: appRoot })).sort() : [];
  if (files.length === 0) throw new Error(`No function files: "main" in package.json is "${pattern}". Built?`);
  const require = createRequire(path.join(appRoot, 'package.json'));
  for (const file of files) {
    const absolute = path.join(appRoot, file);
    state.currentFile = absolute;
    try {
      // An app that was loaded before in this process must register again.
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
      delete require.cache[absolute];
      require(absolute);
    } finally {
      state.currentFile = '';
    }
  }
  return files;
}
