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
  return JSON.parse(joined(name, entity)) as unknown;
}

/** A value as JSON in one property of this name, or spread as by `toChunks` where it is too long for one. */
export function toText(name: string, value: unknown): Record<string, string> {
  const text = JSON.stringify(value);
  return text.length <= CHUNK ? { [name]: text } : toChunks(name, value);
}

/** The JSON of `toText` under its name, where it was spread; nothing where it stands there already. */
export function textOf(name: string, entity: Readonly<Record<string, unknown>>): Record<string, string> {
  return entity[`${name}0`] === undefined ? {} : { [name]: joined(name, entity) };
}

function joined(name: string, entity: Readonly<Record<string, unknown>>): string {
  let text = '';
  for (let i = 0; ; i++) {
    const chunk = entity[`${name}${i}`];
    if (typeof chunk !== 'string') return text;
    text += chunk;
  }
}

function escape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
