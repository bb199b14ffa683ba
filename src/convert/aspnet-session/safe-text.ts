/** Characters that could steer a terminal, hide or reorder text. */
const UNSAFE = /[\p{C}\u2028\u2029]/gu;

/**
 * Text that is safe to print on one line: control, format, private and unassigned characters as \u escapes, and no
 * more than `limit` characters, the rest told as a number.
 */
export function safeText(text: string, limit: number): string {
  const head = text.length > limit ? text.slice(0, limit) : text;
  const safe = head.replace(UNSAFE, (char) => {
    if (char === '\n') return '\\n';
    if (char === '\r') return '\\r';
    if (char === '\t') return '\\t';
    const code = char.codePointAt(0) ?? 0;
    return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
  return text.length > limit ? `${safe}… (${text.length} characters)` : safe;
}

/** UTF-8 bytes as safe text; only as much is decoded as is shown. Bytes that are not UTF-8 show as U+FFFD. */
export function safeUtf8(bytes: Buffer, limit: number): string {
  if (bytes.length <= limit * 4) return safeText(bytes.toString('utf8'), limit);
  const head = safeText(bytes.toString('utf8', 0, limit * 4).slice(0, limit), limit);
  return `${head}… (${bytes.length} bytes)`;
}
