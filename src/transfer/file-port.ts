import { BadPayloadError, EndsTooEarlyError } from '../payload/byte-reader';
import { LzfStream } from '../payload/lzf-stream';
import { readStringHead } from '../payload/rdb-string';
import { readHead, type KeyRecord } from '../payload/read-record';
import type { Extent } from '../payload/source-file';
import { isStream } from '../payload/stream';
import { LIST, STRING } from '../payload/value-types';
import { unitsOf, type UnitKind } from '../payload/value-units';
import type { Command, RedisPort, Reply } from '../redis/redis-port';
import type { Abilities } from './by-commands';
import { GREATEST_ID, parseId, ZERO_ID, type StreamId } from '../payload/stream-id';
import { ByteWindow } from './byte-window';
import { FileStream } from './file-stream/file-stream';

/** What the commands that it answers are those of. */
export const FILE_PORT: Abilities = { major: 8, minor: 0, valkey: false };

/** A page ends behind the element with which it becomes as large, whatever was asked for: packed elements may become many times what they take. */
const MOST_PAGE_BYTES = 1_048_576;

/** Pieces of a string that is unpacked. */
const PIECE_BYTES = 262_144;
/** Of so many pages the expiries of fields are known: of the one that is written, and of the one that is read ahead. */
const PAGES_KNOWN = 4;

/** Whether the values of such a type byte can be read by commands. */
export function answersFor(type: number): boolean {
  return type === STRING || isStream(type) || unitsOf(type) !== undefined;
}

/**
 * Answers the commands by which a copy reads large keys (by-commands/), out of their records in a file: in constant memory for each key
 * that was asked for and not released, forward at the cost of one reading. A page of a list, or of a stream's entries, ends early where these are large: only
 * the last one is empty.
 */
export class FilePort implements RedisPort {
  private readonly open = new Map<string, Promise<Value>>();

  /**
   * @param readBytes gives bytes of the file, all that are asked for
   * @param extentOf where a key's record stands
   * @param forward whether bytes can be read only one behind the other, at the cost of all before them (a packed file)
   */
  constructor(
    private readonly readBytes: (start: number, length: number) => Promise<Buffer>,
    private readonly extentOf: (key: Buffer) => Extent | undefined,
    private readonly forward = false,
  ) {}

  /** @throws FileError; NotInPiecesError; Error for a value that no server writes */
  async call(...command: Command): Promise<Reply> {
    try {
      return await this.answer(command);
    } catch (error) {
      if (!(error instanceof BadPayloadError)) throw error;
      throw new Error(`Its value in the file is damaged: ${error.message}.`, { cause: error });
    }
  }

  private async answer([name, key, ...args]: Command): Promise<Reply> {
    // Its clock stands still: see FileStream.pending.
    if (name === 'TIME') return [Buffer.from('0'), Buffer.from('0')];
    if (key === undefined) throw new Error(`A file does not answer ${name}.`);
    // MEMORY USAGE and XINFO have the key behind.
    const of = Buffer.from(name === 'MEMORY' || name === 'XINFO' ? (args[0] ?? '') : key);
    const value = await this.valueOf(of);
    const numbers = args.map(Number);
    const [first = 0, second = 0] = numbers;
    switch (name) {
      case 'EXISTS':
        return 1;
      case 'TYPE':
        return Buffer.from(value.type);
      case 'MEMORY':
        return value.bytes;
      case 'PEXPIRETIME':
        return value.expiry === 0 ? -1 : value.expiry;
      case 'STRLEN':
      case 'LLEN':
      case 'SCARD':
      case 'HLEN':
      case 'ZCARD':
      case 'XLEN':
        return await value.length();
      case 'GETRANGE':
        return await value.range(first, second + 1);
      case 'LRANGE':
        return await value.elements(first, second + 1 - first);
      case 'SSCAN':
      case 'HSCAN':
      case 'ZSCAN':
        return await value.scan(first, numbers[2] ?? 1);
      case 'HPEXPIRETIME':
        return args.slice(2).map((field) => value.expiryOf(Buffer.from(field)));
      case 'XINFO':
        return infoOf(value.stream, text(key).toUpperCase(), Buffer.from(args[1] ?? ''));
      case 'XRANGE':
        return await value.stream.range(idOf(args[0]), idOf(args[1]), Number(args[3]));
      case 'XPENDING':
        return await value.stream.pending(Buffer.from(args[0] ?? ''), idOf(args[1]), idOf(args[2]), Number(args[3]));
      default:
        throw new Error(`A file does not answer ${name}.`);
    }
  }

