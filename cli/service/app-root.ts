import { existsSync } from 'node:fs';
import path from 'node:path';

/**
 * The folder with the app's package.json and host.json, found upwards from this file, which runs from dist/.
 * @throws Error where there is none
 */
export function appRoot(): string {
  for (let folder = __dirname; ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, 'host.json')) && existsSync(path.join(folder, 'package.json'))) return folder;
    if (path.dirname(folder) === folder) throw new Error(`No host.json above ${__dirname}.`);
  }
}
