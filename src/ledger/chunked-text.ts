/** A string property of a table entity holds 64 KiB of UTF-16. */
const CHUNK = 30_000;

/**
 * Spreads a value as JSON over properties name0, name1, …. In ASCII only: Azurite breaks other characters that come to it
 * in two pieces.
 */
export function toChunks(name: string, value: unknown): Record<string, string> {
  const text = JSON.stringify(value).replace(/[^\u0020-\u007e]/g, escape);
  const chunks: Record<string, string> = {};
  for (let i = 0; i * CHUNK < text.length; i++) chunks[`${name}${i}`] = text.slice(i * CHUNK, (i + 1) * CHUNK);
  return chunks;
}

/** Reads the value of `toChunks`. */
export function fromChunks(name: string, entity: Readonly<Record<string, unknown>>): unknown {
  let text = '';
  for (let i = 0; ; i++) {
    const chunk = entity[`${name}${i}`];
    if (typeof chunk !== 'string') return JSON.parse(text) as unknown;
    text += chunk;
  }
}

function escape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
