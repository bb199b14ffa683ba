import { z } from 'zod';
import { BadPayloadError, ByteReader, EndsTooEarlyError } from './byte-reader';
import { Crc64 } from './crc64';
import { FUNCTION, MAGIC_BYTES, MODULE_AUX } from './file-records';
import { LargeValue } from './large-value';
import { moduleAuxSteps, stringSteps, valueSteps, type Steps } from './skip-value';
import { isBetweenKeys, readHead, readMagic, readRecord, type FileRecord, type KeyRecord } from './read-record';

/**
 * Keys that stand together in a file, all of one database, from the first one's record to the end of the last one's. What only says
 * something of the keys behind it (isBetweenKeys) may stand among them.
 */
export interface Stretch {
  readonly database: number;
  readonly start: number;
  readonly end: number;
  readonly keys: number;
}

/** Where a record stands that is large, or records of libraries. */
export interface LargeRecord {
  readonly start: number;
  readonly end: number;
}

/** What stands where in an RDB file. */
export interface FileLayout {
  readonly software: 'redis' | 'valkey';
  readonly version: number;
  /** What it tells of itself, as far as that is known here. */
  readonly facts: Readonly<Record<string, string>>;
  readonly stretches: readonly Stretch[];
  readonly large: readonly LargeRecord[];
  /** Keys that expire, and when the first one does, ms since 1970; 0 where none does. */
  readonly expiring: number;
  readonly functions: number;
  /** Where records of function libraries stand, those together that follow each other. */
  readonly libraries: readonly LargeRecord[];
  /** Records that only modules can read, which are passed over. */
  readonly ofModules: number;
  /** Where it ends to be good, and why; undefined where it is whole. */
  readonly damage?: { readonly at: number; readonly reason: string } | undefined;
}

/** A file of so many stretches is cut into half as many, twice as long. */
const MOST_STRETCHES = 16_384;
const FIRST_STRETCH_BYTES = 262_144;
/** A row has no others, and no server has so many. */
const LAST_DATABASE = 65_535;
const MOST_DATABASES = 4_096;
/** What must be read in one piece, as a key's name, is no longer. */
const MOST_AT_ONCE = 64 << 20;
/** The plan has the places of libraries. */
const MOST_LIBRARY_PLACES = 256;
const LIBRARIES_TOGETHER_BYTES = 1 << 20;
/** How a command begins in an append-only file, and what tells when it was written: "*" and "#". */
const COMMANDS_BEGIN: readonly number[] = [0x2a, 0x23];
/** What is told of a file: a long text is none of ours. */
const LONGEST_FACT = 200;
const MOST_FACTS = 64;

const place = z.int().min(0);
const stretch = z.tuple([place, place, place, place]);
const extent = z.tuple([place, place]);

/** How far a look through a file got, and what it found up to there: to go on from, in another process too. Plain data. */
export const layoutStateSchema = z.object({
  /** Where to go on: what was found stands before it. */
  at: place,
  /** Bytes of the file that were given, behind that where nothing more is to be read. */
  given: place,
  largeBytes: place,
  head: z.object({ software: z.enum(['redis', 'valkey']), version: place }).optional(),
  facts: z.record(z.string(), z.string()),
  /** Database, start, end and keys of each. */
  stretches: z.array(stretch),
  stretchBytes: place,
  open: stretch.optional(),
  joinsAt: place.optional(),
  large: z.array(extent),
  database: place,
  databases: z.array(place),
  expiring: place,
  functions: place,
  libraries: z.array(extent),
  ofModules: place,
  /** Of all before `at`, as it stands in a file. */
  crc: z.string().regex(/^[0-9a-f]{16}$/),
  damage: z.object({ at: place, reason: z.string() }).optional(),
  ended: z.boolean(),
});
export type LayoutState = z.infer<typeof layoutStateSchema>;

/** Why a file that can be read to its end is damaged. */
export const CHECKSUM_IS_WRONG = 'its checksum is wrong';

