import { safeText } from '../basics/safe-text';
import { sha1Of } from '../basics/sha1';
import { FOOTER_BYTES } from '../payload/footer';
import type { ValueWindow } from './value-prints';

/**
 * Values whose parts no command that is known here tells, those of modules: compared as DUMP gives them. As in fingerprint-values.lua. A
 * server makes the whole payload before it is known how long it is: of keys that take more, by MEMORY USAGE, none is made. Bytes.
 */
export const MOST_DUMPED = 4_194_304;

/** The print of a payload: without its footer, which says which server wrote it. */
export function printOfPayload(payload: Buffer): string {
  return sha1Of([payload.subarray(0, payload.length - FOOTER_BYTES)]);
}

/** @param print of `printOfPayload` */
export function dumpedWindow(type: string, print: string): ValueWindow {
  const unlike = `Values of type ${type} are compared as DUMP gives them, and the sides give other bytes, which they may do for equal values too: whether its value differs is not known`;
  return { type, next: '', print, expiringFields: 0, unlike };
}

/** @param words what the server said to DUMP; empty where the value is too large for it */
export function undumpedWindow(type: string, words: string): ValueWindow {
  const why =
    words === ''
      ? `this one takes more than ${MOST_DUMPED / 1_048_576} MiB, the most that is asked for`
      : `a server does not give it (${safeText(words, 200)})`;
  const unknown = `Values of type ${type} are compared as DUMP gives them, and ${why}: whether its value differs is not known`;
  return { type, next: '', print: '', expiringFields: 0, unknown };
}
