import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { safeText } from '../../src/basics/safe-text';
import { parseServerVersion } from './server-names';
import { runTool } from './run-tool';

/** A Redis or Valkey server program that can be started. */
export interface FoundServer {
  /** What to execute; the server's own arguments follow `args`. */
  readonly command: string;
  readonly args: readonly string[];
  /** Environment variables on top of this process's. */
  readonly env: Readonly<Record<string, string>>;
  readonly flavour: 'redis' | 'valkey';
  /** For example `7.0.15`. */
  readonly version: string;
  /** Where it was found: the variable REDIS_SERVER, the PATH, or the folder of unpacked packages. */
  readonly origin: 'REDIS_SERVER' | 'PATH' | 'packages';
}

/**
 * Asks a server program for its version.
 * @throws Error (`code` `ENOENT` where there is no such program) where it cannot be run or is no Redis or Valkey server.
 */
export async function identify(how: Pick<FoundServer, 'command' | 'args' | 'env' | 'origin'>): Promise<FoundServer> {
  const said = await runTool(how.command, [...how.args, '--version'], { env: how.env, timeoutMs: 20_000 });
  const parsed = parseServerVersion(said);
  if (parsed === undefined)
    throw new Error(`${how.command} is no Redis or Valkey server: ${safeText(said.trim(), 200)}`);
  return { ...how, ...parsed };
}

/**
 * How to run a server from packages unpacked in `folder`: through its own dynamic loader, with its own libraries,
 * whatever C library the machine has.
 * @throws Error where the loader is not there.
 */
export async function inFolder(
  folder: string,
  binary: string,
): Promise<Pick<FoundServer, 'command' | 'args' | 'env' | 'origin'>> {
  const libraries: string[] = [];
  let loader: string | undefined;
  for (const base of ['usr/lib', 'lib']) {
    for (const triplet of await namesIn(join(folder, base))) {
      if (!/^[^.]+-linux-gnu\w*$/.test(triplet)) continue;
      const path = join(folder, base, triplet);
      libraries.push(path);
      const name = (await namesIn(path)).find((file) => /^ld-linux.*\.so\.\d+$/.test(file));
      if (name !== undefined) loader ??= join(path, name);
    }
  }
  loader ??= await looseLoader(folder);
  if (loader === undefined) throw new Error(`No dynamic loader among the packages unpacked in ${folder}`);
  return {
    command: loader,
    args: ['--library-path', libraries.join(':'), join(folder, binary)],
    // The older packages take cjson and bit from Lua's own folders, by absolute path.
    env: {
      LUA_CPATH: libraries.map((path) => join(path, 'lua/5.1/?.so')).join(';'),
      LUA_PATH: join(folder, 'usr/share/lua/5.1/?.lua'),
    },
    origin: 'packages',
  };
}

async function looseLoader(folder: string): Promise<string | undefined> {
  for (const base of ['usr/lib', 'lib', 'usr/lib64', 'lib64']) {
    const name = (await namesIn(join(folder, base))).find((file) => /^ld-linux.*\.so\.\d+$/.test(file));
    if (name !== undefined) return join(folder, base, name);
  }
  return undefined;
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).sort();
}
