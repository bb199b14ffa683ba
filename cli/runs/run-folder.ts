import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { processIdentity } from '../../local/process-identity';
import type { MigrationReport } from '../../src/migration/report';
import type { GivenConnection } from '../connections/given-connection';

/** One side as it is written down: never a secret. */
export type RememberedSide = Pick<GivenConnection, 'name' | 'file' | 'given' | 'address' | 'url'>;

/** What is known of one local migration beside the app's own data. */
export interface RunRecord {
  readonly version: 1;
  /** Null until the app has given one. */
  readonly id: string | null;
  readonly requestId: string | null;
  readonly source: RememberedSide;
  readonly target: RememberedSide;
  readonly createdAt: string;
  /** What it was asked for; a resumed one of an earlier version tells it by its report. */
  readonly mode?: string;
  /** The migration that leads back since its cut-over: it goes on in the same app. */
  readonly wayBack?: string;
  /** The process that works on it, or did. */
  readonly owner?: ProcessMark;
  /** The migration's document as it was last seen. */
  readonly report: MigrationReport | null;
}

/** One process, told apart from a later one with its number. */
export interface ProcessMark {
  readonly pid: number;
  readonly identity: string | undefined;
}

export function thisProcess(): ProcessMark {
  return { pid: process.pid, identity: processIdentity(process.pid) };
}

const RECORD = 'run.json';

/** The folder of one local migration: the storage of the local app, and what is needed to find and resume it. */
export class RunFolder {
  private constructor(
    readonly folder: string,
    private current: RunRecord,
  ) {}

  static async create(folder: string, record: RunRecord): Promise<RunFolder> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const run = new RunFolder(folder, record);
    await run.write();
    return run;
  }

  /** Undefined where there is none that can be read. */
  static async open(folder: string): Promise<RunFolder | undefined> {
    try {
      const record = JSON.parse(await readFile(path.join(folder, RECORD), 'utf8')) as RunRecord;
      return record.version === (1 as number) ? new RunFolder(folder, record) : undefined;
    } catch {
      return undefined;
    }
  }

  get record(): RunRecord {
    return this.current;
  }

  /** Changes the record and writes it. */
  async update(change: Partial<Omit<RunRecord, 'version'>>): Promise<void> {
    this.current = { ...this.current, ...change };
    await this.write();
  }

  /** Removes it with all that the local app has kept. */
  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  private async write(): Promise<void> {
    const file = path.join(this.folder, RECORD);
    await writeFile(`${file}.new`, `${JSON.stringify(this.current, null, 2)}\n`, { mode: 0o600 });
    await rename(`${file}.new`, file);
  }
}

/** What may be remembered of a connection. */
export function remember({ name, file, given, address, url }: GivenConnection): RememberedSide {
  return { name, ...(file === undefined ? {} : { file }), given, address, ...(url === undefined ? {} : { url }) };
}
