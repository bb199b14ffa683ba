import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, TroubleError, UsageError } from '../outcome';
import type { Charts } from './charts';

/** @throws UsageError when the file's name does not say what it is to be */
export function checkReportFile(file: string): void {
  if (!/\.(html?|json)$/i.test(file)) throw new UsageError('--report takes a file whose name ends in .html or .json.');
}

/** Whether a report goes into this file as JSON, and not as a page. */
export function isJsonFile(file: string): boolean {
  return /\.json$/i.test(file);
}

/**
 * Writes a report as a page or as JSON, after the file's name. Readable by the user only: it has names of keys.
 * @throws TroubleError when the file cannot be written
 */
export async function writeReport(file: string, json: unknown, page: (charts: Charts) => string): Promise<void> {
  const text = isJsonFile(file)
    ? `${JSON.stringify(json, null, 2)}\n`
    : page(await (await import('./charts.js')).loadCharts());
  try {
    await writeFile(file, text, { mode: 0o600 });
  } catch (error) {
    throw new TroubleError(`The report cannot be written to ${path.resolve(file)}: ${messageOf(error)}`);
  }
}