/** Finds out what stands where in a file, in one pass over it. */
export class LayoutReader {
  private window: Buffer = Buffer.alloc(0);
  /** Where the window begins in the file. */
  private base = 0;
  private head: { readonly software: 'redis' | 'valkey'; readonly version: number } | undefined;
  private facts: Record<string, string> = {};
  private stretches: Stretch[] = [];
  private stretchBytes = FIRST_STRETCH_BYTES;
  private open: { database: number; start: number; end: number; keys: number } | undefined;
  /** The end of the last stretch, while nothing stands behind it that keys cannot stand together over. */
  private joinsAt: number | undefined;
  private large: LargeRecord[] = [];
  private database = 0;
  private databases = new Set<number>();
  private expiring = 0;
  private functions = 0;
  private libraries: { start: number; end: number }[] = [];
  private ofModules = 0;
  private crc = new Crc64();
  private crcAt = 0;
  private damage: FileLayout['damage'];
  private ended = false;
  private hasLookedBehind = false;
  private passing:
    | {
        readonly record: FileRecord;
        readonly start: number;
        readonly value: LargeValue;
        /** As it was when that began: nobody can go on in the middle of a value. */
        readonly before: LayoutState;
      }
    | undefined;
  private bytesGiven = 0;

  /**
   * @param largeBytes records above are told
   * @param seen told of each key
   */
  constructor(
    private readonly largeBytes: number,
    private readonly seen: (database: number, key: KeyRecord) => void = () => undefined,
  ) {}

  /** One that goes on where another was: the next bytes are those from `at` on. */
  static from(state: LayoutState, seen?: (database: number, key: KeyRecord) => void): LayoutReader {
    const reader = new LayoutReader(state.largeBytes, seen);
    const ofStretch = ([database, start, end, keys]: z.infer<typeof stretch>) => ({ database, start, end, keys });
    const ofExtent = ([start, end]: z.infer<typeof extent>) => ({ start, end });
    reader.base = reader.crcAt = state.at;
    reader.bytesGiven = state.given;
    reader.head = state.head;
    reader.facts = { ...state.facts };
    reader.stretches = state.stretches.map(ofStretch);
    reader.stretchBytes = state.stretchBytes;
    reader.open = state.open && ofStretch(state.open);
    reader.joinsAt = state.joinsAt;
    reader.large = state.large.map(ofExtent);
    reader.database = state.database;
    reader.databases = new Set(state.databases);
    reader.expiring = state.expiring;
    reader.functions = state.functions;
    reader.libraries = state.libraries.map(ofExtent);
    reader.ofModules = state.ofModules;
    reader.crc = Crc64.from(Buffer.from(state.crc, 'hex'), 0);
    reader.damage = state.damage;
    reader.ended = state.ended;
    reader.hasLookedBehind = state.ended && state.given > state.at;
    return reader;
  }

  /** Whether the rest of the file says nothing more. */
  get isOver(): boolean {
    return this.hasLookedBehind || this.damage !== undefined;
  }

  /** Bytes of the file that it was given. */
  get given(): number {
    return this.bytesGiven;
  }

  /** From where on the file must be read again by whoever goes on with what it has found. */
  get goesOnAt(): number {
    return this.passing?.start ?? this.base;
  }

  /** What it has found up to `goesOnAt`. */
  state(): LayoutState {
    if (this.passing !== undefined) return this.passing.before;
    const ofStretch = ({ database, start, end, keys }: Stretch): z.infer<typeof stretch> => [
      database,
      start,
      end,
      keys,
    ];
    const ofExtent = ({ start, end }: LargeRecord): z.infer<typeof extent> => [start, end];
    const crc = Buffer.alloc(8);
    this.crc.writeTo(crc, 0);
    return {
      at: this.base,
      given: this.isOver ? this.bytesGiven : this.base,
      largeBytes: this.largeBytes,
      head: this.head,
      facts: { ...this.facts },
      stretches: this.stretches.map(ofStretch),
      stretchBytes: this.stretchBytes,
      open: this.open && ofStretch(this.open),
      joinsAt: this.joinsAt,
      large: this.large.map(ofExtent),
      database: this.database,
      databases: [...this.databases],
      expiring: this.expiring,
      functions: this.functions,
      libraries: this.libraries.map(ofExtent),
      ofModules: this.ofModules,
      crc: crc.toString('hex'),
      damage: this.damage,
      ended: this.ended,
    };
  }

