import { createHash } from 'node:crypto';
import { mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processIdentity } from './process-identity';

/** In the folder, while a host works on it: {"pid": …, "identity": …}. */
export const LOCK_FILE = 'host.lock';

/**
 * Makes sure that one host uses a data folder at a time. The lock of a process that has died counts no more.
 * @returns a function that gives the folder free
 * @throws Error that names the process that holds the folder
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true });
  const file = path.join(folder, LOCK_FILE);
  const mine = JSON.stringify({ pid: process.pid, identity: processIdentity(process.pid) });
  return await oneAtATime(folder, async () => {
    const holder = await readHolder(file);
    if (holder && processIdentity(holder.pid) === holder.identity) {
      throw new Error(`The folder ${folder} is in use by process ${holder.pid}. End it, or choose another folder.`);
    }
    // Whole at once: whoever reads half of it would take it for that of nobody.
    await writeFile(`${file}.new`, mine);
    await rename(`${file}.new`, file);
    return async () => {
      await rm(file, { force: true });
    };
  });
}

const LOOK_AGAIN_MS = 10;
const PATIENCE_MS = 10_000;

/**
 * Files alone cannot take over what a dead process has left: of two that find it so, the second would remove what the first has just
 * put in its place. So they look one after the other: whoever listens at an abstract socket named by the folder, which goes with its process.
 * Source: unix(7), "abstract". Other systems have none.
 * @throws Error where another process does not come to an end with it
 */
async function oneAtATime<T>(folder: string, work: () => Promise<T>): Promise<T> {
  if (process.platform !== 'linux') return await work();
  const name = createHash('sha256')
    .update(await realpath(folder))
    .digest('hex');
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    const guard = await listenAt(`\0keyferry-folder-${name}`);
    if (guard === undefined) {
      if (Date.now() > until) throw new Error(`The folder ${folder} cannot be locked: another process is at it.`);
      await sleep(LOOK_AGAIN_MS);
      continue;
    }
    try {
      return await work();
    } finally {
      await new Promise((resolve) => guard.close(resolve));
    }
  }
}

/** Undefined where somebody listens there. */
async function listenAt(address: string): Promise<Server | undefined> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(address, () => {
      resolve(server);
    });
  });
}

async function readHolder(file: string): Promise<{ pid: number; identity: string } | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as { pid: number; identity: string };
  } catch {
    return undefined;
  }
}
