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
  /** What leads back since a cut-over, each from the one before it: they go on in the same app. */
  readonly waysBack?: readonly WayBackRecord[];
  /** The process that works on it, or did. */
  readonly owner?: ProcessMark;
  /** The migration's document as it was last seen. */
  readonly report: MigrationReport | null;
}

/** A migration that has the old side follow the new one, and its document as it was last seen. */
export interface WayBackRecord {
  readonly id: string;
  readonly report: MigrationReport | null;
}

/** One of the migrations of a folder, as it was last seen. */
export interface SeenMigration {
  /** Null until the app has given one. */
  readonly id: string | null;
  readonly report: MigrationReport | null;
  readonly source: RememberedSide;
  readonly target: RememberedSide;
}

/** The migration that was asked for, then each that leads back from the one before it: with its sides exchanged. */
export function migrationsOf({ id, report, source, target, waysBack = [] }: RunRecord): readonly SeenMigration[] {
  return [{ id, report }, ...waysBack].map((seen, index) =>
    index % 2 === 0 ? { ...seen, source, target } : { ...seen, source: target, target: source },
  );
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
      return record.version === (1 as number) ? new RunFolder(folder, withWaysBack(record)) : undefined;
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

  /** The migration with this id, where it is one of this folder. */
  migration(id: string): SeenMigration | undefined {
    return migrationsOf(this.current).find((seen) => seen.id === id);
  }

  /** Keeps the document of one of its migrations, and the one that leads back from it as soon as it is named there. */
  async saw(report: MigrationReport): Promise<void> {
    const { id, waysBack = [] } = this.current;
    const back = report.live?.cutover?.wayBack?.migration ?? null;
    const known = waysBack.map((way) => (way.id === report.id ? { ...way, report } : way));
    const isNew = back !== null && back !== id && !known.some((way) => way.id === back);
    const ways = isNew ? [...known, { id: back, report: null }] : known;
    await this.update({
      ...(report.id === id ? { report } : {}),
      ...(ways.length === 0 ? {} : { waysBack: ways }),
    });
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

/** As an earlier version wrote it, it names the way back alone. */
function withWaysBack(record: RunRecord & { readonly wayBack?: string }): RunRecord {
  const { wayBack, ...rest } = record;
  return wayBack === undefined ? rest : { waysBack: [{ id: wayBack, report: null }], ...rest };
}

/** What may be remembered of a connection. */
export function remember({ name, file, given, address, url }: GivenConnection): RememberedSide {
  return { name, ...(file === undefined ? {} : { file }), given, address, ...(url === undefined ? {} : { url }) };
}
