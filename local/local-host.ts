import path from 'node:path';
import { startAzurite, type Azurite } from './azurite';
import { FunctionHost, type FunctionListing } from './function-host';
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
  let azurite: Azurite | undefined;
  try {
    if (options.storageConnectionString === undefined) azurite = await startAzurite(dataFolder, options.log);
    const oneOfSeveral = options.oneOfSeveral ?? options.storageConnectionString !== undefined;
    const connectionString = options.storageConnectionString ?? azurite?.connectionString ?? '';
    Object.assign(process.env, options.settings, {
      ...withoutProxyForLoopback(process.env),
      AzureWebJobsStorage: connectionString,
      FUNCTIONS_WORKER_RUNTIME: 'node',
      AZURE_FUNCTIONS_ENVIRONMENT: process.env.AZURE_FUNCTIONS_ENVIRONMENT ?? 'Development',
    });
    const host = await FunctionHost.start({
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
      lost: azurite?.lost ?? new Promise(() => undefined),
      close: async () => {
        await host.close();
        await azurite?.close();
        await unlock();
      },
    };
  } catch (error) {
    await azurite?.close();
    await unlock();
    throw error;
  }
}
