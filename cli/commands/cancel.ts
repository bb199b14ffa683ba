import type { MigrationReport } from '../../src/migration/report';
import { follow } from '../follow/follow';
import { exitCodeOf, isEnded } from '../outcome';
import type { RunFolder } from '../runs/run-folder';
import { serviceElsewhere } from '../service/local-service';
import type { Service } from '../service/service';
import { deployedService, type CommonOptions, type Context } from './context';
import { findRun } from './find-run';
import { showResult } from './show-result';
import { startToCancel } from './start-app';

export interface CancelOptions extends CommonOptions {
  readonly target?: string;
}

/** `keyferry cancel ID`: asks for it and waits until it is so. @returns the exit code: 0 when it is cancelled */
export async function cancel(id: string, options: CancelOptions, context: Context): Promise<number> {
  const deployed = deployedService(options);
  if (deployed !== undefined) return await cancelAt(deployed, id, options, context);
  const { run, seen } = await findRun(id, options);
  const elsewhere = await serviceElsewhere(run);
  const { report } = seen;
  if (elsewhere === undefined && report !== null && isEnded(report.state)) {
    return await tell(report, options, context, { sides: seen });
  }
  const service = elsewhere ?? (await startToCancel(run, seen, options, context));
  try {
    return await cancelAt(service, id, options, context, run);
  } finally {
    await service.close();
  }
}

async function cancelAt(
  service: Service,
  id: string,
  options: CommonOptions,
  context: Context,
  run?: RunFolder,
): Promise<number> {
  const asked = await service.client.cancel(id);
  const report = isEnded(asked.state) ? asked : await untilEnded(service, id, context);
  if (service.place === 'here') await run?.saw(report);
  return await tell(report, options, context, { service, sides: run?.migration(id) });
}

async function untilEnded(service: Service, id: string, context: Context): Promise<MigrationReport> {
  context.display.note('Cancelling …');
  return await follow(id, service, context.display, context.interruption);
}

async function tell(
  report: MigrationReport,
  options: CommonOptions,
  context: Context,
  from: Parameters<typeof showResult>[3],
): Promise<number> {
  if (report.state !== 'cancelled') context.display.note(`Migration ${report.id} had ended before: ${report.state}.`);
  await showResult(report, options, context, from);
  return report.state === 'cancelled' ? 0 : exitCodeOf(report.state);
}
