import { Crc64 } from './crc64';
import { FOOTER_BYTES } from './footer';
import type { Output } from './output';
import { FIRST_OF_VALKEY } from './value-types';

/** What stands before a record of an RDB file. Sources: redis/src/rdb.h, valkey/src/rdb.h. */
export const SLOT_INFO = 0xf4;
export const FUNCTION = 0xf5;
export const FUNCTION_PRE_RELEASE = 0xf6;
export const MODULE_AUX = 0xf7;
export const IDLE = 0xf8;
export const FREQUENCY = 0xf9;
export const AUX = 0xfa;
export const RESIZE = 0xfb;
export const EXPIRY_MS = 0xfc;
export const EXPIRY_S = 0xfd;
export const SELECT = 0xfe;
export const END = 0xff;

/** A file's first bytes. */
export const MAGIC_BYTES = 9;

/** How a file of a version begins. */
export function magicOf(version: number): string {
  return version >= FIRST_OF_VALKEY
    ? `VALKEY${String(version).padStart(3, '0')}`
    : `REDIS${String(version).padStart(4, '0')}`;
}

/** How often, or how long ago, a key was used. */
export interface KeyUse {
  readonly kind: 'FREQ' | 'IDLETIME';
  readonly value: number;
}

/**
 * Writes a key with its value.
 * @param expiry ms since 1970; 0: none
 * @param payload as DUMP gives it: its footer stays behind
 */
export function writeKey(out: Output, key: Buffer, expiry: number, payload: Buffer, use?: KeyUse): void {
  writeKeyHead(out, key, expiry, payload[0] ?? 0, use);
  out.raw(payload, 1, payload.length - FOOTER_BYTES);
}

/** ms since 1970. Servers take expiries that are not exact in a number here, of the years behind 287,000: these are told as this one. */
export const LAST_MOMENT = Number.MAX_SAFE_INTEGER;

/** Writes what stands before a key's value. */
export function writeKeyHead(out: Output, key: Buffer, expiry: number, type: number, use?: KeyUse): void {
  if (expiry > 0) {
    out.byte(EXPIRY_MS);
    out.int64(BigInt(Math.round(Math.min(expiry, LAST_MOMENT))));
  }
  if (use?.kind === 'IDLETIME') {
    out.byte(IDLE);
    out.rdbLength(use.value);
  } else if (use?.kind === 'FREQ') {
    out.byte(FREQUENCY);
    out.byte(use.value);
  }
  out.byte(type);
  out.rdbString(key, 0, key.length);
}

/** Writes a file's first bytes, and what is told of it. */
export function writeHead(
  out: Output,
  version: number,
  facts: readonly (readonly [name: string, value: string])[],
): void {
  const magic = Buffer.from(magicOf(version), 'latin1');
  out.raw(magic, 0, magic.length);
  for (const [name, value] of facts) {
    out.byte(AUX);
    for (const text of [name, value]) {
      const bytes = Buffer.from(text, 'utf8');
      out.rdbString(bytes, 0, bytes.length);
    }
  }
}

/** Writes what stands before the keys of a database. */
export function writeDatabase(out: Output, database: number, keys: number, expiring: number): void {
  out.byte(SELECT);
  out.rdbLength(database);
  out.byte(RESIZE);
  out.rdbLength(keys);
  out.rdbLength(expiring);
}

/** Writes the last record, and the checksum of all before it together with it. */
export function writeEnd(out: Output, crcOf: (end: Buffer) => bigint): void {
  out.byte(END);
  const end = out.copy();
  out.int64(BigInt.asIntN(64, crcOf(end)));
}

export function crcOf(bytes: Buffer): bigint {
  return new Crc64().update(bytes).value;
}
