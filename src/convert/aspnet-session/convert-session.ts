import { safeText, safeUtf8 } from '../../basics/safe-text';
import { CollectionWriter } from './collection-writer';
import { type Fields, joinFields } from './fields';
import { FormatError } from './format-error';
import { decodeJson, MAX_JSON_BYTES } from './json-value';
import { looksLike } from './looks-like';
import { firstEqualNames, surelyDiffer } from './names';
import { checkNrbf } from './nrbf/check';
import type { NrbfLimits } from './nrbf/limits';
import { hasStreamHeader } from './nrbf/records';
import { encodeRoot, type NativeItem, type PlacedItem, placeRootItem } from './nrbf/root-value';
import { unpackFields } from './packed-fields';
import type { SessionRefusal } from './refusals';
import { TypeCode } from './type-codes';
import { isValidUtf8 } from './utf8';

/** A session as version 4 keeps it. */
export interface V4Session {
  /** Names and values of the data hash, in the order of HGETALL; or the same as a script packed them. */
  readonly fields: readonly (readonly [name: Buffer, value: Buffer])[] | Buffer;
  /** SessionTimeout of the internal hash: seconds as decimal text. */
  readonly sessionTimeoutText?: Buffer | undefined;
}

export interface ConvertOptions {
  /**
   * True (default): system values get version 5's own codes, as it would write them; DateTime loses its Kind.
   * False: every value but null stays a BinaryFormatter stream, which keeps the Kind until version 5 saves the session.
   */
  readonly nativeTypes?: boolean;
  /** Decode values that are no BinaryFormatter streams as Json.NET's. Without it they are refused. */
  readonly customSerializer?: 'json';
  readonly limits?: Partial<SessionLimits>;
}

/** What one session may ask for. */
export interface SessionLimits {
  readonly items: number;
  /** Bytes of the whole blob; Redis takes no more than 512 MiB. */
  readonly blobBytes: number;
  readonly nrbf: Partial<NrbfLimits>;
}

export const DEFAULT_SESSION_LIMITS: SessionLimits = { items: 50_000, blobBytes: 512 * 1024 * 1024, nrbf: {} };

/** What became of one item. Its name is a view of the field's. */
export interface ConvertedItem {
  readonly name: Buffer;
  readonly typeCode: number;
  /** Bytes of the payload in the blob. */
  readonly size: number;
  /** Names of the fields that were dropped because .NET takes them for the same name; this one has the last's value. */
  readonly merged?: readonly Buffer[];
}

export type ConvertOutcome =
  | {
      readonly ok: true;
      /** The value of `{app_id}_SessionStateItemCollection`. */
      readonly collection: Buffer;
      /** The value of `{app_id}_SessionTimeout`, if version 4 had one. */
      readonly timeoutText: Buffer | undefined;
      readonly items: readonly ConvertedItem[];
    }
  | { readonly ok: false; readonly refusal: SessionRefusal };

/** Thrown within this file only. */
class Refused extends Error {
  constructor(readonly refusal: SessionRefusal) {
    super(refusal.message);
  }
}

/**
 * Converts one session of RedisSessionStateProvider 1.x – 4.x into the two strings of version 5. Pure; the input is
 * not changed and may be shared by the result's views, but not by `collection`.
 * Every value is checked whole; a session is converted with all its items or refused.
 * @throws Error when packed fields are none
 */
export function convertSession(session: V4Session, options: ConvertOptions = {}): ConvertOutcome {
  const { fields, sessionTimeoutText } = session;
  const found = Buffer.isBuffer(fields) ? unpackFields(fields) : joinFields(fields);
  try {
    return convert(found, sessionTimeoutText, options);
  } catch (error) {
    if (error instanceof Refused) return { ok: false, refusal: error.refusal };
    throw error;
  }
}

function convert(fields: Fields, timeout: Buffer | undefined, options: ConvertOptions): ConvertOutcome {
  const limits = { ...DEFAULT_SESSION_LIMITS, ...options.limits };
  if (fields.count === 0) throw new Refused({ code: 'no-items', message: 'the session has no items' });
  if (fields.count > limits.items) throw limit(`the session has more than ${limits.items} items`);
  const timeoutText = timeout === undefined ? undefined : checkTimeout(timeout);

  const firsts = surelyDiffer(fields) ? undefined : firstNames(fields.names());
  const writer = new CollectionWriter();
  const merged = firsts && new Merged(firsts);
  // One for all values, one after the other.
  const item: PlacedItem = { typeCode: 0, bytes: fields.bytes, start: 0, end: 0 };
  for (let i = 0; i < fields.count; i++) {
    convertValue(fields, i, item, options, limits);
    const index = merged?.indexOf(i, fields) ?? writer.add(fields.bytes, fields.nameStart(i), fields.nameEnd(i));
    writer.set(index, item);
  }
  if (writer.length > limits.blobBytes) throw limit(`the session is over ${limits.blobBytes} bytes`);
  return new Conversion(writer.write(), timeoutText, writer, merged?.dropped);
}

/** A class, since a getter of its own would make V8 treat every outcome as a new kind of object. */
class Conversion {
  readonly ok = true;

  constructor(
    readonly collection: Buffer,
    readonly timeoutText: Buffer | undefined,
    private readonly writer: CollectionWriter,
    private readonly dropped: ReadonlyMap<number, readonly Buffer[]> | undefined,
  ) {}

