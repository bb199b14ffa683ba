/**
 * What steers a terminal or a log, turns the direction of writing, ends a line or cannot be seen: control, format, private
 * and unassigned characters, lone surrogates, separators of lines and paragraphs.
 */
const UNSAFE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** Most texts have nothing else: to look for what is unsafe among all of Unicode takes many times longer. */
const PLAIN = /^[ -~]*$/;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Text from keys, servers or the network, fit for a terminal, a log, a page or a finding: one line, in which what is unsafe is
 * spelled out as in JSON (\n, \u202e) and everything else stands as it is. Safe text is not changed.
 * @param limit in UTF-16 units; longer text is cut between characters, never inside one or its spelling, and ends in "…"
 */
export function safeText(text: string, limit = Number.POSITIVE_INFINITY): string {
  if (text.length <= limit) {
    if (PLAIN.test(text)) return text;
    const safe = text.replace(UNSAFE, spelled);
    if (safe.length <= limit) return safe;
  }
  // Each character takes one unit at least.
  return joined(
    Array.from(text.slice(0, limit + 1), (character) => character.replace(UNSAFE, spelled)),
    limit,
  );
}

/** Texts one after the other, no longer than `limit`: the last that do not fit are left out whole, and "…" stands for them. */
export function joined(texts: readonly string[], limit: number): string {
  const whole = texts.join('');
  if (whole.length <= limit) return whole;
  let head = '';
  for (const text of texts) {
    if (head.length + text.length >= limit) break;
    head += text;
  }
  return `${head}…`;
}

/** As `safeText`, for text of several lines, which remain lines. */
export function safeLines(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => safeText(line))
    .join('\n');
}

/** UTF-8 bytes as safe text; only as much is decoded as can be shown. Bytes that are not UTF-8 show as U+FFFD. */
export function safeUtf8(bytes: Buffer, limit: number): string {
  // No character has more than four bytes, and four bytes that are none show as four.
  return safeText(bytes.toString('utf8', 0, 4 * (limit + 1)), limit);
}

/** As in JSON, where whole documents may be made safe, too. */
function spelled(character: string): string {
  return (
    SHORT[character] ??
    Array.from(
      { length: character.length },
      (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
    ).join('')
  );
}
