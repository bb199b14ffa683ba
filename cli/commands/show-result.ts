import type { MigrationReport } from '../../src/migration/report';
import type { FindingReport } from '../../src/migration/read-migrations';
import { accounting } from '../display/accounting';
import { commandLine } from '../hints';
import type { RunRecord } from '../runs/run-folder';
import type { Service } from '../service/service';
import { sameApp, type CommonOptions, type Context } from './context';

const FIRST_FINDINGS = 5;

/** Prints a migration's document: as JSON, or as the accounting with the first findings. */
export async function showResult(
  report: MigrationReport,
  options: CommonOptions,
  context: Context,
  from: { readonly service?: Service | undefined; readonly record?: RunRecord | undefined },
): Promise<void> {
  if (options.json === true) {
    context.display.printJson(report);
    return;
  }
  const { record } = from;
  context.display.print(
    accounting(report, {
      findings: report.findings > 0 ? await firstFindings(report.id, from.service) : [],
      findingsCommand: commandLine('findings', report.id, ...sameApp(options)),
      ...(record === undefined ? {} : { addresses: { source: record.source.address, target: record.target.address } }),
    }),
  );
}

/** Findings are an extra here: the accounting is shown without them where they do not come. */
async function firstFindings(id: string, service: Service | undefined): Promise<readonly FindingReport[]> {
  try {
    return service === undefined ? [] : (await service.client.findings(id, FIRST_FINDINGS)).findings;
  } catch {
    return [];
  }
}
