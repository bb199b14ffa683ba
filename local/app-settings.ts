import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse, printParseErrorCode, type ParseError } from 'jsonc-parser';

/**
 * The `Values` of an app's local.settings.json, as Core Tools read it and Visual Studio writes it: with comments, commas at the
 * end and a byte order mark. An app without the file has none.
 * @throws Error when the file is not JSON, with the line, or a value is no text, number or truth value
 */
export async function readLocalSettings(appRoot: string): Promise<Record<string, string>> {
  let text: string;
  try {
    text = await readFile(path.join(appRoot, 'local.settings.json'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  const values = valuesOf(parseSettings(text.replace(/^\uFEFF/, '')));
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      if (!['string', 'number', 'boolean'].includes(typeof value)) {
        throw new Error(`local.settings.json: the value of ${name} must be a text.`);
      }
      return [name, String(value)];
    }),
  );
}

function parseSettings(text: string): unknown {
  const errors: ParseError[] = [];
  const parsed: unknown = parse(text, errors, { allowTrailingComma: true });
  const [first] = errors;
  if (first === undefined) return parsed;
  const line = text.slice(0, first.offset).split(/\r\n|\n|\r/).length;
  throw new Error(`local.settings.json is not JSON: ${printParseErrorCode(first.error)} in line ${line}.`);
}

function valuesOf(parsed: unknown): Record<string, unknown> {
  const values = isObject(parsed) ? parsed.Values : undefined;
  if (values === undefined && isObject(parsed)) return {};
  if (!isObject(values)) throw new Error('local.settings.json: an object with an object "Values" must be there.');
  return values;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Replaces `%NAME%` by the setting NAME, as the host does in binding attributes (queue names, schedules).
 * @throws Error when the setting does not exist
 */
export function resolveSettings(text: string, settings: NodeJS.ProcessEnv): string {
  return text.replace(/%([^%]+)%/g, (_, name: string) => {
    const value = settings[name];
    if (value === undefined) throw new Error(`The app setting ${name} is used in a binding, but not set.`);
    return value;
  });
}