  /** Reads on with the next bytes of the file. */
  push(bytes: Buffer): void {
    this.bytesGiven += bytes.length;
    if (this.isOver) return;
    this.window = this.window.length === 0 ? bytes : Buffer.concat([this.window, bytes]);
    if (this.ended) this.lookBehind();
    else if (this.passing === undefined || this.passOn()) this.read();
  }

  /**
   * After the last bytes.
   * @param noMore why there are no more, where they are not enough
   */
  finish(noMore?: string): FileLayout {
    const tooEarly = noMore ?? new EndsTooEarlyError().message;
    if (this.passing !== undefined) this.damage ??= { at: this.passing.start, reason: tooEarly };
    if (!this.isOver && !this.ended) this.read(tooEarly);
    this.endStretch();
    const { head, facts, stretches, large, expiring, functions, libraries, ofModules, damage } = this;
    const { software, version } = head ?? { software: 'redis', version: 0 };
    return { software, version, facts, stretches, large, expiring, functions, libraries, ofModules, damage };
  }

  /** @param tooEarly what is wrong where the bytes that there are are not enough; undefined while there may be more */
  private read(tooEarly?: string): void {
    const reader = new ByteReader(this.window, 0, this.window.length);
    let good = 0;
    try {
      if (this.head === undefined) {
        reader.take(MAGIC_BYTES);
        this.head = readMagic(this.window);
        good = reader.at;
      }
      while (!this.ended && this.damage === undefined) {
        const record = readRecord(reader);
        if (record.kind === 'end') this.end(reader);
        else this.take(record, this.base + good, this.base + reader.at);
        good = reader.at;
      }
    } catch (error) {
      if (!(error instanceof BadPayloadError)) throw error;
      const reason = error instanceof EndsTooEarlyError ? tooEarly : error.message;
      if (reason !== undefined) this.damage = { at: this.base + good, reason };
    }
    this.dropTo(good);
    if (this.ended) this.lookBehind();
    else if (tooEarly === undefined && this.window.length > this.largeBytes && this.damage === undefined)
      this.passLarge();
  }

  /** How many large records there were. */
  get largeSoFar(): number {
    return this.large.length;
  }

  /** What is larger than the window is gone over in pieces. */
  private passLarge(): void {
    const reader = new ByteReader(this.window, 0, this.window.length);
    const before = this.state();
    const passed = passedKind(this.window[0] ?? 0);
    if (passed !== undefined) {
      reader.byte();
      this.passing = { record: passed.record, start: this.base, value: new LargeValue(passed.steps()), before };
    } else {
      try {
        const record = readHead(reader);
        if (record.kind !== 'key') return;
        this.passing = { record, start: this.base, value: new LargeValue(valueSteps(record.type)), before };
      } catch (error) {
        if (!(error instanceof EndsTooEarlyError)) throw error;
        if (this.window.length > MOST_AT_ONCE) this.damaged('a record that must be read at once is too long');
        return;
      }
    }
    this.dropTo(reader.at);
    if (this.passOn()) this.read();
  }

  /** Goes on over a large value. @returns whether it is over */
  private passOn(): boolean {
    if (this.passing === undefined) return true;
    const { record, start, value } = this.passing;
    try {
      this.dropTo(value.push(this.window));
    } catch (error) {
      if (!(error instanceof BadPayloadError)) throw error;
      this.damage = { at: start, reason: error.message };
    }
    if (!value.isOver || this.damage !== undefined) return false;
    this.passing = undefined;
    this.take(record, start, this.base);
    return true;
  }

  /** Lets go of the bytes of the window before a place. */
  private dropTo(place: number): void {
    this.sum(place);
    this.window = this.window.subarray(place);
    this.base += place;
  }

