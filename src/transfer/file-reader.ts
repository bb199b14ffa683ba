import type { CursorRange } from '../keyspace/cursor';
import { ExtentWalk } from '../keyspace/extent-walk';
import type { FileKey, TooLargeToRead } from '../convert/file-keys';
import { freeBuffers } from '../basics/free-buffers';
import { Turns } from '../basics/turns';
import { FileError } from '../files/file-error';
import type { FileStore } from '../files/file-store';
import { ByteReader, EndsTooEarlyError } from '../payload/byte-reader';
import {
  isBetweenKeys,
  payloadOf,
  readHead,
  readRecord,
  type FileRecord,
  type KeyRecord,
} from '../payload/read-record';
import type { Extent, SourceFile } from '../payload/source-file';
import { typeNameOf } from '../payload/type-names';
import { ByteWindow } from './byte-window';
import { fewFields } from './few-fields';
import { FilePort } from './file-port';
import type { PageReader, Payload, ReadKeys, ReadLimits, ScannedKeys } from './page-reader';

/** Read at once, and once more ahead. */
const WINDOW_BYTES = 262_144;
/** Of windows that are read, and of what they were put together from, so many bytes and more are given back at once. */
const LEAST_FREED = 65_536;

/**
 * Keys of a page: a file gives them faster than anybody takes them, and what waits takes a kilobyte for each key, however small its value is.
 */
const MOST_KEYS = 500;

/** Of keys that take so many bytes the values may be asked for by their names: no server takes less at once (proto-max-bulk-len). */
const LEAST_KNOWN = 524_288;

interface Entry {
  readonly record: KeyRecord;
  readonly payload: Payload;
  readonly extent: Extent;
}

/** Where the file of a range is. */
export interface FilePlace {
  readonly store: Pick<FileStore, 'read'>;
  readonly file: string;
  readonly source: SourceFile;
}

/** What is read of a range. */
export interface FileLimits extends Pick<ReadLimits, 'pageBytes'> {
  /** Of other keys no values are read; of all where it is missing. */
  readonly wantsValue?: (key: Buffer) => boolean;
  /** Of these keys the values may be asked for again. */
  readonly readsAgain?: (key: Buffer) => boolean;
  /** A page ends behind a large key: what becomes of it is held as long as the page. */
  readonly endsBehindLarge?: boolean;
  /** Called before bytes are read that commands ask for. Throws when the work must end. */
  readonly goOn?: () => void;
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
  /** Those that are large, and those that a target may not take at once. */
  private readonly largeKeys = new Map<string, { readonly extent: Extent; readonly type: number }>();
  /** Answers commands about the values of large keys that were met. */
  readonly port: FilePort;
  /**
   * What may be asked again of keys, as long as somebody has them: by the very buffers of their names. Of those that are named alone when
   * they expire, of all that are read again; for each key it costs more than all else that is done here.
   */
  private readonly met = new WeakMap<Buffer, { readonly extent: Extent; readonly expiry: number }>();
  /** The window is read, filled and given back by one at a time. */
  private readonly turns = new Turns(1);

  constructor(
    private readonly place: FilePlace,
    range: CursorRange,
    private readonly extents: readonly Extent[],
    private readonly limits: FileLimits,
  ) {
    this.total = extents.reduce((sum, [start, end]) => sum + end - start, 0);
    this.walk = new ExtentWalk(range, this.total);
    this.largeEnds = new Map(place.source.large);
    this.port = new FilePort(
      (start, length) => {
        limits.goOn?.();
        return this.bytesAt(start, length);
      },
      (key) => this.largeKeys.get(key.toString('latin1'))?.extent,
      place.source.packedBytes !== undefined,
    );
  }

