import { joined, safeText } from '../../src/basics/safe-text';

/** A name as the API tells it. */
export interface ToldName {
  readonly key: string;
  readonly encoding: 'utf8' | 'base64';
  /** Only its first bytes. */
  readonly cut?: boolean;
}

/** Key names are bytes: what is no visible text is shown as an escape, a backslash as two, and a name cut short ends in "…". */
export function keyName({ key, encoding, cut = false }: ToldName, length = Number.POSITIVE_INFINITY): string {
  const parts =
    encoding === 'utf8'
      ? Array.from(key, (character) => (character === '\\' ? '\\\\' : safeText(character)))
      : Array.from(Buffer.from(key, 'base64'), visibleByte);
  if (parts.length === 0) parts.push('(empty)');
  return joined(cut ? [...parts, '…'] : parts, length);
}

function visibleByte(byte: number): string {
  if (byte === 0x5c) return '\\\\';
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
}