  private take(record: FileRecord, start: number, end: number): void {
    switch (record.kind) {
      case 'key':
        if (record.expiry !== 0) this.expiring++;
        if (end - start > this.largeBytes) this.large.push({ start, end });
        this.addKey(start, end);
        this.seen(this.database, record);
        return;
      case 'select':
        if (record.database !== this.database) this.endStretch();
        this.database = record.database;
        this.databases.add(record.database);
        if (record.database > LAST_DATABASE || this.databases.size > MOST_DATABASES) {
          this.damaged('it has databases that no server has');
        }
        return;
      case 'aux':
        this.endStretch();
        if (Object.keys(this.facts).length < MOST_FACTS && record.value.length <= LONGEST_FACT)
          this.facts[record.name.slice(0, LONGEST_FACT)] = record.value;
        return;
      case 'function':
        this.endStretch();
        this.functions++;
        this.addLibrary(start, end);
        return;
      case 'passed':
        if (isBetweenKeys(record)) return;
        this.endStretch();
        this.ofModules++;
        return;
      case 'end':
    }
  }

  private addKey(start: number, end: number): void {
    this.open ??= { database: this.database, start: this.joinsAt ?? start, end: start, keys: 0 };
    this.open.end = end;
    this.open.keys++;
    if (end - this.open.start < this.stretchBytes) return;
    this.endStretch();
    this.joinsAt = end;
  }

  private addLibrary(start: number, end: number): void {
    const last = this.libraries.at(-1);
    if (last?.end === start && end - last.start <= LIBRARIES_TOGETHER_BYTES) last.end = end;
    else if (this.libraries.length < MOST_LIBRARY_PLACES) this.libraries.push({ start, end });
    else this.damaged('its function libraries stand in too many places');
  }

  private damaged(reason: string): void {
    this.damage ??= { at: this.base, reason };
  }

  private endStretch(): void {
    if (this.open !== undefined) this.stretches.push(this.open);
    this.open = undefined;
    this.joinsAt = undefined;
    if (this.stretches.length <= MOST_STRETCHES) return;
    this.stretchBytes *= 2;
    this.stretches = joined(this.stretches, this.stretchBytes);
    // Else they would be put together again with nearly every key.
    if (this.stretches.length > MOST_STRETCHES / 2) this.damaged('its databases alternate too often to be read');
  }

  /** The checksum is there from version 5 on; 0 is none. @throws EndsTooEarlyError where not all of it is there */
  private end(reader: ByteReader): void {
    const place = reader.at;
    if ((this.head?.version ?? 0) >= 5) {
      const at = reader.take(8);
      this.sum(place);
      if (this.window.readBigUInt64LE(at) !== 0n && !this.crc.standsAt(this.window, at)) {
        this.damage = { at: this.base + at, reason: CHECKSUM_IS_WRONG };
      }
    }
    this.ended = true;
  }

  /**
   * Servers ignore what stands behind the end, as what fills up a page blob. But up to Redis 6.2 an append-only file begins as an RDB
   * file, and what was written since stands behind that.
   */
  private lookBehind(): void {
    const [first] = this.window;
    if (first === undefined) return;
    this.hasLookedBehind = true;
    if (COMMANDS_BEGIN.includes(first)) {
      this.damage ??= {
        at: this.base,
        reason: 'commands stand behind its end, as in an append-only file (AOF), which are not read',
      };
    }
  }

  /** Takes the bytes of the window up to a place into the checksum. */
  private sum(to: number): void {
    const from = this.crcAt - this.base;
    if (to <= from) return;
    this.crc.update(this.window, from, to);
    this.crcAt = this.base + to;
  }
}

/** Records that are no keys and may be long. */
function passedKind(type: number): { readonly record: FileRecord; readonly steps: () => Steps } | undefined {
  if (type === FUNCTION) return { record: { kind: 'function' }, steps: stringSteps };
  if (type === MODULE_AUX) return { record: { kind: 'passed', what: 'module' }, steps: moduleAuxSteps };
  return undefined;
}

/** Neighbours put together as long as they are no longer than that, of one database, and nothing stands between them. */
function joined(stretches: readonly Stretch[], bytes: number): Stretch[] {
  const result: Stretch[] = [];
  for (const stretch of stretches) {
    const last = result.at(-1);
    if (last?.database === stretch.database && last.end === stretch.start && stretch.end - last.start <= bytes) {
      result[result.length - 1] = { ...last, end: stretch.end, keys: last.keys + stretch.keys };
    } else result.push(stretch);
  }
  return result;
}
