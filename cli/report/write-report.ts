import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { SurveyReport } from '../../src/survey/survey-report';
import { messageOf, TroubleError, UsageError } from '../outcome';

/** @throws UsageError when the file's name does not say what it is to be */
export function checkReportFile(file: string): void {
  if (!/\.(html?|json)$/i.test(file)) throw new UsageError('--report takes a file whose name ends in .html or .json.');
}

/** Writes the report as a page or as JSON, after the file's name. Readable by the user only: it has names of keys. */
export async function writeReport(file: string, report: SurveyReport): Promise<void> {
  let text: string;
  if (/\.json$/i.test(file)) text = `${JSON.stringify(report, null, 2)}\n`;
  else {
    const [{ loadCharts }, { surveyPage }] = await Promise.all([import('./charts.js'), import('./page.js')]);
    text = surveyPage(report, await loadCharts());
  }
  try {
    await writeFile(file, text, { mode: 0o600 });
  } catch (error) {
    throw new TroubleError(`The report cannot be written to ${path.resolve(file)}: ${messageOf(error)}`);
  }
}
