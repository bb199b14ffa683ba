import { type CollectionItem, writeCollection } from './collection-writer';
import { FormatError } from './format-error';
import { decodeJson, MAX_JSON_BYTES } from './json-value';
import { looksLike } from './looks-like';
import { firstEqualNames } from './names';
import { checkNrbf } from './nrbf/check';
import type { NrbfLimits } from './nrbf/limits';
import { hasStreamHeader } from './nrbf/records';
import { decodeRootItem, encodeRoot, type NativeItem } from './nrbf/root-value';
import type { SessionRefusal } from './refusals';
import { safeText, safeUtf8 } from './safe-text';
import { TypeCode } from './type-codes';
import { isValidUtf8 } from './utf8';

/** A session as version 4 keeps it. */
export interface V4Session {
  /** Names and values of the data hash, in the order of HGETALL. */
  readonly fields: readonly (readonly [name: Buffer, value: Buffer])[];
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
 */
export function convertSession(session: V4Session, options: ConvertOptions = {}): ConvertOutcome {
  try {
    return convert(session, options);
  } catch (error) {
    if (error instanceof Refused) return { ok: false, refusal: error.refusal };
    throw error;
  }
}

function convert({ fields, sessionTimeoutText }: V4Session, options: ConvertOptions): ConvertOutcome {
  const limits = { ...DEFAULT_SESSION_LIMITS, ...options.limits };
  if (fields.length === 0) throw new Refused({ code: 'no-items', message: 'the session has no items' });
  if (fields.length > limits.items) throw limit(`the session has more than ${limits.items} items`);
  const timeoutText = sessionTimeoutText === undefined ? undefined : checkTimeout(sessionTimeoutText);

  const items: (CollectionItem & { merged?: Buffer[] })[] = [];
  const slots: number[] = [];
  const firsts = firstNames(fields);
  fields.forEach(([name, value], index) => {
    const { typeCode, payload } = convertValue(name, value, options, limits);
    const slot = slots[firsts[index] ?? index];
    const earlier = slot === undefined ? undefined : items[slot];
    if (slot === undefined || earlier === undefined) {
      slots[index] = items.push({ name, typeCode, payload }) - 1;
    } else {
      const merged = earlier.merged ?? [];
      merged.push(name);
      items[slot] = { name: earlier.name, typeCode, payload, merged };
    }
  });
  const size = items.reduce((sum, { name, payload }) => sum + (name?.length ?? 0) + payload.length + 10, 8);
  if (size > limits.blobBytes) throw limit(`the session is over ${limits.blobBytes} bytes`);
  const collection = writeCollection(items);
  return {
    ok: true,
    collection,
    timeoutText,
    // Made when asked for: few ask, and a conversion makes objects enough.
    get items() {
      return items.map(summary);
    },
  };
}

function summary({ name, typeCode, payload, merged }: CollectionItem & { merged?: Buffer[] }): ConvertedItem {
  const item = { name: name ?? Buffer.alloc(0), typeCode, size: payload.length };
  return merged === undefined ? item : { ...item, merged };
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

function firstNames(fields: V4Session['fields']): number[] {
  for (const [name] of fields) {
    if (isValidUtf8(name, 0, name.length)) continue;
    throw new Refused({ code: 'bad-name', field: name, message: `the item name "${safeUtf8(name, 60)}" is not UTF-8` });
  }
  try {
    return firstEqualNames(fields.map(([name]) => name));
  } catch (error) {
    if (error instanceof FormatError) throw limit(error.reason);
    throw error;
  }
}

/** Converts one item by itself, without a look at its name; undefined when its session would be refused for it. */
export function convertItem(name: Buffer, value: Buffer, options: ConvertOptions): NativeItem | undefined {
  try {
    return convertValue(name, value, options, { ...DEFAULT_SESSION_LIMITS, ...options.limits });
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}

function convertValue(field: Buffer, value: Buffer, options: ConvertOptions, limits: SessionLimits): NativeItem {
  if (!hasStreamHeader(value)) return convertForeign(field, value, options);
  const native = rootItem(field, value);
  if (native !== undefined) {
    const keepStream = options.nativeTypes === false && native.typeCode !== TypeCode.Null;
    return keepStream ? { typeCode: TypeCode.Object, payload: value } : native;
  }
  const check = checkNrbf(value, { limits: limits.nrbf });
  if (check.ok) return { typeCode: TypeCode.Object, payload: value };
  if (check.code === 'limit') throw limit(check.reason, field);
  throw damaged(field, check.offset, check.reason);
}

function rootItem(field: Buffer, value: Buffer): NativeItem | undefined {
  try {
    return decodeRootItem(value);
  } catch (error) {
    if (error instanceof FormatError) throw damaged(field, error.offset, error.reason);
    throw error;
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
