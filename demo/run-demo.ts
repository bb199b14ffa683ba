import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Context } from '../cli/commands/context';
import { migrate } from '../cli/commands/migrate';
import { render } from '../cli/display/accounting';
import { count, duration } from '../cli/display/words';
import { InterruptedError } from '../cli/interruption';
import type { ServerName } from '../local/servers/server-names';
import { startServer, type RunningServer } from '../local/servers/start-server';
import { serverFor, startSource } from './demo-servers';
import { fillServer } from './generate';
import { keysByDatabase } from './server-counts';

export interface DemoOptions {
  readonly keys: number;
  readonly snapshot?: boolean;
  readonly keep?: boolean;
  readonly source: ServerName;
  readonly target: ServerName;
  readonly verbose?: boolean;
}

/**
 * Brings two servers, fills one, migrates it into the other as `keyferry migrate` does, and asks both what they hold.
 * Servers and data are gone afterwards.
 * @returns the migration's exit code
 */
export async function runDemo(options: DemoOptions, context: Context): Promise<number> {
  const folder = await mkdtemp(path.join(tmpdir(), 'keyferry-demo-'));
  const servers: RunningServer[] = [];
  try {
    const [source, target] = await bringServers(options, context, folder, servers);
    if (options.snapshot !== true) await fill(source, options.keys, context);
    const code = await migrate(
      {
        source: source.url,
        target: target.url,
        data: path.join(folder, 'data'),
        wait: true,
        verbose: options.verbose ?? false,
      },
      { ...context, throwaway: true },
    );
    if (context.interruption.happened) return code;
    await compare(source, target, context);
    if (options.keep === true) await keepRunning(source, target, context);
    return code;
  } finally {
    await Promise.all(servers.map((server) => server.kill()));
    await rm(folder, { recursive: true, force: true });
  }
}

/** Servers are added to `servers` as they start, so that they are ended whatever happens. */
async function bringServers(
  options: DemoOptions,
  { display, interruption }: Context,
  folder: string,
  servers: RunningServer[],
): Promise<[RunningServer, RunningServer]> {
  const say = (line: string): void => {
    display.note(`${line} …`);
  };
  const from = await interruption.race(serverFor(options.source, say));
  const to = await interruption.race(serverFor(options.target, say));
  const source = await startSource(from, options.snapshot ?? false, folder);
  servers.push(source);
  const target = await startServer(to);
  servers.push(target);
  display.note(`Source: ${source.flavour} ${source.version} at ${source.url}`);
  display.note(`Target: ${target.flavour} ${target.version} at ${target.url}`);
  return [source, target];
}

async function fill(source: RunningServer, keys: number, { display, interruption }: Context): Promise<void> {
  display.note(`Filling the source with ${count(keys)} keys of all types …`);
  const filled = fillServer({
    url: source.url,
    keys,
    onProgress: (done, total) => {
      display.progress({ percent: (done / total) * 100, words: [`${count(done)} of ${count(total)} keys written`] });
    },
  });
  const { milliseconds } = await interruption.race(filled);
  display.note(`Filled in ${duration(milliseconds / 1_000)}.`);
}

async function compare(source: RunningServer, target: RunningServer, { display }: Context): Promise<void> {
  const [there, here] = await Promise.all([keysByDatabase(source.url), keysByDatabase(target.url)]);
  const databases = [...new Set([...there.keys(), ...here.keys()])].sort((a, b) => a - b);
  const rows = databases.map((database) => [
    String(database),
    count(there.get(database) ?? 0),
    count(here.get(database) ?? 0),
  ]);
  display.print('What the servers themselves say:');
  display.print(render(rows, ['database', 'keys on the source', 'keys on the target'], 'right'));
}

async function keepRunning(
  source: RunningServer,
  target: RunningServer,
  { display, interruption }: Context,
): Promise<void> {
  display.note(`Both servers run until Ctrl-C: ${source.url} and ${target.url}`);
  try {
    for (;;) await interruption.sleep(60_000);
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
  }
}
