import type { CursorRange } from '../keyspace/cursor';
import { ExtentWalk } from '../keyspace/extent-walk';
import { FileError } from '../files/file-error';
import type { FileStore } from '../files/file-store';
import { ByteReader, EndsTooEarlyError } from '../payload/byte-reader';
import { payloadOf, readHead, readRecord, type FileRecord, type KeyRecord } from '../payload/read-record';
import type { Extent, SourceFile } from '../payload/source-file';
import { typeNameOf } from '../payload/type-names';
import { FilePort } from './file-port';
import type { PageReader, Payload, ReadKeys, ReadLimits, ScannedKeys } from './page-reader';

/** Read at once, and once more ahead. */
const WINDOW_BYTES = 262_144;
/** Of the keys that were named last, so many are known to expire: those that may be looked at again. */
const MOST_EXPIRIES = 100_000;

interface Entry {
  readonly record: KeyRecord;
  readonly payload: Payload;
}

interface Found {
  readonly end: number;
  readonly entry: Entry;
}

/** Where the file of a range is. */
export interface FilePlace {
  readonly store: Pick<FileStore, 'read'>;
  readonly file: string;
  readonly source: SourceFile;
}

/** Reads a range of an RDB file, a page after the other. Cursors are those of keyspace/extent-walk. */
export class FileReader implements PageReader {
  private readonly walk: ExtentWalk;
  private readonly total: number;
  private window: { readonly start: number; readonly bytes: Buffer } = { start: 0, bytes: Buffer.alloc(0) };
  private ahead: { readonly start: number; readonly bytes: Promise<Buffer> } | undefined;
  private readonly largeEnds: ReadonlyMap<number, number>;
  /** The keys of the page that was named last. */
  private page = new Map<Buffer, Entry>();
  private readonly largeKeys = new Map<string, { readonly extent: Extent; readonly type: number }>();
  /** Answers commands about the values of large keys that were met. */
  readonly port = new FilePort(
    (start, length) => this.bytesAt(start, length),
    (key) => this.largeKeys.get(key.toString('latin1'))?.extent,
  );
  /** Keys that expire, and when: those of a range that were met. */
  private readonly expiries = new Map<string, number>();

  constructor(
    private readonly place: FilePlace,
    range: CursorRange,
    private readonly extents: readonly Extent[],
    private readonly limits: Pick<ReadLimits, 'pageBytes'> & { readonly namesOnly?: boolean },
  ) {
    this.total = extents.reduce((sum, [start, end]) => sum + end - start, 0);
    this.walk = new ExtentWalk(range, this.total);
    this.largeEnds = new Map(place.source.large);
  }

  async scan(cursor: bigint, count: number, withTypes: boolean): Promise<ScannedKeys> {
    const { next, entries, micros } = await this.take(cursor, count);
    this.page = new Map(entries.map((entry) => [entry.record.key, entry]));
    for (const { record } of entries) this.note(record);
    const types = withTypes ? entries.map(({ record }) => typeNameOf(record.type)) : [];
    return { next, keys: entries.map(({ record }) => record.key), types, micros };
  }

  read(keys: readonly Buffer[]): Promise<ReadKeys> {
    const entries = keys.map((key) => this.page.get(key));
    const known = entries.filter((entry) => entry !== undefined);
    if (known.length !== keys.length) return Promise.reject(new Error('A key was asked for that is not of the page.'));
    return Promise.resolve(pageOf(known, 0));
  }

  async scanAndRead(cursor: bigint, count: number): Promise<{ next: bigint; page: ReadKeys }> {
    const { next, entries, micros } = await this.take(cursor, count);
    return { next, page: pageOf(entries, micros) };
  }

  /** Large keys of the range, one at a time, with their values. */
  async readWhole(keys: readonly Buffer[], mostBytes: number): Promise<ReadKeys> {
    const entries: Entry[] = [];
    for (const key of keys) {
      const known = this.largeKeys.get(key.toString('latin1'));
      if (known === undefined) throw new Error('A key was asked for that is not a large one of the range.');
      const [start, end] = known.extent;
      if (end - start > mostBytes) {
        entries.push({ record: { kind: 'key', key, type: 0, expiry: 0, valueAt: 0 }, payload: 'big' });
        continue;
      }
      const bytes = await this.bytesAt(start, end - start);
      const record = keyOf(readRecord(new ByteReader(bytes, 0, bytes.length)));
      entries.push({ record, payload: payloadOf(bytes, record, bytes.length, this.place.source.version) });
    }
    return pageOf(entries, 0);
  }

  /** The type byte of a large key, and the bytes of its record; undefined for a key that is none. */
  largeOf(key: Buffer): { readonly type: number; readonly bytes: number } | undefined {
    const known = this.largeKeys.get(key.toString('latin1'));
    return known && { type: known.type, bytes: known.extent[1] - known.extent[0] };
  }

  /** Which of these keys of the range have expired since. */
  expired(keys: readonly Buffer[], now: number): ReadonlySet<number> {
    const places = keys.flatMap((key, i) => {
      const expiry = this.expiries.get(key.toString('latin1')) ?? 0;
      return expiry > 0 && expiry <= now ? [i] : [];
    });
    return new Set(places);
  }

