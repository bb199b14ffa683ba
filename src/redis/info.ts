/** One database's line of INFO keyspace. */
export interface KeyspaceLine {
  readonly database: number;
  /** Keys, with those that have expired and are not yet reaped. */
  readonly keys: number;
  /** Keys that have an expiry. */
  readonly expires: number;
}

/** A field of an INFO reply by its name; undefined where the server does not say it. */
export function infoField(info: string, name: string): string | undefined {
  for (const line of info.split(/\r?\n/)) {
    if (line.startsWith(`${name}:`)) return line.slice(name.length + 1).trim();
  }
  return undefined;
}

/** "standalone", "cluster" or "sentinel"; Valkey calls the field otherwise from 8.0. Undefined where the server does not say it. */
export function modeOf(info: string): string | undefined {
  return infoField(info, 'redis_mode') ?? infoField(info, 'server_mode');
}

/** A field that is a whole number; undefined where it is not there, not a number, or not to be told exactly by one. */
export function infoNumber(info: string, name: string): number | undefined {
  const text = infoField(info, name);
  const number = text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
  return Number.isSafeInteger(number) ? number : undefined;
}

/** Whether the text has the section of databases: a server without keys has its head and no lines. */
export function hasKeyspace(info: string): boolean {
  return /^(# *keyspace\b|db\d+:keys=\d)/im.test(info);
}

/** No server has more: what says so is taken to have so many. */
const MOST_KEYS = Number.MAX_SAFE_INTEGER;

/** The databases of INFO keyspace, by name ("db5:keys=300,expires=0,…") and never by the line's place. */
export function parseKeyspace(info: string): KeyspaceLine[] {
  const lines: KeyspaceLine[] = [];
  for (const match of info.matchAll(/^db(\d+):keys=(\d+),expires=(\d+)/gm)) {
    const [database = 0, keys = 0, expires = 0] = match.slice(1).map(Number);
    lines.push({ database, keys: Math.min(keys, MOST_KEYS), expires: Math.min(expires, MOST_KEYS) });
  }
  return lines;
}
