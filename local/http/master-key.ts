import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import path from 'node:path';

/** The file of the data folder that holds the master key; only its owner can read it. */
export const MASTER_KEY_FILE = 'master-key';

/** The master key of the host over this data folder, made when there is none. */
export async function readMasterKey(dataFolder: string): Promise<string> {
  await mkdir(dataFolder, { recursive: true });
  const file = path.join(dataFolder, MASTER_KEY_FILE);
  try {
    // Never over one that is there.
    await writeFile(file, `${randomBytes(32).toString('base64url')}\n`, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const key = (await readFile(file, 'utf8')).trim();
  if (key === '') throw new Error(`The file ${file} holds no key. Delete it, and a new one is made.`);
  return key;
}

/** Whether a request carries the key, in the header `x-functions-key` or as `?code=`, as the Functions host takes it. */
export function carriesKey(request: IncomingMessage, key: string): boolean {
  const header = request.headers['x-functions-key'];
  const given = header ?? new URL(request.url ?? '/', 'http://127.0.0.1').searchParams.get('code');
  return typeof given === 'string' && timingSafeEqual(hash(given), hash(key));
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
