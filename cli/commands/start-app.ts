import type { GivenConnection, Settings } from '../connections/given-connection';
import { gatherSettings } from '../connections/local-settings';
import type { RunFolder } from '../runs/run-folder';
import { appRoot } from '../service/app-root';
import { startHere } from '../service/local-service';
import type { Service } from '../service/service';
import type { CommonOptions, Context } from './context';

/** Nobody listens there. */
const NOWHERE = 'redis://127.0.0.1:1';

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

/** Starts the local app so that it can be asked about a migration, or told to cancel it, but reaches neither server. */
export async function startUnconnected(run: RunFolder, options: CommonOptions, context: Context): Promise<Service> {
  const { source, target } = run.record;
  const settings = await gatherSettings(appRoot());
  const nowhere = { [`REDIS_${source.name}`]: NOWHERE, [`REDIS_${target.name}`]: NOWHERE };
  return await start(run, { ...settings, ...nowhere }, options, context);
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
