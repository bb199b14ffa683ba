/** A property holds 64 KiB, which is 32 Ki characters of UTF-16. */
const chunkLength = 30_000;

/** A text of any length as properties `name`, `name_1`, `name_2`, …; null as none. An entity holds 1 MiB in all. */
export function splitText(name: string, text: string | null): Record<string, string> {
  if (text === null) return {};
  const properties: Record<string, string> = { [name]: text.slice(0, chunkLength) };
  for (let i = 1; i * chunkLength < text.length; i++) {
    properties[`${name}_${i}`] = text.slice(i * chunkLength, (i + 1) * chunkLength);
  }
  return properties;
}

/** The text that `splitText` has split, or null. */
export function joinText(properties: Record<string, unknown>, name: string): string | null {
  if (typeof properties[name] !== 'string') return null;
  let text = properties[name];
  for (let i = 1; typeof properties[`${name}_${i}`] === 'string'; i++) text += properties[`${name}_${i}`] as string;
  return text;
}
