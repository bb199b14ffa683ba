import type { MigrationReport } from '../../src/migration/report';
import { ask } from '../follow/follow';
import { commandLine } from '../hints';
import { exitCodeOf, isEnded, UsageError } from '../outcome';
import { goesOn } from '../runs/goes-on';
import { serviceElsewhere } from '../service/local-service';
import type { Service } from '../service/service';
import { deployedService, sameApp, type CommonOptions, type Context } from './context';
import { findRun } from './find-run';
import { showResult } from './show-result';

/** `keyferry status ID`: what is known of a migration now, without touching it. @returns the exit code */
export async function showStatus(id: string, options: CommonOptions, context: Context): Promise<number> {
  const deployed = deployedService(options);
  if (deployed !== undefined) return await showFrom(deployed, id, options, context);
  const { run, seen } = await findRun(id, options);
  const elsewhere = await serviceElsewhere(run);
  if (elsewhere !== undefined) return await showFrom(elsewhere, id, options, context);
  const { report } = seen;
  if (report === null) {
    throw new UsageError(`Nothing is known of migration ${id} but that it was started. See it through:`, [
      commandLine('resume', id, ...sameApp(options)),
    ]);
  }
  await showResult(report, options, context, { sides: seen });
  const still = goesOn(run.record);
  if (still !== undefined) {
    const which = isEnded(report.state) ? `Its way back, migration ${still.id ?? 'not begun yet'},` : 'It';
    context.display.note(
      `${which} stands still: no app runs it. Resume it:  ${commandLine('resume', id, ...sameApp(options))}`,
    );
  }
  return exitCodeOf(report.state);
}

async function showFrom(service: Service, id: string, options: CommonOptions, context: Context): Promise<number> {
  const { body: report }: { readonly body: MigrationReport } = await ask(id, service);
  await showResult(report, options, context, { service });
  return exitCodeOf(report.state);
}
