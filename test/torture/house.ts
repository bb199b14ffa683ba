import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { App } from './app';
import { Storage } from './storage';
import { TcpProxy } from './tcp-proxy';

/** After how long without progress a migration is given up. Seconds. */
export const stallSeconds = 30;

const folders = new Set<string>();
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
});

/** The app with its storage, and its ways to a source and a target, which are others in each scenario. */
export class House {
  private constructor(
    /** For everything that is kept in files while it stands. */
    readonly folder: string,
    readonly app: App,
    readonly storage: Storage,
    readonly proxies: { readonly source: TcpProxy; readonly target: TcpProxy },
  ) {}

  static async open(): Promise<House> {
    const folder = await mkdtemp(path.join(tmpdir(), 'keyferry-torture-'));
    folders.add(folder);
    const [storageFolder, appFolder] = [path.join(folder, 'storage'), path.join(folder, 'app')];
    await Promise.all([storageFolder, appFolder].map((name) => mkdir(name)));
    const storage = await Storage.start(storageFolder);
    const proxies = { source: await TcpProxy.start(), target: await TcpProxy.start() };
    const app = new App(appFolder, {
      AzureWebJobsStorage: storage.connectionString,
      REDIS_OLD: `redis://127.0.0.1:${proxies.source.port}`,
      REDIS_NEW: `redis://127.0.0.1:${proxies.target.port}`,
      KEYFERRY_CHECKPOINT_SECONDS: '0.3',
      KEYFERRY_RANGE_SECONDS: '10',
      KEYFERRY_STALL_SECONDS: String(stallSeconds),
      KEYFERRY_BIG_KEY_MIB: '0.1',
    });
    await app.begin();
    return new House(folder, app, storage, proxies);
  }

  /** Ends everything and removes the data. */
  async close(): Promise<void> {
    await this.app.end('SIGKILL');
    await this.storage.end('SIGKILL');
    await this.storage.closeWays();
    await Promise.all([this.proxies.source.close(), this.proxies.target.close()]);
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
    folders.delete(this.folder);
  }
}
