/** A string property of a table entity holds 64 KiB of UTF-16. */
const CHUNK = 30_000;

/** Spreads a long text over properties name0, name1, …. */
export function toChunks(name: string, text: string): Record<string, string> {
  const chunks: Record<string, string> = {};
  for (let i = 0; i * CHUNK < text.length || i === 0; i++) {
    chunks[`${name}${i}`] = text.slice(i * CHUNK, (i + 1) * CHUNK);
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