  async scan(cursor: bigint, count: number, withTypes: boolean): Promise<ScannedKeys> {
    const { next, entries, micros } = await this.take(cursor, count);
    for (const { record, extent } of entries) {
      const { key, expiry } = record;
      if (expiry !== 0) this.met.set(key, { extent, expiry });
    }
    this.page = new Map(entries.map((entry) => [entry.record.key, entry]));
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
      const { extent } = known;
      const [start, end] = extent;
      if (end - start > mostBytes) {
        entries.push({ record: { kind: 'key', key, type: 0, expiry: 0, valueAt: 0 }, payload: 'big', extent });
        continue;
      }
      const bytes = await this.bytesAt(start, end - start);
      const record = keyOf(readRecord(new ByteReader(bytes, 0, bytes.length)));
      entries.push({ record, payload: payloadOf(bytes, record, bytes.length, this.place.source.version), extent });
    }
    return pageOf(entries, 0);
  }

  /**
   * Keys that are read again (FileLimits); those that stand together in the file at once.
   * @param keys the very buffers that their pages have
   */
  async readAgain(keys: readonly Buffer[], mostBytes: number): Promise<FileKey[]> {
    const { version } = this.place.source;
    const found = new Map<Buffer, FileKey>();
    const toRead: { readonly key: Buffer; readonly extent: Extent; readonly expiry: number }[] = [];
    for (const key of keys) {
      const inPage = this.page.get(key);
      const known = this.met.get(key);
      if (Buffer.isBuffer(inPage?.payload)) found.set(key, { payload: inPage.payload, expiry: inPage.record.expiry });
      else if (known === undefined) throw new Error('A key was asked for that was not met in the range.');
      else if (known.extent[1] - known.extent[0] <= mostBytes) toRead.push({ key, ...known });
      else found.set(key, { payload: await this.headAt(known.extent), expiry: known.expiry });
    }
    toRead.sort((one, other) => one.extent[0] - other.extent[0]);
    for (let next = 0; next < toRead.length;) {
      const together = neighboursFrom(toRead, next);
      next += together.length;
      const [start, end] = [together[0]?.extent[0] ?? 0, together.at(-1)?.extent[1] ?? 0];
      const bytes = await this.bytesAt(start, end - start);
      for (const { key, extent, expiry } of together) {
        const reader = new ByteReader(bytes, extent[0] - start, extent[1] - start);
        const record = keyOf(readRecord(reader));
        found.set(key, { payload: payloadOf(bytes, record, reader.at, version), expiry });
      }
    }
    return keys.flatMap((key) => found.get(key) ?? []);
  }

  private async headAt([start, end]: Extent): Promise<TooLargeToRead> {
    const window = new ByteWindow((from, length) => this.bytesAt(from, length), end);
    const { value: record, next } = await window.at(start, readHead);
    const { type } = keyOf(record);
    return { type: typeNameOf(type), bytes: end - start, fields: await fewFields(type, next, window) };
  }

  /** The type byte of a key whose value may be asked for by its name, as that of any large one, and the bytes of its record; undefined for another. */
  largeOf(key: Buffer): { readonly type: number; readonly bytes: number } | undefined {
    const known = this.largeKeys.get(key.toString('latin1'));
    return known && { type: known.type, bytes: known.extent[1] - known.extent[0] };
  }

  /**
   * Which of these keys of the range have expired since.
   * @param keys the very buffers that pages have
   */
  expired(keys: readonly Buffer[], now: number): ReadonlySet<number> {
    const places = keys.flatMap((key, i) => {
      const { expiry = 0 } = this.met.get(key) ?? {};
      return expiry > 0 && expiry <= now ? [i] : [];
    });
    return new Set(places);
  }

  private async take(cursor: bigint, count: number): Promise<{ next: bigint; entries: Entry[]; micros: number }> {
    return await this.turns.take(() => this.takeNow(cursor, count));
  }

  private async takeNow(cursor: bigint, count: number): Promise<{ next: bigint; entries: Entry[]; micros: number }> {
    const began = performance.now();
    let waited = 0;
    const entries: Entry[] = [];
    let bytes = 0;
    let offset = this.walk.offsetOf(cursor);
    const most = Math.min(count, MOST_KEYS);
    while (offset < this.total && entries.length < most && bytes < this.limits.pageBytes) {
      const { at, left } = this.physical(offset);
      const largeEnd = this.largeEnds.get(at);
      const read = (reader: ByteReader) =>
        largeEnd === undefined ? this.small(reader, at) : this.large(reader, at, largeEnd);
      let found = this.inWindow(at, left, read);
      if (found === undefined) {
        const asked = performance.now();
        found = await this.readAt(at, left, read);
        waited += performance.now() - asked;
      }
      if (typeof found === 'number') {
        offset += found - at;
        continue;
      }
      const { payload, record, extent } = found;
      offset += extent[1] - at;
      entries.push(found);
      const { key, expiry } = record;
      if (this.limits.readsAgain?.(key) === true) this.met.set(key, { extent, expiry });
      if (Buffer.isBuffer(payload)) bytes += payload.length;
      else if (payload === 'big' && this.limits.endsBehindLarge === true) break;
    }
    const micros = (performance.now() - began - waited) * 1_000;
    return { next: this.walk.cursorAt(offset), entries, micros };
  }

  /** A key; or the place behind a record that only stands among keys. */
  private small(reader: ByteReader, at: number): Entry | number {
    const found = readRecord(reader);
    const end = this.window.start + reader.at;
    if (isBetweenKeys(found)) return end;
    const record = keyOf(found);
    const wanted = this.limits.wantsValue?.(record.key) ?? true;
    const payload = wanted ? payloadOf(reader.bytes, record, reader.at, this.place.source.version) : 'later';
    const extent: Extent = [at, end];
    if (end - at >= LEAST_KNOWN) this.know(record, extent);
    return { record, payload, extent };
  }

  /** Of a large record only the name is read. */
  private large(reader: ByteReader, at: number, end: number): Entry {
    const record = keyOf(readHead(reader));
    const extent: Extent = [at, end];
    this.know(record, extent);
    return { record, payload: 'big', extent };
  }

  private know({ key, type }: KeyRecord, extent: Extent): void {
    this.largeKeys.set(key.toString('latin1'), { extent, type });
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
    // What was read out of them are copies.
    freeBuffers(kept.length === 0 ? bytes : [bytes, more], LEAST_FREED);
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

/** What is read at once of records that stand near each other: no more than so many bytes, and so many between two of them. */
const MOST_TOGETHER_BYTES = 4_194_304;
const MOST_BETWEEN_BYTES = 65_536;

/** Those from a place on that are read at once: one at least. */
function neighboursFrom<T extends { readonly extent: Extent }>(records: readonly T[], first: number): readonly T[] {
  const [start = 0] = records[first]?.extent ?? [];
  let end = first + 1;
  for (; end < records.length; end++) {
    const [before, next] = [records[end - 1]?.extent, records[end]?.extent];
    if (before === undefined || next === undefined) break;
    if (next[0] - before[1] > MOST_BETWEEN_BYTES || next[1] - start > MOST_TOGETHER_BYTES) break;
  }
  return records.slice(first, end);
}

/** In the places of a plan nothing stands but keys, and what is passed over among them. */
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