  /** Made when asked for: few ask, and a conversion makes objects enough. */
  get items(): ConvertedItem[] {
    const { writer, dropped } = this;
    return Array.from({ length: writer.count }, (_, index) => {
      const item = { name: writer.name(index), typeCode: writer.typeCode(index), size: writer.size(index) };
      const merged = dropped?.get(index);
      return merged === undefined ? item : { ...item, merged };
    });
  }
}

/** Of fields with the same name one item is made: in the place and spelling of the first, with the value of the last. */
class Merged {
  /** By an item's index, the names that it took in. */
  readonly dropped = new Map<number, Buffer[]>();
  /** By a field's index, the index of the item that it began. */
  private readonly begun = new Map<number, number>();

  /** @param firsts by field, the first with the same name */
  constructor(private readonly firsts: readonly number[]) {}

  /** The item that a field goes to; undefined where it begins the next one. */
  indexOf(field: number, fields: Fields): number | undefined {
    const first = this.firsts[field] ?? field;
    const index = this.begun.get(first);
    if (index === undefined) {
      this.begun.set(field, this.begun.size);
      return undefined;
    }
    const names = this.dropped.get(index) ?? [];
    names.push(fields.name(field));
    this.dropped.set(index, names);
    return index;
  }
}

/** Version 5 reads it with int.Parse and gives it to EXPIRE. */
function checkTimeout(text: Buffer): Buffer {
  const shown = text.toString('latin1');
  if (/^[1-9]\d{0,9}$/.test(shown) && Number(shown) <= 0x7fff_ffff) return text;
  throw new Refused({
    code: 'bad-timeout',
    message: `SessionTimeout is "${safeText(shown, 40)}", not a number of seconds`,
  });
}

function firstNames(names: readonly Buffer[]): number[] {
  for (const name of names) {
    if (isValidUtf8(name, 0, name.length)) continue;
    throw new Refused({ code: 'bad-name', field: name, message: `the item name "${safeUtf8(name, 60)}" is not UTF-8` });
  }
  try {
    return firstEqualNames(names);
  } catch (error) {
    if (error instanceof FormatError) throw limit(error.reason);
    throw error;
  }
}

/** Makes `item` what version 5 holds in place of a field's value. */
function convertValue(
  fields: Fields,
  field: number,
  item: PlacedItem,
  options: ConvertOptions,
  limits: SessionLimits,
): void {
  const [start, end] = [fields.valueStart(field), fields.valueEnd(field)];
  if (!hasStreamHeader(fields.bytes, start, end)) {
    const { typeCode, payload } = convertForeign(fields.name(field), fields.value(field), options);
    place(item, typeCode, payload, 0, payload.length);
    return;
  }
  place(item, TypeCode.Object, fields.bytes, start, end);
  if (isSystemValue(fields, field, item)) {
    // Version 5 would read version 4's stand-in for null as an object.
    const keepStream = options.nativeTypes === false && item.typeCode !== TypeCode.Null;
    if (keepStream) place(item, TypeCode.Object, fields.bytes, start, end);
    return;
  }
  place(item, TypeCode.Object, fields.bytes, start, end);
  const check = checkNrbf(fields.value(field), { limits: limits.nrbf });
  if (check.ok) return;
  if (check.code === 'limit') throw limit(check.reason, fields.name(field));
  throw damaged(fields.name(field), check.offset, check.reason);
}

function place(item: PlacedItem, typeCode: number, bytes: Buffer, start: number, end: number): void {
  item.typeCode = typeCode;
  item.bytes = bytes;
  item.start = start;
  item.end = end;
}

function isSystemValue(fields: Fields, field: number, item: PlacedItem): boolean {
  try {
    return placeRootItem(item);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw damaged(fields.name(field), error.offset - fields.valueStart(field), error.reason);
  }
}

function convertForeign(field: Buffer, value: Buffer, options: ConvertOptions): NativeItem {
  if (options.customSerializer !== 'json' || !isValidUtf8(value, 0, value.length)) throw foreign(field, value);
  if (value.length > MAX_JSON_BYTES) throw limit(`JSON of more than ${MAX_JSON_BYTES} bytes`, field);
  const decoded = decodeJson(value);
  switch (decoded.kind) {
    case 'invalid':
      throw foreign(field, value);
    case 'unrepresentable': {
      const type = safeText(decoded.type, 200);
      const message = `item "${safeUtf8(field, 60)}" is JSON of type ${type}, which has no form in version 5`;
      throw new Refused({ code: 'unrepresentable', field, type, message });
    }
    case 'item': {
      const { typeCode, payload } = decoded.item;
      if (options.nativeTypes !== false || typeCode >= TypeCode.Object) return decoded.item;
      const kind = { Unspecified: 0, Utc: 1, Local: 2 }[decoded.dateTimeKind ?? 'Unspecified'];
      return { typeCode: TypeCode.Object, payload: encodeRoot(typeCode, payload, kind) };
    }
  }
}

function foreign(field: Buffer, value: Buffer): Refused {
  const appearance = looksLike(value);
  const message = `item "${safeUtf8(field, 60)}" is not from BinaryFormatter; it looks like: ${appearance}`;
  return new Refused({ code: 'not-binary-formatter', field, looksLike: appearance, message });
}

function damaged(field: Buffer, offset: number, reason: string): Refused {
  const message = `item "${safeUtf8(field, 60)}" is damaged: ${safeText(reason, 200)} (at byte ${offset})`;
  return new Refused({ code: 'damaged-value', field, offset, reason, message });
}

function limit(reason: string, field?: Buffer): Refused {
  const message = field === undefined ? reason : `item "${safeUtf8(field, 60)}": ${reason}`;
  return new Refused({ code: 'limit', reason, message, ...(field === undefined ? {} : { field }) });
}
