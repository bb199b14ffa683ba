import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { freePort } from '../../local/servers/free-port';

const VERSION = '2.2.8';
const FOLDER = path.join(__dirname, '..', '..', '.garnet');
const run = promisify(execFile);

/**
 * Where Microsoft Garnet is: GARNET_SERVER, or installed once by the .NET SDK into .garnet/; undefined where there is neither.
 * @see https://www.nuget.org/packages/garnet-server
 */
export async function findGarnet(): Promise<string | undefined> {
  const installed = path.join(FOLDER, 'garnet-server');
  const given = process.env.GARNET_SERVER ?? (existsSync(installed) ? installed : undefined);
  if (given !== undefined) return given;
  try {
    await run('dotnet', ['tool', 'install', 'garnet-server', '--version', VERSION, '--tool-path', FOLDER], {
      timeout: 60_000,
    });
    return installed;
  } catch {
    return undefined;
  }
}

/** A running Garnet, with a client to it. */
export interface Garnet {
  readonly url: string;
  readonly client: Redis;
  close(): Promise<void>;
}

/** Starts Garnet with its Lua on a free port. */
export async function startGarnet(program: string): Promise<Garnet> {
  const port = await freePort();
  const memory = ['--memory', '128m', '--index', '16m'];
  const server = spawn(program, ['--port', String(port), '--bind', '127.0.0.1', '--lua', ...memory], {
    stdio: 'ignore',
  });
  const gone = new Promise<void>((resolve) =>
    server.once('exit', () => {
      resolve();
    }),
  );
  const client = new Redis({ port, retryStrategy: () => 100, maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  await Promise.race([
    client.ping(),
    gone.then(() => {
      throw new Error('Garnet ended before it answered.');
    }),
  ]);
  return {
    url: `redis://127.0.0.1:${port}`,
    client,
    close: async () => {
      client.disconnect();
      server.kill();
      await gone;
    },
  };
}
