/** A string property of a table entity holds 64 KiB of UTF-16. */
const CHUNK = 30_000;

/** Spreads a long text over properties name0, name1, …. */
export function toChunks(name: string, text: string): Record<string, string> {
  const chunks: Record<string, string> = {};
  let from = 0;
  for (let i = 0; from < text.length || i === 0; i++) {
    // Not between the halves of one character: each alone is no text, and storage may replace it.
    const to = from + CHUNK - (isHighSurrogate(text.charCodeAt(from + CHUNK - 1)) ? 1 : 0);
    chunks[`${name}${i}`] = text.slice(from, to);
    from = to;
  }
  return chunks;
}

/** Puts the text of `toChunks` together again. */
export function fromChunks(name: string, entity: Readonly<Record<string, unknown>>): string {
  let text = '';
  for (let i = 0; ; i++) {
    const chunk = entity[`${name}${i}`];
    if (typeof chunk !== 'string') return text;
    text += chunk;
  }
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}
