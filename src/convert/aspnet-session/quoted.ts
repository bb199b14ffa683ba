import { safeUtf8 } from '../../basics/safe-text';

/** UTF-8 bytes as text between quotes, where they are more than can be shown with their number: "abc… (5000 bytes)". */
export function quoted(utf8: Buffer, limit: number): string {
  const text = safeUtf8(utf8, limit);
  return `"${text}${text.endsWith('…') && utf8.length > limit ? ` (${utf8.length} bytes)` : ''}"`;
}
