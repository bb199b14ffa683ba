import { isUtf8 } from 'node:buffer';

/** Below this many bytes a loop is faster than asking the platform. */
const SHORT = 48;

/** Whether bytes[start, end) are well-formed UTF-8 (no surrogates, no overlong forms). */
export function isValidUtf8(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < SHORT && isAscii(bytes, start, end)) return true;
  return isUtf8(bytes.subarray(start, end));
}

/** Whether bytes[start, end) are all below 0x80. */
export function isAscii(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if ((bytes[i] ?? 0) >= 0x80) return false;
  return true;
}

/**
 * How many bytes the UTF-8 sequence at `offset` has (1 to 4), or 0 when what is there before `end` is no
 * well-formed sequence (Unicode, table 3-7).
 */
export function utf8SequenceLength(bytes: Buffer, offset: number, end: number): number {
  const lead = bytes[offset] ?? 0;
  if (offset >= end) return 0;
  if (lead < 0x80) return 1;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || offset + length > end) return 0;
  const second = bytes[offset + 1] ?? 0;
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i = 2; i < length; i++) if (((bytes[offset + i] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}
