import type { Redis } from 'ioredis';
import type { ServerName } from '../../local/servers/server-names';
import type { StartOptions } from '../../local/servers/start-server';
import { AppProcess } from './app-process';
import { compareServers as compareInDetail, type CompareOptions } from './compare-servers';
import { makeTestApp, type TestApp } from './test-app';
import { startTestServer, type TestServer } from './test-server';
import { startTestStorage, type TestStorage } from './test-storage';

/** One side of a migration. */
export type Side = TestServer;

/** The servers, storage and apps of one test file, all ended by `clear`. */
export class Stage {
  private readonly ends: (() => Promise<unknown>)[] = [];
  private storages: Promise<TestStorage> | undefined;

  /** A server whose client waits for it as long as it must: tests restart servers. */
  async side(name: ServerName, options: StartOptions = {}): Promise<Side> {
    const side = await startTestServer(name, options, {
      retryStrategy: () => 50,
      maxRetriesPerRequest: null,
      protocol: 2,
    });
    this.ends.push(() => side.close());
    return side;
  }

  /** The storage of this file, begun when it is first asked for. */
  storage(): Promise<TestStorage> {
    this.storages ??= startTestStorage().then((storage) => {
      this.ends.push(() => storage.close());
      return storage;
    });
    return this.storages;
  }

  /** An app without functions around it, over the storage of this file. */
  async testApp(
    sides: Readonly<Record<string, Side>>,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<TestApp> {
    const { connectionString } = await this.storage();
    const app = await makeTestApp({
      AzureWebJobsStorage: connectionString,
      ...this.connections(sides),
      ...settings,
    });
    this.ends.push(() => {
      app.connections.close();
      return Promise.resolve();
    });
    return app;
  }

  /** The built app in a process of its own, with storage of its own. */
  async app(settings: Readonly<Record<string, string>>): Promise<AppProcess> {
    const app = await AppProcess.start(settings);
    this.ends.push(() => app.remove());
    return app;
  }

  /** Writes to a server over and over, on a connection of its own, until it is stopped. */
  writer(side: Side, write: (client: Redis) => Promise<unknown>): { stop(): Promise<void> } {
    const client = side.client.duplicate();
    let stopped = false;
    const hasStopped = () => stopped;
    const running = (async () => {
      for (; !hasStopped();) {
        await write(client);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    const stop = async () => {
      stopped = true;
      await running.finally(() => {
        client.disconnect();
      });
    };
    this.ends.push(() => stop().catch(() => undefined));
    return { stop };
  }

  /** The settings that name servers to the app. */
  connections(sides: Readonly<Record<string, Side>>): Record<string, string> {
    return Object.fromEntries(Object.entries(sides).map(([name, { server }]) => [`REDIS_${name}`, server.url]));
  }

  /** Ends all, the last started first. */
  async clear(): Promise<void> {
    for (let end = this.ends.pop(); end !== undefined; end = this.ends.pop()) await end();
  }
}

/** The server's own hash over all keys, values and expiries of all databases. */
export async function digest({ client }: Side): Promise<string> {
  return String(await client.call('DEBUG', 'DIGEST'));
}

/** The same where keys have expired: a server counts those that it has not reaped yet, and a walk over all reaps them. */
export async function digestOfLiving(side: Side): Promise<string> {
  const { client } = side;
  for (const [, database = '0'] of (await client.info('keyspace')).matchAll(/^db(\d+):/gm)) {
    await client.select(database);
    let cursor = '0';
    do [cursor] = await client.scan(cursor, 'COUNT', 1_000);
    while (cursor !== '0');
  }
  await client.select(0);
  return await digest(side);
}

/** How often a server ran a command, also inside scripts. */
export async function callsOf({ client }: Side, command: string): Promise<number> {
  const info = await client.info('commandstats');
  return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(info)?.[1] ?? 0);
}

/**
 * Compares two servers key by key, as the independent comparer does.
 * @param place where a key of the source belongs on the target; undefined: nowhere
 * @param others whether the target may have further keys
 * @returns how many keys of the source belong on the target, and a line for each difference
 */
export async function compareServers(
  source: Side,
  target: Side,
  place?: CompareOptions['expectedAt'],
  others: 'no others' | 'others too' = 'no others',
): Promise<{ keys: number; differences: string[] }> {
  const options = place === undefined ? {} : { expectedAt: place };
  const limit = others === 'others too' ? Infinity : 50;
  const { compared, total, differences } = await compareInDetail(source.server, target.server, { ...options, limit });
  const counted = differences.filter(({ kind }) => kind !== 'extra' || others === 'no others');
  const more = total > differences.length ? [`and ${total - differences.length} more`] : [];
  return { keys: compared, differences: [...counted.map(({ text }) => text), ...more] };
}
