import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * The folder with this project's package.json, found upwards from this file (which may run from the sources or from dist/).
 * @throws Error where there is none.
 */
export function repositoryRoot(): string {
  for (let folder = __dirname; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    if (dirname(folder) === folder) throw new Error(`No package.json above ${__dirname}`);
  }
}

/** Where unpacked servers are kept; git-ignored. */
export function serversFolder(): string {
  return join(repositoryRoot(), '.redis');
}
