import { copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { ensureServer, findAnyServer } from '../local/servers/find-server';
import type { FoundServer } from '../local/servers/found-server';
import type { OnProgress } from '../local/servers/install-servers';
import { repositoryRoot } from '../local/servers/repository-root';
import type { ServerName } from '../local/servers/server-names';
import { startServer, type RunningServer } from '../local/servers/start-server';

/** What a real Redis 4.0.14 wrote. */
const SNAPSHOT = 'test/fixtures/redis-4.0.14.rdb';

/**
 * The named server, brought from Debian packages if need be; where that is not possible, any other that is there.
 * @throws Error where there is none at all
 */
export async function serverFor(name: ServerName, onProgress: OnProgress): Promise<FoundServer> {
  try {
    return await ensureServer(name, onProgress);
  } catch (error) {
    const other = await findAnyServer();
    if (other === undefined) throw error;
    onProgress(`${name} cannot be brought here; ${other.flavour} ${other.version} takes its place`);
    return other;
  }
}

/** Starts the source, with the snapshot where that is wanted. */
export async function startSource(found: FoundServer, snapshot: boolean, folder: string): Promise<RunningServer> {
  if (!snapshot) return await startServer(found);
  const dataFolder = path.join(folder, 'source');
  await mkdir(dataFolder, { recursive: true });
  await copyFile(path.join(repositoryRoot(), SNAPSHOT), path.join(dataFolder, 'dump.rdb'));
  return await startServer(found, { dataFolder, rdb: 'dump.rdb' });
}
