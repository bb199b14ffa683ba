import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, TroubleError } from '../outcome';
import { RunFolder, type RunRecord } from './run-folder';

/**
 * The local migrations of one data folder, each in a folder of its own: an interrupted one must not go on by itself when
 * another one is started, with that one's connections.
 */
export class RunStore {
  constructor(readonly dataFolder: string) {}

  async create(record: Omit<RunRecord, 'version' | 'createdAt' | 'id' | 'report'>): Promise<RunFolder> {
    const now = new Date().toISOString();
    const name = `${now.replace(/\D/g, '').slice(0, 14)}-${randomBytes(4).toString('hex')}`;
    const folder = path.join(this.dataFolder, 'runs', name);
    try {
      await this.ensure();
      return await RunFolder.create(folder, { version: 1, createdAt: now, id: null, report: null, ...record });
    } catch (error) {
      await rm(folder, { recursive: true, force: true }).catch(() => undefined);
      throw new TroubleError(
        `Nothing can be written into the data folder ${this.dataFolder} (${messageOf(error)}). Choose another: --data`,
      );
    }
  }

  /** All of them, newest first. */
  async all(): Promise<RunFolder[]> {
    const runs = path.join(this.dataFolder, 'runs');
    const names = await readdir(runs).catch(() => []);
    const found = await Promise.all(
      names
        .sort()
        .reverse()
        .map((name) => RunFolder.open(path.join(runs, name))),
    );
    return found.filter((run) => run !== undefined);
  }

  async withId(id: string): Promise<RunFolder | undefined> {
    return (await this.all()).find((run) => run.migration(id) !== undefined);
  }

  async withRequestId(requestId: string): Promise<RunFolder | undefined> {
    return (await this.all()).find(({ record }) => record.requestId === requestId);
  }

  private async ensure(): Promise<void> {
    const made = await mkdir(this.dataFolder, { recursive: true });
    if (made !== undefined) await writeFile(path.join(this.dataFolder, '.gitignore'), '*\n');
  }
}
