import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { PackageSource } from './debian-packages';
import { openDebianRelease } from './debian-packages';
import type { FoundServer } from './found-server';
import { identify, inFolder } from './found-server';
import { serversFolder } from './repository-root';
import type { ServerName } from './server-names';
import { debianServers } from './server-names';

const stampName = 'keyferry-server.json';

/** Told what is being done, one line at a time. */
export type OnProgress = (line: string) => void;

/** The server of this name among the unpacked packages, or undefined where it has not been unpacked. */
export async function installedServer(name: ServerName, below = serversFolder()): Promise<FoundServer | undefined> {
  const folder = join(below, name);
  const stamp = await readFile(join(folder, stampName), 'utf8').catch(() => undefined);
  if (stamp === undefined) return undefined;
  const { flavour, version } = JSON.parse(stamp) as Pick<FoundServer, 'flavour' | 'version'>;
  return { ...(await inFolder(folder, debianServers[name].binary)), flavour, version };
}

/**
 * Downloads the named servers from a Debian mirror and unpacks them, each into its own folder below `.redis/`; nothing is
 * installed and no root is needed. What is there already is left alone. Several processes may do it at the same time: each
 * works in a folder of its own, and a finished server appears under its name in one step.
 * @throws Error saying what failed, with the tools' own words, and what to do instead.
 */
export async function installServers(
  names: readonly ServerName[],
  onProgress: OnProgress = () => undefined,
  below = serversFolder(),
): Promise<void> {
  const missing: ServerName[] = [];
  for (const name of new Set(names)) if ((await installedServer(name, below)) === undefined) missing.push(name);
  if (missing.length === 0) return;
  const work = join(below, `.work-${process.pid}-${randomBytes(4).toString('hex')}`);
  await mkdir(work, { recursive: true });
  try {
    const releases = new Map<string, PackageSource>();
    for (const name of missing) {
      const { suite } = debianServers[name];
      let release = releases.get(suite);
      if (release === undefined) {
        onProgress(`Fetching the package index of Debian ${suite}`);
        release = await openDebianRelease(suite, work);
        releases.set(suite, release);
      }
      onProgress(`Downloading and unpacking ${name}`);
      await installOne(name, release, work, below);
    }
  } catch (error) {
    throw new Error(explain(missing, error as NodeJS.ErrnoException), { cause: error });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function installOne(name: ServerName, release: PackageSource, work: string, below: string): Promise<void> {
  const { binary, packages } = debianServers[name];
  const unpacked = join(work, name);
  await mkdir(unpacked);
  const files = await release.unpack(packages, unpacked);
  const { flavour, version } = await identify(await inFolder(unpacked, binary));
  await writeFile(join(unpacked, stampName), `${JSON.stringify({ flavour, version, packages: files }, null, 2)}\n`);
  const target = join(below, name);
  try {
    await rename(unpacked, target);
  } catch (error) {
    // Another process was faster; what it put there is complete, because it appeared in one step.
    if (!existsSync(join(target, stampName))) throw error;
  }
}

function explain(names: readonly ServerName[], error: NodeJS.ErrnoException): string {
  const reason = error.code === 'ENOENT' ? 'this machine has no apt-get or no dpkg' : error.message;
  return [
    `No Redis server: ${names.join(', ')} could not be brought from Debian packages: ${reason}`,
    'Install a Redis or Valkey server (for example: apt-get install redis-server, or: brew install redis)',
    'so that redis-server is on the PATH, or set REDIS_SERVER to its program.',
  ].join('\n');
}