  async pipeline(commands: readonly Command[]): Promise<Reply[]> {
    const replies: Reply[] = [];
    for (const command of commands) replies.push(await this.call(...command));
    return replies;
  }

  /** Forgets what was read of a key. */
  release(key: Buffer): void {
    this.open.delete(key.toString('latin1'));
  }

  private async valueOf(key: Buffer): Promise<Value> {
    const name = key.toString('latin1');
    let value = this.open.get(name);
    if (value === undefined) {
      const extent = this.extentOf(key);
      if (extent === undefined) throw new Error('A key was asked for that is not a large one of the range.');
      value = Value.read(this.readBytes, this.forward, extent);
      value.catch(() => this.open.delete(name));
      this.open.set(name, value);
    }
    return await value;
  }
}

/** The value of one record. */
class Value {
  /** Of a list: the place of the unit that begins with the element of this index. */
  private reached: { index: number; place: number };
  private counted: number | undefined;
  private readonly expiries: Map<string, number>[] = [];
  private unpacking: { stream: LzfStream; start: number; piece: Buffer; next: number } | undefined;

  private constructor(
    private readonly record: KeyRecord,
    private readonly window: ByteWindow,
    /** What it takes, about. */
    readonly bytes: number,
    private readonly readBytes: (start: number, length: number) => Promise<Buffer>,
    private readonly kind: UnitKind | undefined,
    /** Where the first unit, or the string, begins. */
    private readonly first: number,
    private readonly head: { readonly units: number; readonly since: number; readonly packed: boolean },
    private readonly asStream: FileStream | undefined,
  ) {
    this.reached = { index: 0, place: first };
  }

  static async read(readBytes: Value['readBytes'], forward: boolean, [start, end]: Extent): Promise<Value> {
    const window = new ByteWindow(readBytes, end);
    const { value: record, next } = await window.at(start, readHead);
    if (record.kind !== 'key') throw new Error('The file is another one than was planned with.');
    if (isStream(record.type)) {
      const stream = await FileStream.read(readBytes, forward, record.type, next, end);
      const head = { units: stream.length, since: 0, packed: false };
      return new Value(record, window, stream.bytes, readBytes, undefined, next, head, stream);
    }
    const kind = unitsOf(record.type);
    const { value: head, next: first } = await window.at(next, (reader) => {
      if (kind !== undefined) return { ...kind.head(reader), packed: false };
      const { size, packed } = readStringHead(reader);
      return { units: size, since: 0, packed };
    });
    return new Value(record, window, end - start, readBytes, kind, first, head, undefined);
  }

  /** Whether several elements stand in one unit. */
  private get hasNodes(): boolean {
    return this.record.type !== LIST;
  }

  get type(): string {
    return this.kind?.type ?? (this.asStream === undefined ? 'string' : 'stream');
  }

  get stream(): FileStream {
    if (this.asStream === undefined) throw new Error('Only streams are asked for entries.');
    return this.asStream;
  }

  get expiry(): number {
    return this.record.expiry;
  }

  /** Of a list the nodes tell how many elements they have. */
  async length(): Promise<number> {
    if (this.kind?.type !== 'list') return this.head.units;
    if (this.counted === undefined) {
      let count = 0;
      for (let place = this.first; place < this.window.end;) {
        const { units, next } = await this.unitsAt(place, MOST_AT_ONCE);
        count += units.reduce((sum, { values }) => sum + values.length, 0);
        place = next;
      }
      this.counted = count;
    }
    return this.counted;
  }

  /** Bytes of a string. */
  async range(start: number, end: number): Promise<Buffer> {
    const length = Math.max(0, Math.min(end, this.head.units) - start);
    if (!this.head.packed) return length === 0 ? Buffer.alloc(0) : await this.readBytes(this.first + start, length);
    const parts: Buffer[] = [];
    for (let at = start; at < start + length;) {
      const { start: from, piece } = await this.unpackedAt(at);
      const part = piece.subarray(at - from, start + length - from);
      parts.push(part);
      at += part.length;
    }
    return Buffer.concat(parts, length);
  }

