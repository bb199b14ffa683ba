import type { FoundServer } from './found-server';
import { identify } from './found-server';
import type { OnProgress } from './install-servers';
import { installedServer, installServers } from './install-servers';
import type { ServerName } from './server-names';
import { satisfies, serverNames } from './server-names';

/**
 * How to start the server of this name: the program named by REDIS_SERVER or on the PATH if its version fits (same
 * major.minor), otherwise from the packages unpacked before. Undefined where there is none.
 * @throws Error where REDIS_SERVER names something that is no server.
 */
export async function findServer(want: ServerName): Promise<FoundServer | undefined> {
  const own = (await machineServers()).find((server) => satisfies(want, server));
  return own ?? (await installedServer(want));
}

/** Like `findServer`, for whoever takes any version: the machine's own server first, then any unpacked one. */
export async function findAnyServer(): Promise<FoundServer | undefined> {
  const [own] = await machineServers();
  if (own !== undefined) return own;
  for (const name of serverNames) {
    const installed = await installedServer(name);
    if (installed !== undefined) return installed;
  }
  return undefined;
}

/**
 * Like `findServer`, bringing the server from Debian packages where it is not there yet.
 * @throws Error with the reason and what to do where that is not possible.
 */
export async function ensureServer(want: ServerName, onProgress?: OnProgress): Promise<FoundServer> {
  const found = await findServer(want);
  if (found !== undefined) return found;
  await installServers([want], onProgress);
  const installed = await installedServer(want);
  if (installed === undefined) throw new Error(`${want} is not there although it was unpacked`);
  return installed;
}

async function machineServers(): Promise<FoundServer[]> {
  const found: FoundServer[] = [];
  const named = process.env.REDIS_SERVER;
  if (named !== undefined && named !== '') {
    try {
      found.push(await identify({ command: named, args: [], env: {}, origin: 'REDIS_SERVER' }));
    } catch (error) {
      throw new Error(`REDIS_SERVER is set to ${named}, which cannot be used: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
  for (const command of ['redis-server', 'valkey-server']) {
    const server = await identify({ command, args: [], env: {}, origin: 'PATH' }).catch(() => undefined);
    if (server !== undefined) found.push(server);
  }
  return found;
}
