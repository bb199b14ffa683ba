import { convertItem, convertSession, DEFAULT_SESSION_LIMITS, type ConvertOptions } from './convert-session';
import { findFields, unpackFields, type FieldPlaces } from './packed-fields';
import { Record, STREAM_HEADER } from './nrbf/records';
import { layoutsByNameLength } from './nrbf/root-layouts';
import type { SessionRefusal } from './refusals';
import { TypeCode } from './type-codes';
import { isValidUtf8 } from './utf8';
import { varintSize, writeVarint } from './varint';

export type PackedOutcome =
  | { readonly ok: true; readonly collection: Buffer; readonly timeoutText: Buffer | undefined }
  | { readonly ok: false; readonly refusal: SessionRefusal };

const START = STREAM_HEADER.length;
const ID_AND_TYPE = 5;
/** High half of the last DateTime's ticks: below it nothing more must be asked. */
const MAX_TICKS_HIGH = 0x2bca_2875;
const SCALE_AND_SIGN = 0x80ff_0000 | 0;

/**
 * Does what convertSession does, for fields as a script packed them. Ordinary items (system values under plain names) go
 * from there into the blob without an object for each, which is several times faster; everything else is left to
 * convertSession, and so is a session that would be refused.
 */
export function convertPacked(packed: Buffer, timeout: Buffer | undefined, options: ConvertOptions): PackedOutcome {
  const collection = isOrdinaryTimeout(timeout) && options.nativeTypes !== false ? quickly(packed, options) : undefined;
  if (collection !== undefined) return { ok: true, collection, timeoutText: timeout };
  return convertSession({ fields: unpackFields(packed), sessionTimeoutText: timeout }, options);
}

function quickly(packed: Buffer, options: ConvertOptions): Buffer | undefined {
  const places = findFields(packed);
  const { count } = places;
  if (count === 0 || count > DEFAULT_SESSION_LIMITS.items || packed.length > 0x3fff_ffff) return undefined;
  if (!haveDifferentNames(packed, places)) return undefined;
  const items = new Items(packed, count);
  for (let i = 0; i < count; i++) {
    const [start, end] = [places.valueStart(i), places.valueEnd(i)];
    if (items.addRoot(i, start, end)) continue;
    const name = packed.subarray(places.nameStart(i), places.nameEnd(i));
    const item = convertItem(name, packed.subarray(start, end), options);
    if (item === undefined) return undefined;
    items.addPayload(i, item.typeCode, item.payload);
  }
  return items.write(places);
}

/** The names of the last session that had only different ones. Sessions of one application often have the same. */
let knownNames: readonly Buffer[] = [];

/** Whether all names are of printable ASCII and differ in more than case. */
function haveDifferentNames(packed: Buffer, places: FieldPlaces): boolean {
  if (areNames(knownNames, packed, places)) return true;
  const names = new Set<string>();
  for (let i = 0; i < places.count; i++) {
    const [start, end] = [places.nameStart(i), places.nameEnd(i)];
    for (let at = start; at < end; at++) {
      const byte = packed[at] ?? 0;
      if (byte < 0x20 || byte > 0x7e) return false;
    }
    names.add(packed.toString('latin1', start, end).toLowerCase());
  }
  if (names.size !== places.count) return false;
  if (places.count <= KNOWN_NAMES) {
    knownNames = Array.from({ length: places.count }, (_, i) =>
      Buffer.from(packed.subarray(places.nameStart(i), places.nameEnd(i))),
    );
  }
  return true;
}

function areNames(names: readonly Buffer[], packed: Buffer, places: FieldPlaces): boolean {
  if (names.length !== places.count) return false;
  for (let i = 0; i < names.length; i++) {
    const name = names[i];
    const start = places.nameStart(i);
    if (name?.length !== places.nameEnd(i) - start) return false;
    for (let at = 0; at < name.length; at++) if (name[at] !== packed[start + at]) return false;
  }
  return true;
}

function isOrdinaryTimeout(timeout: Buffer | undefined): boolean {
  if (timeout === undefined) return true;
  if (timeout.length === 0 || timeout.length > 9 || timeout[0] === 0x30) return false;
  return timeout.every((byte) => byte >= 0x30 && byte <= 0x39);
}

/** Where the values of a blob lie: in the packed fields, or in a piece of their own. */
class Items {
  private readonly types: number[];
  private readonly starts: number[];
  private readonly ends: number[];
  private readonly payloads: (Buffer | undefined)[] = [];
  private bytes = 0;

  constructor(
    private readonly packed: Buffer,
    private readonly count: number,
  ) {
    this.types = new Array<number>(count).fill(0);
    this.starts = new Array<number>(count).fill(0);
    this.ends = new Array<number>(count).fill(0);
  }

  addPayload(index: number, typeCode: number, payload: Buffer): void {
    this.types[index] = typeCode;
    this.payloads[index] = payload;
    this.bytes += 1 + payload.length;
  }

