import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { processIdentity } from '../../local/process-identity';

interface HostFile {
  readonly url: string;
  readonly pid: number;
  readonly identity: string | undefined;
}

const FILE = 'host.json';

/** Lets other processes find the local app that works on a folder. */
export async function announceHost(folder: string, url: string): Promise<void> {
  const { pid } = process;
  await writeFile(path.join(folder, FILE), JSON.stringify({ url, pid, identity: processIdentity(pid) }), {
    mode: 0o600,
  });
}

export async function withdrawHost(folder: string): Promise<void> {
  await rm(path.join(folder, FILE), { force: true });
}

/** The local app that works on a folder in another process; undefined where none does. */
export async function liveHost(folder: string): Promise<{ url: string; pid: number } | undefined> {
  try {
    const { url, pid, identity } = JSON.parse(await readFile(path.join(folder, FILE), 'utf8')) as HostFile;
    return processIdentity(pid) === identity && identity !== undefined ? { url, pid } : undefined;
  } catch {
    return undefined;
  }
}
