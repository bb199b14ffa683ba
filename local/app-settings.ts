import { readFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * The `Values` of an app's local.settings.json, as Core Tools read it; an app without the file has none.
 * @throws Error when the file is not JSON or a value is no text, number or truth value
 */
export async function readLocalSettings(appRoot: string): Promise<Record<string, string>> {
  let text: string;
  try {
    text = await readFile(path.join(appRoot, 'local.settings.json'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  const { Values: values = {} } = JSON.parse(text) as { Values?: Record<string, unknown> };
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      if (!['string', 'number', 'boolean'].includes(typeof value)) {
        throw new Error(`local.settings.json: the value of ${name} must be a text.`);
      }
      return [name, String(value)];
    }),
  );
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
