import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startAzurite } from '../../local/azurite';

/** A real Azurite of its own, with nothing in it. */
export interface TestStorage {
  readonly connectionString: string;
  close(): Promise<void>;
}

const silent = {
  verbose: false,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export async function startTestStorage(): Promise<TestStorage> {
  const folder = await mkdtemp(path.join(tmpdir(), 'keyferry-storage-'));
  const { connectionString, close } = await startAzurite(folder, silent);
  return {
    connectionString,
    close: async () => {
      await close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
