import { createHash, randomBytes } from 'node:crypto';
import { FileReader, type FilePlace } from './file-reader';

/** How full the table becomes. */
const LOAD = 0.75;
/** Databases of files that are kept. */
const MOST_KEPT = 2;
const PAGE_KEYS = 2_000;
const PAGE_BYTES = 4_194_304;

/** The names of a file's keys in one database. */
export interface NamesOfFile {
  /** Whether it has a key that is alive at a moment, ms since 1970. */
  has(key: Buffer, now: number): boolean;
}

/**
 * The names of files' keys, to be asked for any: what a server tells by EXISTS. They are read once, and kept as 64 bits of a digest that
 * nobody else knows, with when they expire: 22 bytes of memory for each
 * key, or 11 where none expires. Of a million such files, each asked for millions of keys, one seems to have a key that it lacks.
 */
export class FileNames {
  private readonly kept = new Map<string, Promise<NamesOfFile>>();

  /** @param id of the file, and of its version @throws FileError */
  async of(id: string, place: FilePlace, database: number): Promise<NamesOfFile> {
    const name = `${database} ${id} ${place.source.etag}`;
    const known = this.kept.get(name);
    if (known !== undefined) return await known;
    const reading = readNames(place, database);
    this.kept.set(name, reading);
    const [oldest] = this.kept.keys();
    if (this.kept.size > MOST_KEPT && oldest !== undefined) this.kept.delete(oldest);
    reading.catch(() => this.kept.get(name) === reading && this.kept.delete(name));
    return await reading;
  }
}

async function readNames(place: FilePlace, database: number): Promise<NamesOfFile> {
  const of = place.source.databases.find((each) => each.database === database);
  const table = new NameTable(of?.keys ?? 0, place.source.expiring > 0);
  for (const extents of of?.ranges ?? []) {
    const reader = new FileReader(place, { index: 0, bits: 0 }, extents, { pageBytes: PAGE_BYTES, namesOnly: true });
    for (let cursor = 0n, isOver = extents.length === 0; !isOver; isOver = cursor === 0n) {
      const { next, page } = await reader.scanAndRead(cursor, PAGE_KEYS);
      page.keys.forEach((key, i) => {
        table.add(key, page.expiries[i] ?? 0);
      });
      cursor = next;
    }
  }
  return table;
}

/** Open addressing over two halves of 32 bits. */
class NameTable implements NamesOfFile {
  private readonly upper: Uint32Array;
  private readonly lower: Uint32Array;
  private readonly expiries: Float64Array | undefined;
  private readonly slots: number;
  private readonly secret = randomBytes(16);

  constructor(keys: number, expire: boolean) {
    this.slots = Math.ceil(keys / LOAD) + 1;
    this.upper = new Uint32Array(this.slots);
    this.lower = new Uint32Array(this.slots);
    if (expire) this.expiries = new Float64Array(this.slots);
  }

  add(key: Buffer, expiry: number): void {
    const [upper, lower] = this.digestOf(key);
    const slot = this.slotOf(upper, lower);
    this.upper[slot] = upper;
    this.lower[slot] = lower;
    if (this.expiries !== undefined) this.expiries[slot] = expiry;
  }

  has(key: Buffer, now: number): boolean {
    const [upper, lower] = this.digestOf(key);
    const slot = this.slotOf(upper, lower);
    const expiry = this.expiries?.[slot] ?? 0;
    return this.upper[slot] !== 0 && (expiry === 0 || expiry > now);
  }

  /** Where a digest is, or would be. */
  private slotOf(upper: number, lower: number): number {
    let slot = lower % this.slots;
    while (this.upper[slot] !== 0 && (this.upper[slot] !== upper || this.lower[slot] !== lower)) {
      slot = slot + 1 === this.slots ? 0 : slot + 1;
    }
    return slot;
  }

  /** The upper half is not 0, which marks what is free. */
  private digestOf(key: Buffer): [upper: number, lower: number] {
    const digest = createHash('sha1').update(this.secret).update(key).digest();
    return [digest.readUInt32LE(0) || 1, digest.readUInt32LE(4)];
  }
}
