import { randomUUID } from 'node:crypto';
import {
  isName,
  readGiven,
  shownSide,
  specOf,
  type GivenConnection,
  type Settings,
} from '../connections/given-connection';
import { gatherSettings } from '../connections/local-settings';
import { refuseOtherServers } from '../connections/remembered-connection';
import { sidesText } from '../display/words';
import { patiently } from '../follow/patient';
import { commandLine } from '../hints';
import { InterruptedError } from '../interruption';
import { UsageError } from '../outcome';
import { mistakeLine, requestBody, type RequestOptions } from '../request-body';
import { checkReportFile } from '../report/write-report';
import { remember, thisProcess, type RunFolder } from '../runs/run-folder';
import { appRoot } from '../service/app-root';
import { serviceElsewhere } from '../service/local-service';
import type { Service } from '../service/service';
import { refuseBusyTarget } from './refuse-busy-target';
import { startConnected } from './start-app';
import { conclude } from './conclude';
import { deployedService, runStore, sameApp, type CommonOptions, type Context } from './context';

/** What is asked for beside the two sides. */
export interface HereOptions extends CommonOptions, RequestOptions {
  /** Of a file that is written. */
  readonly rdbVersion?: number;
  readonly overwrite?: boolean;
  readonly gzip?: boolean;
}

export interface MigrateOptions extends CommonOptions, RequestOptions {
  readonly source: string;
  readonly target: string;
  readonly wait: boolean;
}

/** `keyferry dry-run`: the same way, but nothing is written. @returns the exit code */
export async function dryRun(options: MigrateOptions, context: Context): Promise<number> {
  return await migrate({ ...options, mode: 'dry-run' }, context);
}

/** `keyferry migrate`. @returns the exit code */
export async function migrate(options: MigrateOptions, context: Context): Promise<number> {
  if (options.report !== undefined) {
    checkReportFile(options.report);
    if (!options.wait) throw new UsageError('--report is written at the end: leave --no-wait out.');
  }
  const deployed = deployedService(options);
  if (deployed !== undefined) return await migrateDeployed(deployed, options, context);
  if (!options.wait) {
    throw new UsageError(
      '--no-wait needs --endpoint: without a deployed app the migration runs inside this command and ends with it.',
    );
  }
  return await migrateHere(options, context);
}

const START_PATIENCE_MS = 60_000;

async function migrateDeployed(service: Service, options: MigrateOptions, context: Context): Promise<number> {
  for (const side of ['source', 'target'] as const) {
    if (isName(options[side])) continue;
    throw new UsageError(
      `--${side}: a deployed app takes the name of a connection in its own settings (OLD for the app setting REDIS_OLD), never an address: addresses and passwords do not belong into requests.`,
    );
  }
  const { source, target } = options;
  return await startDeployed(service, { source, target, shown: `${source} → ${target}` }, options, context);
}

/** Starts a migration in a deployed app, and follows it where that is asked for. @returns the exit code */
export async function startDeployed(
  service: Service,
  { source, target, shown }: { readonly source: unknown; readonly target: unknown; readonly shown: string },
  options: HereOptions & { readonly wait: boolean },
  context: Context,
): Promise<number> {
  // With an id of its own a start may be sent again when its answer was lost.
  const requestId = options.requestId ?? randomUUID();
  const body = requestBody({ ...options, requestId }, source, target);
  const { id, statusUrl } = await patiently(() => service.client.start(body), {
    patienceMs: START_PATIENCE_MS,
    interruption: context.interruption,
    onTrouble: (error) => {
      context.display.note(`No answer at the moment, trying again: ${error.message}`);
    },
  });
  context.display.note(`Migration ${id}: ${shown}`);
  if (options.wait) return await conclude(id, service, options, context);
  if (options.json === true) context.display.printJson((await service.client.get(id)).body);
  else {
    context.display.print(`Status:  ${statusUrl}\nFollow:  ${commandLine('resume', id, ...sameApp(options))}`);
  }
  return 0;
}

async function migrateHere(options: MigrateOptions, context: Context): Promise<number> {
  const settings = await gatherSettings(appRoot());
  const source = readGiven('source', options.source, settings);
  const target = readGiven('target', options.target, settings);
  return await migrateBetween(source, target, settings, options, context);
}

/** Runs a migration between two sides in this process. @returns the exit code */
export async function migrateBetween(
  source: GivenConnection,
  target: GivenConnection,
  settings: Settings,
  options: HereOptions,
  context: Context,
): Promise<number> {
  const body = requestBody(options, specOf(source), targetSpec(target, options));
  await checkBody(body);
  const run = await folderFor(options, source, target);
  const elsewhere = await serviceElsewhere(run);
  try {
    if (elsewhere === undefined) await refuseBusyTarget(run, runStore(options));
    const service = elsewhere ?? (await startConnected(run, settings, [source, target], options, context));
    try {
      return await migrateAt(service, run, body, options, context);
    } finally {
      await service.close();
    }
  } finally {
    // Nothing of worth is in a folder whose migration did not come to be.
    if (run.record.id === null && elsewhere === undefined) await run.remove();
  }
}

/** What a request calls a target, with what is said of a file. */
export function targetSpec(
  target: Pick<GivenConnection, 'name' | 'file'>,
  { rdbVersion, overwrite, gzip }: HereOptions,
): unknown {
  const spec = specOf(target);
  if (spec === undefined || typeof spec === 'string') return spec;
  return {
    ...spec,
    ...(rdbVersion === undefined ? {} : { version: rdbVersion }),
    ...(overwrite === true ? { overwrite } : {}),
    ...(gzip === true ? { gzip } : {}),
  };
}

async function migrateAt(
  service: Service,
  run: RunFolder,
  body: unknown,
  options: HereOptions,
  context: Context,
): Promise<number> {
  const { display, interruption } = context;
  let id: string;
  try {
    ({ id } = await interruption.race(service.client.start(body)));
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    display.note('Interrupted before the migration had an id: there is nothing to resume.');
    return interruption.exitCode;
  }
  await run.update({ id });
  const { source, target } = run.record;
  display.note(`Migration ${id}: ${sidesText(shownSide(source), shownSide(target))}`);
  return await conclude(id, service, options, context, run);
}

/** Says what is wrong with the request before anything is started. */
async function checkBody(body: unknown): Promise<void> {
  const { BadRequestError, parseMigrationRequest } = await import('../../src/migration/request.js');
  try {
    parseMigrationRequest(body);
  } catch (error) {
    if (!(error instanceof BadRequestError)) throw error;
    throw new UsageError(error.message, error.mistakes.map(mistakeLine));
  }
}

/** A new folder, or that of the migration with the same request id. */
async function folderFor(options: HereOptions, source: GivenConnection, target: GivenConnection): Promise<RunFolder> {
  const store = runStore(options);
  const { requestId } = options;
  const known = requestId === undefined ? undefined : await store.withRequestId(requestId);
  if (known === undefined) {
    return await store.create({
      requestId: requestId ?? null,
      mode: options.mode ?? 'copy',
      owner: thisProcess(),
      source: remember(source),
      target: remember(target),
    });
  }
  refuseOtherServers('source', source, known.record.source);
  refuseOtherServers('target', target, known.record.target);
  return known;
}
