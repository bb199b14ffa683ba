import { existsSync } from 'node:fs';
import path from 'node:path';
import { readLocalSettings } from '../../local/app-settings';
import { UsageError, messageOf } from '../outcome';
import type { Settings } from './given-connection';

/**
 * The settings a local migration may use: local.settings.json of the current folder (or else of the app's), and the
 * environment, which wins.
 * @throws UsageError when the file cannot be read
 */
export async function gatherSettings(appRoot: string): Promise<Settings> {
  const folder = existsSync(path.resolve('local.settings.json')) ? process.cwd() : appRoot;
  try {
    return { ...(await readLocalSettings(folder)), ...process.env };
  } catch (error) {
    throw new UsageError(`local.settings.json cannot be read: ${messageOf(error)}`);
  }
}