  /** Adds a lone value of a system type, where the value is certainly one; see decodeRootItem. */
  addRoot(index: number, start: number, end: number): boolean {
    const { packed } = this;
    if (end - start < START + ID_AND_TYPE + 1 || packed[end - 1] !== Record.MessageEnd) return false;
    for (let i = 0; i < START; i++) if (packed[start + i] !== STREAM_HEADER[i]) return false;
    const record = packed[start + START];
    if (record === Record.BinaryObjectString) return this.addString(index, start + START, end - 1);
    return record === Record.SystemClassWithMembersAndTypes && this.addBoxed(index, start, end);
  }

  write(places: FieldPlaces): Buffer {
    const { packed, count } = this;
    let head = 8 + 4 * count;
    for (let i = 0; i < count; i++) {
      const length = places.nameEnd(i) - places.nameStart(i);
      head += varintSize(length) + length;
    }
    const blob = Buffer.allocUnsafe(head + this.bytes);
    blob.writeInt32LE(count, 0);
    blob.writeInt32LE(-1, 4);
    let at = 8;
    for (let i = 0; i < count; i++) {
      const [start, end] = [places.nameStart(i), places.nameEnd(i)];
      at = writeVarint(blob, end - start, at);
      for (let from = start; from < end; from++) blob[at++] = packed[from] ?? 0;
    }
    let length = 0;
    for (let i = 0; i < count; i++) {
      length += 1 + (this.payloads[i]?.length ?? (this.ends[i] ?? 0) - (this.starts[i] ?? 0));
      at = blob.writeInt32LE(length, at);
    }
    for (let i = 0; i < count; i++) at = this.writeValue(blob, at, i);
    return blob;
  }

  private writeValue(blob: Buffer, from: number, index: number): number {
    const { packed } = this;
    const typeCode = this.types[index] ?? 0;
    let at = from;
    blob[at++] = typeCode;
    const payload = this.payloads[index];
    if (payload !== undefined) return at + payload.copy(blob, at);
    const [start, end] = [this.starts[index] ?? 0, this.ends[index] ?? 0];
    if (typeCode === TypeCode.Decimal) {
      // flags, hi, lo, mid become lo, mid, hi, flags.
      for (let i = 0; i < 8; i++) blob[at + i] = packed[start + 8 + i] ?? 0;
      for (let i = 0; i < 4; i++) blob[at + 8 + i] = packed[start + 4 + i] ?? 0;
      for (let i = 0; i < 4; i++) blob[at + 12 + i] = packed[start + i] ?? 0;
      return at + 16;
    }
    if (end - start > LONG) return at + packed.copy(blob, at, start, end);
    for (let i = start; i < end; i++) blob[at++] = packed[i] ?? 0;
    return at;
  }

  private addPlace(index: number, typeCode: number, start: number, end: number): true {
    this.types[index] = typeCode;
    this.starts[index] = start;
    this.ends[index] = end;
    this.bytes += 1 + end - start;
    return true;
  }

  /** Object id 1, then a length and the text. `end` is that of the text. */
  private addString(index: number, record: number, end: number): boolean {
    const { packed } = this;
    if (packed.readInt32LE(record + 1) !== 1) return false;
    const prefix = record + ID_AND_TYPE;
    let at = prefix;
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = packed[at++] ?? 0;
      if (at > end || shift > 21) return false;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    if (length !== end - at || !isValidUtf8(packed, at, end)) return false;
    return this.addPlace(index, TypeCode.String, prefix, end);
  }

  private addBoxed(index: number, start: number, end: number): boolean {
    const { packed } = this;
    for (const { typeCode, prefix, size } of layoutsByNameLength[packed[start + START + ID_AND_TYPE] ?? 0] ?? []) {
      if (end - start - prefix.length - 1 !== size || !isAt(packed, start, prefix)) continue;
      const value = start + prefix.length;
      switch (typeCode) {
        case TypeCode.Boolean:
          return (packed[value] ?? 2) <= 1 && this.addPlace(index, typeCode, value, value + 1);
        case TypeCode.DateTime:
          return this.isPlainDateTime(value) && this.addPlace(index, typeCode, value, value + 8);
        case TypeCode.Decimal: {
          const flags = packed.readInt32LE(value);
          const sound = (flags & ~SCALE_AND_SIGN) === 0 && ((flags >> 16) & 0xff) <= 28;
          return sound && this.addPlace(index, typeCode, value, value + 16);
        }
        default:
          return this.addPlace(index, typeCode, value, value + size);
      }
    }
    return false;
  }

  /** ticks and dateData say the same, and nothing beyond the year 9999. */
  private isPlainDateTime(value: number): boolean {
    const { packed } = this;
    for (let i = 0; i < 7; i++) if (packed[value + i] !== packed[value + 8 + i]) return false;
    return packed[value + 7] === ((packed[value + 15] ?? 0) & 0x3f) && packed.readUInt32LE(value + 4) < MAX_TICKS_HIGH;
  }
}

/** So many names are kept to be known again. */
const KNOWN_NAMES = 200;
/** From so many bytes on the platform copies faster than a loop. */
const LONG = 64;

function isAt(bytes: Buffer, start: number, part: Buffer): boolean {
  for (let i = START; i < part.length; i++) if (bytes[start + i] !== part[i]) return false;
  return true;
}