  /** Elements of a list; fewer where they are large, but none only where there are none. */
  async elements(index: number, count: number): Promise<Buffer[]> {
    if (index < this.reached.index) this.reached = { index: 0, place: this.first };
    const elements: Buffer[] = [];
    let bytes = 0;
    let { index: at, place } = this.reached;
    while (at < index + count && bytes < MOST_PAGE_BYTES && place < this.window.end) {
      // The unit that the last element is of is read again with the next ones.
      this.reached = { index: at, place };
      const most = this.hasNodes ? 1 : index + count - at;
      const { units, next } = await this.unitsAt(place, most, MOST_PAGE_BYTES - bytes);
      for (const { values } of units) {
        const asked = values.slice(Math.max(0, index - at), Math.max(0, index + count - at));
        elements.push(...asked);
        bytes += asked.reduce((sum, { length }) => sum + length, 0);
        at += values.length;
      }
      place = next;
    }
    if (at <= index + count) this.reached = { index: at, place };
    return elements;
  }

  /** A page of a set, hash or sorted set. Cursors are places in the file; 0 is the first one, and the end. */
  async scan(cursor: number, count: number): Promise<Reply> {
    const place = cursor === 0 ? this.first : cursor;
    if (place >= this.window.end) return [Buffer.from('0'), []];
    const { units, next } = await this.unitsAt(place, count, MOST_PAGE_BYTES);
    if (this.kind?.expires === true) {
      this.expiries.push(new Map(units.map(({ values: [field], expiry = -1 }) => [nameOf(field), expiry])));
      if (this.expiries.length > PAGES_KNOWN) this.expiries.shift();
    }
    const values = units.flatMap((unit) => unit.values);
    return [Buffer.from(next >= this.window.end ? '0' : String(next)), values];
  }

  /** When a field of one of the last pages expires; -1: never. */
  expiryOf(field: Buffer): number {
    if (this.kind?.expires !== true) return -1;
    const name = nameOf(field);
    const expiry = this.expiries.find((page) => page.has(name))?.get(name);
    if (expiry === undefined) throw new Error('A field was asked for that is not of the pages read last.');
    return expiry;
  }

  /** Up to `most` units, and no more behind `mostBytes` of them: as many as are in memory, and one at least. */
  private async unitsAt(
    place: number,
    most: number,
    mostBytes = Infinity,
  ): Promise<{ readonly units: ReturnType<UnitKind['read']>[]; readonly next: number }> {
    const { kind, head } = this;
    if (kind === undefined) throw new Error('A string has no elements.');
    const { value: units, next } = await this.window.at(place, (reader) => {
      const read: ReturnType<UnitKind['read']>[] = [];
      for (let bytes = 0; read.length < most && bytes < mostBytes && reader.at < reader.end;) {
        const before = reader.at;
        try {
          const unit = kind.read(reader, head.since);
          read.push(unit);
          bytes += unit.values.reduce((sum, { length }) => sum + length, 0);
        } catch (error) {
          if (!(error instanceof EndsTooEarlyError) || read.length === 0) throw error;
          reader.at = before;
          break;
        }
      }
      return read;
    });
    return { units, next };
  }

  /** The piece of an unpacked string that has the byte at a place. */
  private async unpackedAt(place: number): Promise<{ readonly start: number; readonly piece: Buffer }> {
    if (this.unpacking === undefined || place < this.unpacking.start) {
      this.unpacking = { stream: new LzfStream(PIECE_BYTES), start: 0, piece: Buffer.alloc(0), next: this.first };
    }
    const { unpacking } = this;
    while (place >= unpacking.start + unpacking.piece.length) {
      const { value, next } = await this.window.at(unpacking.next, (reader) => unpacking.stream.next(reader));
      unpacking.start += unpacking.piece.length;
      unpacking.piece = value;
      unpacking.next = next;
    }
    return unpacking;
  }
}

function infoOf(stream: FileStream, what: string, group: Buffer): Reply {
  switch (what) {
    case 'STREAM':
      return stream.info();
    case 'GROUPS':
      return stream.groupInfos();
    case 'CONSUMERS':
      return stream.consumerInfos(group);
    default:
      throw new Error(`A file does not answer XINFO ${what}.`);
  }
}

function text(part: Command[number] | undefined): string {
  return Buffer.isBuffer(part) ? part.toString('latin1') : (part ?? '');
}

function idOf(part: Command[number] | undefined): StreamId {
  const id = text(part);
  return id === '-' ? ZERO_ID : id === '+' ? GREATEST_ID : parseId(id);
}

const MOST_AT_ONCE = 1_000;

function nameOf(field: Buffer | undefined): string {
  return field?.toString('latin1') ?? '';
}
