import { bad, ByteReader } from './byte-reader';
import * as record from './file-records';
import { FOOTER_BYTES, stampFooter } from './footer';
import { Element } from './element';
import { readString, skipString } from './rdb-string';
import { skipModule, skipValue } from './skip-value';
import { FIRST_OF_VALKEY } from './value-types';

/** One record of an RDB file. */
export type FileRecord =
  | KeyRecord
  | { readonly kind: 'select'; readonly database: number }
  | { readonly kind: 'aux'; readonly name: string; readonly value: string }
  | { readonly kind: 'function' }
  /** Hints, and what only its module can read. */
  | { readonly kind: 'passed'; readonly what: 'sizes' | 'slots' | 'module' }
  | { readonly kind: 'end' };

/** A key with its value. Places count from the beginning of the bytes read. */
export interface KeyRecord {
  readonly kind: 'key';
  readonly key: Buffer;
  readonly type: number;
  /** ms since 1970; 0: none. */
  readonly expiry: number;
  /** Where the value begins, behind the key's name. It ends where the record does. */
  readonly valueAt: number;
}

/** How an RDB file begins: the kind of server that wrote it, and its version. @throws BadPayloadError */
export function readMagic(bytes: Buffer): { readonly software: 'redis' | 'valkey'; readonly version: number } {
  const text = bytes.toString('latin1', 0, record.MAGIC_BYTES);
  const redis = /^REDIS(\d{4})$/.exec(text);
  const [, digits] = redis ?? /^VALKEY(\d{3})$/.exec(text) ?? [];
  if (digits === undefined) bad('it does not begin as an RDB file does');
  const version = Number(digits);
  const software = redis === null ? 'valkey' : 'redis';
  if (version === 0 || (software === 'valkey' && version < FIRST_OF_VALKEY))
    bad('it is of a version that does not exist');
  return { software, version };
}

/** Keys' names are read one after the other. */
const name = new Element();

/**
 * Reads the record at the reader's place, of a value no more than where it ends.
 * @throws EndsTooEarlyError where the record goes on behind the bytes that there are; BadPayloadError where it is none
 */
export function readRecord(reader: ByteReader): FileRecord {
  const found = readHead(reader);
  if (found.kind === 'key') skipValue(reader, found.type);
  return found;
}

/** The same up to where a key's value begins. */
export function readHead(reader: ByteReader): FileRecord {
  let expiry = 0;
  for (;;) {
    const type = reader.byte();
    switch (type) {
      case record.EXPIRY_MS:
        expiry = momentOf(reader.int64());
        continue;
      case record.EXPIRY_S:
        expiry = momentOf(BigInt(reader.bytes.readInt32LE(reader.take(4))) * 1_000n);
        continue;
      case record.IDLE:
        reader.length();
        continue;
      case record.FREQUENCY:
        reader.byte();
        continue;
      case record.SELECT:
        return { kind: 'select', database: reader.length() };
      case record.AUX: {
        const [of, value] = [readText(reader), readText(reader)];
        return { kind: 'aux', name: of, value };
      }
      case record.RESIZE:
        reader.length();
        reader.length();
        return { kind: 'passed', what: 'sizes' };
      case record.SLOT_INFO:
        for (let left = 3; left > 0; left--) reader.length();
        return { kind: 'passed', what: 'slots' };
      case record.FUNCTION:
        skipString(reader);
        return { kind: 'function' };
      case record.MODULE_AUX:
        reader.length();
        reader.length();
        reader.length();
        skipModule(reader);
        return { kind: 'passed', what: 'module' };
      case record.END:
        return { kind: 'end' };
      default: {
        if (type > record.SLOT_INFO - 1) bad(`a record is of the unknown kind ${type}`);
        readString(reader, name);
        name.toText();
        const key = Buffer.from(name.bytes.subarray(name.start, name.end));
        return { kind: 'key', key, type, expiry, valueAt: reader.at };
      }
    }
  }
}

/**
 * Whether a record may stand between the keys of one database, as servers of a cluster write one before the keys of each slot, and is
 * passed over there. (One that selects a database selects the same one then.)
 */
export function isBetweenKeys(record: FileRecord): boolean {
  return record.kind === 'select' || (record.kind === 'passed' && record.what !== 'module');
}

/** The code of the function libraries whose records these bytes are. @throws BadPayloadError */
export function readLibraries(bytes: Buffer): Buffer[] {
  const reader = new ByteReader(bytes, 0, bytes.length);
  const libraries: Buffer[] = [];
  while (reader.at < reader.end) {
    if (reader.byte() !== record.FUNCTION) bad('no function library where one belongs');
    readString(reader, name);
    libraries.push(name.copy());
  }
  return libraries;
}

/** A payload as DUMP gives it, of a value in a file of a version. */
export function payloadOf(
  bytes: Buffer,
  { type, valueAt }: Pick<KeyRecord, 'type' | 'valueAt'>,
  end: number,
  version: number,
): Buffer {
  const payload = Buffer.allocUnsafe(1 + end - valueAt + FOOTER_BYTES);
  payload[0] = type;
  bytes.copy(payload, 1, valueAt, end);
  stampFooter(payload, version);
  return payload;
}

function readText(reader: ByteReader): string {
  readString(reader, name);
  name.toText();
  return name.bytes.toString('latin1', name.start, name.end);
}

/** 0 is no moment; what is before 1970 is long past. */
function momentOf(expiry: bigint): number {
  return expiry <= 0n ? 1 : Math.min(Number(expiry), record.LAST_MOMENT);
}
