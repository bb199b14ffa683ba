import { orStopped, pause, type StopSignal } from '../migration/stop';
import type { NotedKeys } from '../convert/file-keys';
import type { FileDatabase } from '../payload/source-file';
import { FileReader, type FileLimits, type FilePlace } from './file-reader';
import { KeyTable, type KeptOfKeys } from './key-table';

/** What all tables of a process may take together: of names, as many keys as a plan lets be looked for (migration/file-facts.ts). */
const MOST_BYTES = 192 * 1_048_576;
/** One that was not asked for so long gives way to another, ms. */
const IDLE_MS = 10_000;
const LOOK_MS = 100;
const PAGE_KEYS = 2_000;
const PAGE_BYTES = 4_194_304;

interface Kept {
  readonly bytes: number;
  readonly table: Promise<KeyTable>;
  usedAt: number;
  isMade: boolean;
}

/** What is to be known of all keys of one database of a file. */
export interface TableOfFile {
  /** Of the file, of its version, and of what is kept. */
  readonly id: string;
  readonly bytes: number;
  /** @throws FileError */
  readonly make: () => Promise<KeyTable>;
}

/**
 * What is known of the keys of files, to be asked for any by name, as one asks a server: each is read once and kept as long as it is used
 * and there is room.
 */
export class FileTables {
  private readonly kept = new Map<string, Kept>();

  /** @param mostBytes one that is larger is let through alone */
  constructor(
    private readonly mostBytes = MOST_BYTES,
    private readonly idleMs = IDLE_MS,
  ) {}

  /** Waits for room. @throws StoppedError, FileError */
  async of({ id, bytes, make }: TableOfFile, stop: StopSignal): Promise<KeyTable> {
    for (;;) {
      const known = this.kept.get(id);
      if (known !== undefined) return await this.use(known, stop);
      if (this.makeRoom(bytes)) break;
      await pause(LOOK_MS, stop);
    }
    const table = make();
    const kept: Kept = { bytes, table, usedAt: performance.now(), isMade: false };
    this.kept.set(id, kept);
    table.then(
      () => {
        kept.isMade = true;
        kept.usedAt = performance.now();
      },
      () => this.kept.delete(id),
    );
    return await this.use(kept, stop);
  }

  private async use(kept: Kept, stop: StopSignal): Promise<KeyTable> {
    const table = await orStopped(kept.table, stop);
    kept.usedAt = performance.now();
    return table;
  }

  /** Lets go of what is idle, the longest first. @returns whether there is room then */
  private makeRoom(bytes: number): boolean {
    const idle = [...this.kept]
      .filter(([, { isMade, usedAt }]) => isMade && performance.now() - usedAt >= this.idleMs)
      .sort(([, one], [, other]) => one.usedAt - other.usedAt);
    const fits = () => this.kept.size === 0 || this.bytes + bytes <= this.mostBytes;
    for (const [id] of idle) {
      if (fits()) break;
      this.kept.delete(id);
    }
    return fits();
  }

  private get bytes(): number {
    return [...this.kept.values()].reduce((sum, each) => sum + each.bytes, 0);
  }
}

/** The names of all keys of a database: what a server tells by EXISTS. */
export function namesTable(file: string, place: FilePlace, database: number): TableOfFile {
  const kept = { expiries: place.source.expiring > 0, notes: false };
  const keys = databaseOf(place, database)?.keys ?? 0;
  return tableOf(
    `names ${idOf(file, place, database)}`,
    place,
    database,
    keys,
    kept,
    () => false,
    () => 0,
  );
}

/** What converters must know of keys beside those that they convert. */
export function notesTable(file: string, place: FilePlace, database: number, noted: NotedKeys): TableOfFile {
  const kept = { expiries: place.source.expiring > 0, notes: true };
  const count = databaseOf(place, database)?.noted ?? 0;
  const id = `notes ${idOf(file, place, database)} ${noted.id}`;
  return tableOf(
    id,
    place,
    database,
    count,
    kept,
    (key) => noted.concerns(key),
    (key, type, payload) => (noted.concerns(key) ? noted.note(key, type, payload) : undefined),
  );
}

function idOf(file: string, { source }: FilePlace, database: number): string {
  return `${database} ${file} ${source.etag}`;
}

function databaseOf({ source }: FilePlace, database: number): FileDatabase | undefined {
  return source.databases.find((each) => each.database === database);
}

type NoteOf = (key: Buffer, type: string, payload: Buffer | undefined) => number | undefined;

function tableOf(
  id: string,
  place: FilePlace,
  database: number,
  most: number,
  kept: KeptOfKeys,
  wantsValue: NonNullable<FileLimits['wantsValue']>,
  noteOf: NoteOf,
): TableOfFile {
  const make = async () => {
    const table = new KeyTable(most, kept);
    if (most === 0) return table;
    for (const extents of databaseOf(place, database)?.ranges ?? []) {
      const reader = new FileReader(place, { index: 0, bits: 0 }, extents, { pageBytes: PAGE_BYTES, wantsValue });
      for (let cursor = 0n, isOver = extents.length === 0; !isOver; isOver = cursor === 0n) {
        const { next, keys, types } = await reader.scan(cursor, PAGE_KEYS, true);
        const page = await reader.read(keys);
        keys.forEach((key, i) => {
          const payload = page.payloads[i];
          const note = noteOf(key, types[i] ?? '', Buffer.isBuffer(payload) ? payload : undefined);
          if (note !== undefined) table.add(key, page.expiries[i] ?? 0, note);
        });
        cursor = next;
      }
    }
    return table;
  };
  return { id, bytes: KeyTable.bytesFor(most, kept), make };
}
