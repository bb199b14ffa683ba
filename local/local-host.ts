import path from 'node:path';
import { launchAzurite, type Azurite } from './azurite';
import type { FunctionHost, FunctionListing } from './function-host';
import { lockFolder } from './folder-lock';
import { readMasterKey } from './http/master-key';
import type { Logger } from './logger';
import { withoutProxyForLoopback } from './loopback';
import { checkPort } from './ports';

export interface LocalHostOptions {
  /** The folder with package.json, whose "main" is a glob over the built function files, and host.json. */
  appRoot: string;
  /** Port on 127.0.0.1; 0 takes a free one. */
  port: number;
  /** Where Azurite's data and the host's own files are; made when missing. One host a folder. */
  dataFolder: string;
  /** An Azure Storage account or a running Azurite to use, instead of an Azurite of its own. */
  storageConnectionString?: string;
  /** App settings, put into process.env as the Functions host does. */
  settings?: Record<string, string>;
  /**
   * As every host in Azure: others may work on the same storage, so that what this one had when it was killed stays leased and
   * locked for as long as there. Otherwise the next host over the folder goes on with it at once. So by
   * default where `storageConnectionString` is given.
   */
  oneOfSeveral?: boolean;
  log: Logger;
}

/** What is to be said when a host's storage is lost. */
export const STORAGE_LOST =
  'The storage emulator has ended by itself; up to five seconds of what it had not yet written are lost.';

export interface LocalHost {
  /** http://127.0.0.1:port */
  url: string;
  functions: FunctionListing[];
  /** Resolves when its Azurite has ended by itself: nothing goes on, and nothing is to be waited for. */
  lost: Promise<void>;
  /** Takes nothing new, waits for what runs (5 s at most), runs the app's terminate hooks, ends Azurite. */
  close(): Promise<void>;
}

/**
 * Runs a function app on this machine, in this process: HTTP, queues, timers and Durable Functions over Azurite. What
 * was under way when an earlier host over the same data folder ended or was killed goes on.
 * @throws Error when the port or the folder is taken, the app does not load, or a function has a trigger this host
 * does not know
 */
export async function startLocalHost(options: LocalHostOptions): Promise<LocalHost> {
  await checkPort(options.port);
  const dataFolder = path.resolve(options.dataFolder);
  const unlock = await lockFolder(dataFolder);
  const given = options.storageConnectionString;
  let azurite: Promise<Azurite> | undefined;
  let host: FunctionHost | undefined;
  const end = async () => {
    await host?.close();
    await (await azurite?.catch(() => undefined))?.close();
    await unlock();
  };
  try {
    // It starts while the app loads, which takes about as long.
    if (given === undefined) azurite = (await launchAzurite(dataFolder, options.log)).ready;
    const connectionString = connectionStringOf(given, azurite);
    // Whoever asks for it hears of that.
    connectionString.catch(() => undefined);
    const oneOfSeveral = options.oneOfSeveral ?? given !== undefined;
    Object.assign(process.env, options.settings, {
      ...withoutProxyForLoopback(process.env),
      FUNCTIONS_WORKER_RUNTIME: 'node',
      AZURE_FUNCTIONS_ENVIRONMENT: process.env.AZURE_FUNCTIONS_ENVIRONMENT ?? 'Development',
    });
    const { FunctionHost } = await import('./function-host.js');
    host = await FunctionHost.start({
      appRoot: path.resolve(options.appRoot),
      port: options.port,
      connectionString,
      leaseFile: oneOfSeveral ? undefined : path.join(dataFolder, 'leases.json'),
      oneOfSeveral,
      masterKey: await readMasterKey(dataFolder),
      log: options.log,
    });
    return {
      url: host.url,
      functions: host.listing,
      lost: (await azurite)?.lost ?? new Promise(() => undefined),
      close: end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** What the app finds in its settings, once that storage answers. */
async function connectionStringOf(given: string | undefined, azurite: Promise<Azurite> | undefined): Promise<string> {
  const connectionString = given ?? (await azurite)?.connectionString ?? '';
  process.env.AzureWebJobsStorage = connectionString;
  return connectionString;
}
