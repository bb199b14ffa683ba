import type { GivenConnection, Settings } from '../connections/given-connection';
import { gatherSettings } from '../connections/local-settings';
import { rememberedConnection } from '../connections/remembered-connection';
import { UsageError } from '../outcome';
import type { RememberedSide, RunFolder, SeenMigration } from '../runs/run-folder';
import { appRoot } from '../service/app-root';
import { startHere } from '../service/local-service';
import type { Service } from '../service/service';
import type { CommonOptions, Context } from './context';

/** Nobody listens there. */
const NOWHERE = 'redis://127.0.0.1:1';

/** There are no files. */
const NO_FOLDER = 'file:///nowhere/keyferry';

function nowhereOf({ name, file }: RememberedSide): Settings {
  if (name === '') return {};
  return file === undefined ? { [`REDIS_${name}`]: NOWHERE } : { [`RDB_${name}`]: NO_FOLDER };
}

/** For how long a server that is nowhere is waited for, seconds. Longer than workers that were killed count as alive. */
const PATIENCE_S = '90';

/** Starts the local app with both connections. */
export async function startConnected(
  run: RunFolder,
  settings: Settings,
  sides: readonly GivenConnection[],
  options: CommonOptions,
  context: Context,
): Promise<Service> {
  const own = Object.assign({}, ...sides.map((side) => side.settings)) as Settings;
  return await start(run, { ...settings, ...own }, options, context);
}

/** Starts the local app so that it can be asked about a migration, but reaches neither server. */
export async function startUnconnected(run: RunFolder, options: CommonOptions, context: Context): Promise<Service> {
  const { source, target } = run.record;
  const settings = await gatherSettings(appRoot());
  return await start(run, { ...settings, ...nowhereOf(source), ...nowhereOf(target) }, options, context);
}

/**
 * Starts the local app so that a migration can be cancelled: with the target, where that can be reached without asking again, since
 * what is left of the migration there is removed then. The source is nowhere, so that nothing goes on meanwhile.
 */
export async function startToCancel(
  run: RunFolder,
  { source, target }: SeenMigration,
  options: CommonOptions & { readonly target?: string },
  context: Context,
): Promise<Service> {
  const settings = await gatherSettings(appRoot());
  const nowhere = { ...nowhereOf(source), ...nowhereOf(target) };
  const reachable = targetOf(target, options, settings, context);
  const patience = reachable === undefined ? { KEYFERRY_STALL_SECONDS: PATIENCE_S } : {};
  return await start(run, { ...settings, ...nowhere, ...reachable, ...patience }, options, context);
}

function targetOf(
  known: RememberedSide,
  options: { readonly target?: string },
  settings: Settings,
  context: Context,
): Settings | undefined {
  try {
    return rememberedConnection('target', options.target, known, settings).settings;
  } catch (error) {
    if (!(error instanceof UsageError) || options.target !== undefined) throw error;
    context.display.note(
      'The target cannot be reached without its password: temporary keys that may be left there expire within 15 minutes. To have them removed, give it again: --target',
    );
    return undefined;
  }
}

async function start(run: RunFolder, settings: Settings, options: CommonOptions, context: Context): Promise<Service> {
  return await startHere(run, {
    settings,
    verbose: options.verbose ?? false,
    show: (line) => {
      context.display.note(line);
    },
  });
}
