import path from 'node:path';
import type { MigrationReport } from '../../src/migration/report';
import { ApiClient } from '../client/api-client';
import { isEnded, messageOf, TroubleError } from '../outcome';
import { announceHost, liveHost, withdrawHost } from '../runs/live-host';
import { RunFolder } from '../runs/run-folder';
import type { Settings } from '../connections/given-connection';
import { appRoot } from './app-root';
import { fileLogger } from './host-log';
import type { Service } from './service';

export interface LocalServiceOptions {
  readonly settings: Settings;
  readonly verbose: boolean;
  readonly show: (line: string) => void;
}

/** The local app that works on a run's folder in another process, if there is one. */
export async function serviceElsewhere(run: RunFolder): Promise<Service | undefined> {
  const host = await liveHost(run.folder);
  if (host === undefined) return undefined;
  return {
    client: new ApiClient(host.url),
    place: 'other-process',
    lastWords: () => lastWords(run.folder, host.pid),
    close: () => Promise.resolve(),
  };
}

async function lastWords(folder: string, pid: number): Promise<MigrationReport | undefined> {
  const isGone = (await liveHost(folder))?.pid !== pid;
  const report = (await RunFolder.open(folder))?.record.report;
  if (report && isEnded(report.state)) return report;
  if (isGone) throw new TroubleError(`The process that ran the migration (${pid}) has ended.`);
  return undefined;
}

/**
 * Starts the local app in this process over a run's folder; what was under way there goes on.
 * @throws TroubleError when it does not start
 */
export async function startHere(run: RunFolder, options: LocalServiceOptions): Promise<Service> {
  const root = appRoot();
  forgetSchedules(process.env);
  const log = fileLogger(path.join(run.folder, 'app.log'), options.verbose, options.show);
  // Loaded here: it brings the storage libraries, which most commands do not need.
  const { startLocalHost, STORAGE_LOST } = await import('../../local/local-host.js');
  try {
    const host = await startLocalHost({
      appRoot: root,
      port: 0,
      dataFolder: run.folder,
      settings: definedOnly(options.settings),
      log,
    });
    await announceHost(run.folder, host.url);
    let isLost = false;
    void host.lost.then(() => (isLost = true));
    return {
      client: new ApiClient(host.url),
      place: 'here',
      lastWords: () =>
        isLost
          ? Promise.reject(new TroubleError(`${STORAGE_LOST} Go on with: keyferry resume`))
          : Promise.resolve(undefined),
      close: async () => {
        await withdrawHost(run.folder);
        await host.close();
        log.end();
      },
    };
  } catch (error) {
    log.end();
    throw new TroubleError(`The local app does not start: ${messageOf(error)}`);
  }
}

function definedOnly(settings: Settings): Record<string, string> {
  const defined = Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) => (value ? [[name, value]] : [])),
  );
  forgetSchedules(defined);
  return defined;
}

/** A command carries out one migration; what the clock starts belongs to an app that stays. */
function forgetSchedules(settings: Record<string, string | undefined>): void {
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
  for (const name of Object.keys(settings)) if (name.startsWith('SCHEDULED_MIGRATION')) delete settings[name];
}
