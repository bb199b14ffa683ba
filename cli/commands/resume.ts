import { gatherSettings } from '../connections/local-settings';
import { shownSide } from '../connections/given-connection';
import { rememberedConnection } from '../connections/remembered-connection';
import { sidesText } from '../display/words';
import { exitCodeOf } from '../outcome';
import { checkReportFile } from '../report/write-report';
import { appRoot } from '../service/app-root';
import { goesOn } from '../runs/goes-on';
import { thisProcess } from '../runs/run-folder';
import { serviceElsewhere } from '../service/local-service';
import { conclude } from './conclude';
import { deployedService, runStore, type CommonOptions, type Context } from './context';
import { findRun } from './find-run';
import { refuseBusyTarget } from './refuse-busy-target';
import { showResult } from './show-result';
import { startConnected, startUnconnected } from './start-app';
import { showStatus } from './status';

export interface ResumeOptions extends CommonOptions {
  readonly source?: string;
  readonly target?: string;
}

/** `keyferry resume ID`: a local migration goes on where it was; one that runs elsewhere is followed. @returns the exit code */
export async function resume(id: string, options: ResumeOptions, context: Context): Promise<number> {
  if (options.report !== undefined) checkReportFile(options.report);
  const deployed = deployedService(options);
  if (deployed !== undefined) return await conclude(id, deployed, options, context);
  const { run, seen } = await findRun(id, options);
  const elsewhere = await serviceElsewhere(run);
  if (elsewhere !== undefined) return await conclude(id, elsewhere, options, context, run);
  const { record } = run;
  if (seen.report !== null && goesOn(record) === undefined) {
    context.display.note(`Migration ${id} has ended already.`);
    if (options.report === undefined) return await showStatus(id, options, context);
    const ended = await startUnconnected(run, options, context);
    try {
      await showResult(seen.report, options, context, { service: ended, sides: seen });
      return exitCodeOf(seen.report.state);
    } finally {
      await ended.close();
    }
  }
  const settings = await gatherSettings(appRoot());
  const source = rememberedConnection('source', options.source, record.source, settings);
  const target = rememberedConnection('target', options.target, record.target, settings);
  await refuseBusyTarget(run, runStore(options));
  await run.update({ owner: thisProcess() });
  const service = await startConnected(run, settings, [source, target], options, context);
  try {
    context.display.note(`Migration ${id} goes on: ${sidesText(shownSide(seen.source), shownSide(seen.target))}`);
    return await conclude(id, service, options, context, run);
  } finally {
    await service.close();
  }
}
