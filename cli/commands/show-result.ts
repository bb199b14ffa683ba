import path from 'node:path';
import { onlyCounted, type MigrationReport } from '../../src/migration/report';
import type { FindingReport } from '../../src/api/documents';
import { accounting } from '../display/accounting';
import { counted } from '../display/words';
import { safeText } from '../../src/basics/safe-text';
import { commandLine } from '../hints';
import { surveyTables } from '../report/tables';
import { isJsonFile, writeReport } from '../report/write-report';
import type { SeenMigration } from '../runs/run-folder';
import type { Service } from '../service/service';
import { collectFindings } from './collect-findings';
import { sameApp, type CommonOptions, type Context } from './context';

const FIRST_FINDINGS = 5;
/** So many findings are in a report: on a page what one can read, in JSON what memory holds with ease. */
const FINDINGS_OF_PAGE = 1_000;
const FINDINGS_OF_JSON = 100_000;

/** Prints a migration's document: as JSON, or as the accounting with the first findings. */
export async function showResult(
  report: MigrationReport,
  options: CommonOptions,
  context: Context,
  from: {
    readonly service?: Service | undefined;
    readonly sides?: Pick<SeenMigration, 'source' | 'target'> | undefined;
  },
): Promise<void> {
  if (
    report.mode === 'dry-run' &&
    from.service !== undefined &&
    (await showSurvey(report, options, context, from.service))
  ) {
    return;
  }
  if (options.report !== undefined && from.service !== undefined) {
    await writeMigration(options.report, report, from.service, context);
  }
  if (options.json === true) {
    context.display.printJson(report);
    return;
  }
  const { sides } = from;
  context.display.print(
    accounting(report, {
      findings: report.findings > 0 ? await firstFindings(report.id, from.service) : [],
      findingsCommand: commandLine('findings', report.id, ...sameApp(options)),
      ...(sides === undefined ? {} : { addresses: { source: sides.source.address, target: sides.target.address } }),
    }),
  );
}

/** Writes a migration's document into a file, with its findings: in JSON as the field `details`. */
async function writeMigration(
  file: string,
  report: MigrationReport,
  service: Service,
  context: Context,
): Promise<void> {
  const most = isJsonFile(file) ? FINDINGS_OF_JSON : FINDINGS_OF_PAGE;
  const { found } = await collectFindings(service, report.id, most, context);
  const { migrationPage } = await import('../report/migration-page.js');
  await writeReport(file, { ...report, details: found }, (charts) => migrationPage(report, found, charts));
  context.display.note(`Report: ${path.resolve(file)}`);
}

/**
 * Shows what a dry run has learnt: as tables, or as the field `report` of the migration's document; and writes it where
 * asked. @returns false where there is no report that could be shown
 */
async function showSurvey(
  migration: MigrationReport,
  options: CommonOptions,
  { display }: Context,
  { client }: Service,
): Promise<boolean> {
  // A dry run that failed before it read anything has one too; only an app of an earlier version has none.
  const report = await client.surveyReport(migration.id).catch((error: unknown) => {
    if (options.report !== undefined) throw error;
    return undefined;
  });
  if (report === undefined) return false;
  if (options.report !== undefined) {
    const { surveyPage } = await import('../report/survey-page.js');
    await writeReport(options.report, report, (charts) => surveyPage(report, charts));
    display.note(`Report: ${path.resolve(options.report)}`);
  }
  if (options.json === true) display.printJson({ ...migration, report });
  else {
    display.print(surveyTables(report));
    if (migration.cause !== null) display.print(`The dry run FAILED. ${safeText(migration.cause)}`);
    if (migration.findings > 0) {
      display.print(
        `${counted(migration.findings, 'finding')}:  ${commandLine('findings', migration.id, ...sameApp(options))}`,
      );
      const rest = onlyCounted(migration);
      if (rest !== undefined) display.print(rest);
    }
  }
  return true;
}

/** Findings are an extra here: the accounting is shown without them where they do not come. */
async function firstFindings(id: string, service: Service | undefined): Promise<readonly FindingReport[]> {
  try {
    return service === undefined ? [] : (await service.client.findings(id, FIRST_FINDINGS)).findings;
  } catch {
    return [];
  }
}
