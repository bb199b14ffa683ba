import { onlyCounted } from '../../src/migration/report';
import { findingsTable, meaningsOf } from '../display/accounting';
import { counted } from '../display/words';
import { commandLine } from '../hints';
import { isEnded, UsageError } from '../outcome';
import { goesOn } from '../runs/goes-on';
import { serviceElsewhere } from '../service/local-service';
import type { Service } from '../service/service';
import { collectFindings } from './collect-findings';
import { deployedService, sameApp, type CommonOptions, type Context } from './context';
import { findRun } from './find-run';
import { startUnconnected } from './start-app';

export interface FindingsOptions extends CommonOptions {
  readonly limit: number;
  readonly all?: boolean;
}

/** `keyferry findings ID`. @returns the exit code */
export async function findings(id: string, options: FindingsOptions, context: Context): Promise<number> {
  const service = deployedService(options) ?? (await localService(id, options, context));
  try {
    const wanted = options.all === true ? Number.POSITIVE_INFINITY : options.limit;
    const { found, more } = await collectFindings(service, id, wanted, context);
    if (options.json === true) {
      context.display.printJson({ findings: found });
    } else {
      context.display.print(
        found.length === 0 ? 'No findings.' : [findingsTable(found), ...meaningsOf(found)].join('\n'),
      );
    }
    if (more) {
      context.display.note(
        `These are the first ${counted(found.length, 'finding')}. All of them:  ${commandLine('findings', id, '--all', ...sameApp(options))}`,
      );
    }
    // An extra here.
    const report = await service.client.get(id).catch(() => undefined);
    const rest = report && onlyCounted(report.body);
    if (rest !== undefined) context.display.note(rest);
    return 0;
  } finally {
    await service.close();
  }
}

async function localService(id: string, options: FindingsOptions, context: Context): Promise<Service> {
  const { run, seen } = await findRun(id, options);
  const elsewhere = await serviceElsewhere(run);
  if (elsewhere !== undefined) return elsewhere;
  // Starting the app would make what has not ended go on.
  if (goesOn(run.record) !== undefined) {
    const which = seen.report !== null && isEnded(seen.report.state) ? `The way back of migration` : 'Migration';
    throw new UsageError(`${which} ${id} stands still: findings can be read when it has ended, or runs. Resume it:`, [
      commandLine('resume', id, ...sameApp(options)),
    ]);
  }
  return await startUnconnected(run, options, context);
}
