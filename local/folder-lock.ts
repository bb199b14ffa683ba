import { mkdir, open, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
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
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      const handle = await open(file, 'wx');
      await handle.writeFile(mine);
      await handle.close();
      return async () => {
        await rm(file, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = await readHolder(file);
    if (holder && processIdentity(holder.pid) === holder.identity) {
      throw new Error(`The folder ${folder} is in use by process ${holder.pid}. End it, or choose another folder.`);
    }
    await rm(file, { force: true });
  }
  throw new Error(`The folder ${folder} cannot be locked.`);
}

async function readHolder(file: string): Promise<{ pid: number; identity: string } | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as { pid: number; identity: string };
  } catch {
    return undefined;
  }
}