  private async take(cursor: bigint, count: number): Promise<{ next: bigint; entries: Entry[]; micros: number }> {
    const began = performance.now();
    let waited = 0;
    const entries: Entry[] = [];
    let bytes = 0;
    let offset = this.walk.offsetOf(cursor);
    while (offset < this.total && entries.length < count && bytes < this.limits.pageBytes) {
      const { at, left } = this.physical(offset);
      const largeEnd = this.largeEnds.get(at);
      const read = (reader: ByteReader) =>
        largeEnd === undefined ? this.small(reader) : this.large(reader, at, largeEnd);
      let found = this.inWindow(at, left, read);
      if (found === undefined) {
        const asked = performance.now();
        found = await this.readAt(at, left, read);
        waited += performance.now() - asked;
      }
      offset += found.end - at;
      entries.push(found.entry);
      const { payload } = found.entry;
      if (Buffer.isBuffer(payload)) bytes += payload.length;
    }
    const micros = (performance.now() - began - waited) * 1_000;
    return { next: this.walk.cursorAt(offset), entries, micros };
  }

  private small(reader: ByteReader): Found {
    const record = keyOf(readRecord(reader));
    const { namesOnly = false } = this.limits;
    const payload = namesOnly ? 'later' : payloadOf(reader.bytes, record, reader.at, this.place.source.version);
    return { end: this.window.start + reader.at, entry: { record, payload } };
  }

  /** Of a large record only the name is read. */
  private large(reader: ByteReader, at: number, end: number): Found {
    const record = keyOf(readHead(reader));
    this.largeKeys.set(record.key.toString('latin1'), { extent: [at, end], type: record.type });
    return { end, entry: { record, payload: 'big' } };
  }

  /** Reads at a place; undefined where the window does not hold all that is read. */
  private inWindow<T>(at: number, left: number, read: (reader: ByteReader) => T): T | undefined {
    const { start, bytes } = this.window;
    if (at < start || at >= start + bytes.length) return undefined;
    try {
      return read(new ByteReader(bytes, at - start, Math.min(bytes.length, at - start + left)));
    } catch (error) {
      if (error instanceof EndsTooEarlyError) return undefined;
      throw error;
    }
  }

  /** The same with more and more of the `left` bytes in the window. @throws EndsTooEarlyError where they are not enough */
  private async readAt<T>(at: number, left: number, read: (reader: ByteReader) => T): Promise<T> {
    for (;;) {
      const now = this.inWindow(at, left, read);
      if (now !== undefined) return now;
      const { start, bytes } = this.window;
      const have = at < start ? 0 : Math.max(0, start + bytes.length - at);
      if (have >= left) throw new EndsTooEarlyError();
      await this.fill(at, have === 0 ? 1 : Math.min(left, 2 * Math.max(have, WINDOW_BYTES)), left);
    }
  }

  private note({ key, expiry }: KeyRecord): void {
    if (expiry === 0) return;
    this.expiries.set(key.toString('latin1'), expiry);
    if (this.expiries.size <= MOST_EXPIRIES) return;
    const [oldest] = this.expiries.keys();
    if (oldest !== undefined) this.expiries.delete(oldest);
  }

  /** Where a place of the range stands in the file, and how many bytes there are from there on without a gap. */
  private physical(offset: number): { readonly at: number; readonly left: number } {
    let before = 0;
    for (const [start, end] of this.extents) {
      if (offset < before + end - start) return { at: start + offset - before, left: end - start - (offset - before) };
      before += end - start;
    }
    throw new Error('A place is behind the end of its range.');
  }

  /** Has the window hold `least` bytes from a place on, and mostly more, up to `left`. */
  private async fill(at: number, least: number, left: number): Promise<void> {
    const { start, bytes } = this.window;
    if (at >= start && at + least <= start + bytes.length) return;
    const { ahead } = this;
    const length = Math.min(left, Math.max(least, WINDOW_BYTES));
    const kept = at >= start && at < start + bytes.length ? bytes.subarray(at - start) : Buffer.alloc(0);
    const from = at + kept.length;
    const isAhead = ahead?.start === from;
    this.ahead = undefined;
    const more = isAhead ? await ahead.bytes : await this.bytesAt(from, length - kept.length);
    this.window = { start: at, bytes: kept.length === 0 ? more : Buffer.concat([kept, more]) };
    if (isAhead && this.window.bytes.length < least) {
      const rest = await this.bytesAt(at + this.window.bytes.length, least - this.window.bytes.length);
      this.window = { start: at, bytes: Buffer.concat([this.window.bytes, rest]) };
    }
    const next = at + this.window.bytes.length;
    const leftThen = at + left - next;
    if (leftThen <= 0) return;
    const reading = this.bytesAt(next, Math.min(leftThen, WINDOW_BYTES));
    reading.catch(() => undefined);
    this.ahead = { start: next, bytes: reading };
  }

  private async bytesAt(start: number, length: number): Promise<Buffer> {
    const { store, file, source } = this.place;
    const bytes = await store.read(file, source.etag, start, length);
    if (bytes.length < length) throw new FileError('broken', file);
    return bytes;
  }
}

/** In the places of a plan nothing but keys stands. */
function keyOf(record: FileRecord): KeyRecord {
  if (record.kind !== 'key') throw new Error('The file is another one than was planned with.');
  return record;
}

function pageOf(entries: readonly Entry[], micros: number): ReadKeys {
  const payloads = entries.map(({ payload }) => payload);
  return {
    keys: entries.map(({ record }) => record.key),
    expiries: entries.map(({ record }) => record.expiry),
    payloads,
    bytes: payloads.reduce((sum, payload) => sum + (Buffer.isBuffer(payload) ? payload.length : 0), 0),
    micros,
  };
}
