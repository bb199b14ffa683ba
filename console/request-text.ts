/** Lines with something in them, without the spaces around. */
export function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/**
 * A map of databases from lines "0 = 3" or "1 = db1:": a whole number is a database, everything else a key prefix.
 * A line without "=" gives the prefix nothing to stand for: it is kept as it is, for the app to refuse.
 */
export function databaseMap(text: string): Record<string, number | string> {
  return Object.fromEntries(
    linesOf(text).map((line) => {
      const at = line.indexOf('=');
      if (at < 0) return [line, ''];
      const to = line.slice(at + 1).trim();
      return [line.slice(0, at).trim(), /^\d+$/.test(to) ? Number(to) : to];
    }),
  );
}

/** A list of databases from "0, 1 5"; what is no number stays text, for the app to refuse. */
export function databaseList(text: string): (number | string)[] {
  return text
    .split(/[\s,]+/)
    .filter((part) => part !== '')
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

/** JSON as a person writes it. */
export function jsonText(request: unknown): string {
  return JSON.stringify(request, null, 2);
}

/** A word of a POSIX shell that stands for exactly this text. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The command that starts the migration. The key comes from the environment: it is in no history and on no screen. */
export function curlCommand(url: string, request: unknown): string {
  return [
    `curl --fail-with-body -X POST ${shellWord(url)}`,
    `  -H "x-functions-key: $KEYFERRY_KEY" -H 'content-type: application/json'`,
    `  --data-binary ${shellWord(jsonText(request))}`,
  ].join(' \\\n');
}

/** Without what is empty: the app's own defaults stand for it. Undefined where nothing is left. */
export function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value;
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value)
    .map(([name, inner]) => [name, withoutEmpty(inner)] as const)
    .filter(([, inner]) => inner !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
