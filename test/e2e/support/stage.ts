import { Redis } from 'ioredis';
import type { ServerName } from '../../../local/servers/server-names';
import { startServer, type RunningServer, type StartOptions } from '../../../local/servers/start-server';
import { compareServers as compareInDetail, type CompareOptions } from '../../tools/compare-servers';
import { AppProcess } from './app-process';

/** A server with a client for the test's own commands. */
export interface Side {
  readonly server: RunningServer;
  readonly client: Redis;
  /** For tools of the tests, which do not check certificates. */
  readonly where: { readonly url: string };
}

/** The servers and apps of one test file, all ended by `clear`. */
export class Stage {
  private readonly ends: (() => Promise<unknown>)[] = [];

  async side(name: ServerName, options: StartOptions = {}): Promise<Side> {
    const server = await startServer(name, { ...options, args: [...debugAllowed(name), ...(options.args ?? [])] });
    this.ends.push(() => server.kill());
    // Reconnects by itself: tests restart servers.
    const client = new Redis(server.url, {
      retryStrategy: () => 50,
      maxRetriesPerRequest: null,
      protocol: 2,
      ...(options.tls ? { tls: { rejectUnauthorized: false } } : {}),
    });
    client.on('error', () => undefined);
    this.ends.push(() => {
      client.disconnect();
      return Promise.resolve();
    });
    return { server, client, where: { url: server.url } };
  }

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

/** DEBUG is forbidden by default from 7.0. */
function debugAllowed(name: ServerName): string[] {
  return name === 'redis-6.0' ? [] : ['--enable-debug-command', 'yes'];
}

/** The server's own hash over all keys, values and expiries of all databases. */
export async function digest({ client }: Side): Promise<string> {
  return String(await client.call('DEBUG', 'DIGEST'));
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
  const { compared, total, differences } = await compareInDetail(source.where, target.where, { ...options, limit });
  const counted = differences.filter(({ kind }) => kind !== 'extra' || others === 'no others');
  const more = total > differences.length ? [`and ${total - differences.length} more`] : [];
  return { keys: compared, differences: [...counted.map(({ text }) => text), ...more] };
}
