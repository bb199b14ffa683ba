import type { MigrationReport } from '../../src/migration/report';
import { follow, patientlyOf } from '../follow/follow';
import { commandLine } from '../hints';
import { InterruptedError } from '../interruption';
import { exitCodeOf, exitCodes, messageOf, TroubleError } from '../outcome';
import { liveHost } from '../runs/live-host';
import type { RunFolder, RememberedSide } from '../runs/run-folder';
import type { Service } from '../service/service';
import { ApiError, mayPass } from '../client/api-error';
import { sameApp, type CommonOptions, type Context } from './context';
import { showResult } from './show-result';

const SAVE_EVERY_MS = 1_000;

/** Follows a migration to its verdict, shows the accounting, and ends the app if it runs here. @returns the exit code */
export async function conclude(
  id: string,
  service: Service,
  options: CommonOptions,
  context: Context,
  run?: RunFolder,
): Promise<number> {
  const { display, interruption } = context;
  try {
    const save = saver(service, run);
    const ended = await follow(id, service, display, interruption, save);
    const report = await withWayBack(ended, service, context);
    await save(report);
    await showResult(report, options, context, { service, sides: run?.migration(id) });
    const wayBack = report.live?.cutover?.wayBack ?? null;
    if (wayBack === null) return exitCodeOf(report.state);
    const { migration: back, refused, trouble } = wayBack;
    if (back === null) {
      display.note(`The way back did not begin: ${refused ?? trouble ?? 'the app does not tell why.'}`);
      return exitCodes.failed;
    }
    display.note(`The way back: migration ${back} has the old side follow the new one.`);
    if (service.place !== 'here' || run === undefined) return exitCodeOf(report.state);
    display.note('It goes on in this command: leave it running.');
    // The report that was asked for is there, and stays.
    const { report: _file, ...others } = options;
    return await conclude(back, service, others, context, run);
  } catch (error) {
    const hints = context.throwaway === true ? [] : wayOn(id, await standsStill(service, run), options, run);
    if (error instanceof InterruptedError) {
      await endInterrupted(service, context);
      for (const line of hints) display.note(line);
      return interruption.exitCode;
    }
    if (error instanceof ApiError && error.status < 500) throw error;
    throw new TroubleError([messageOf(error), ...hints].join('\n'));
  }
}

const LOOK_MS = 300;
const DEPLOYED_LOOK_MS = 2_000;

/**
 * A migration's document once its way back is started, or refused, where one was asked for: the app tries it for some minutes.
 * @throws ApiError, NoAnswerError, InterruptedError
 */
async function withWayBack(ended: MigrationReport, service: Service, context: Context): Promise<MigrationReport> {
  const { display, interruption } = context;
  let told: string | null = null;
  for (let report = ended; ;) {
    const back = report.live?.cutover?.wayBack;
    if (back?.state !== 'starting') return report;
    if (back.trouble !== null && back.trouble !== told) {
      told = back.trouble;
      display.note(`The way back is not begun yet, and is tried again: ${told}`);
    }
    await interruption.sleep(service.place === 'deployed' ? DEPLOYED_LOOK_MS : LOOK_MS);
    report = await lookAgain(ended.id, service, context);
  }
}

async function lookAgain(id: string, service: Service, context: Context): Promise<MigrationReport> {
  try {
    return (await patientlyOf(service, () => service.client.get(id), context)).body;
  } catch (error) {
    // An app in another process that has just ended with it.
    const last = mayPass(error) ? await service.lastWords?.() : undefined;
    if (last === undefined || isStarting(last)) throw error;
    return last;
  }
}

function isStarting({ live }: MigrationReport): boolean {
  return live?.cutover?.wayBack?.state === 'starting';
}

async function endInterrupted(service: Service, { display }: Context): Promise<void> {
  if (service.place !== 'here') return;
  display.note('Interrupted: ending the local app in good order (Ctrl-C again ends it at once) …');
  await service.close();
}

/** Keeps the last document beside the app's data, for `status` and `list` when nothing runs. */
function saver(service: Service, run: RunFolder | undefined): (report: MigrationReport) => Promise<void> {
  let last = 0;
  return async (report) => {
    if (run === undefined || service.place !== 'here') return;
    if (report.finishedAt === null && Date.now() - last < SAVE_EVERY_MS) return;
    last = Date.now();
    await run.saw(report);
  };
}

/** Whether a migration goes no further without this command. */
async function standsStill({ place }: Service, run: RunFolder | undefined): Promise<boolean> {
  return place === 'here' || (run !== undefined && (await liveHost(run.folder)) === undefined);
}

/** How to go on with a migration that this command no longer follows. */
function wayOn(id: string, still: boolean, options: CommonOptions, run: RunFolder | undefined): string[] {
  const common = sameApp(options);
  const again = run === undefined || !still ? [] : secretsAgain(run);
  return [
    still ? `Migration ${id} stands still now and keeps its place.` : `Migration ${id} goes on without this command.`,
    `${still ? 'Resume it' : 'Follow it'}:  ${commandLine('resume', id, ...again, ...common)}`,
    `Cancel it:  ${commandLine('cancel', id, ...common)}`,
  ];
}

/** The connections that `resume` must be told again, because they have a secret and no setting has them. */
function secretsAgain({ record }: RunFolder): string[] {
  const sides: [string, RememberedSide][] = [
    ['source', record.source],
    ['target', record.target],
  ];
  return sides.flatMap(([side, { name, url, given }]) =>
    given === 'address' && url === undefined ? [`--${side}`, `<URL of ${name}>`] : [],
  );
}
