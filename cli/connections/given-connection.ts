import { ConnectionSettingsError, isConnectionName, readConnectionSettings } from '../../src/redis/connection-settings';
import { UsageError } from '../outcome';

export type Side = 'source' | 'target';
export type Settings = Readonly<Record<string, string | undefined>>;

/** One side of a local migration: its name in the request, and what the local app must have in its settings for it. */
export interface GivenConnection {
  readonly name: string;
  /** `host:port`, to show and to recognise the server by. No secret. */
  readonly address: string;
  /** App settings; secret where `secret` is. */
  readonly settings: Readonly<Record<string, string>>;
  /** How the user named it. */
  readonly given: 'name' | 'address';
  /** What may be written down to resume without being told again: a URL without a password. */
  readonly url?: string;
}

/** What requests call a Redis that was given by its address. */
const nameOfAddress = { source: 'CLI_SOURCE', target: 'CLI_TARGET' } as const;

/** Whether a text is a setting's name, as against an address. */
export function isName(text: string): boolean {
  return isConnectionName(text);
}

/**
 * Reads what was given as --source or --target: a setting's name, a URL, or the portal's string.
 * @param as name to use in the request instead of the usual one
 * @throws UsageError that has no secret
 */
export function readGiven(side: Side, text: string, settings: Settings, as?: string): GivenConnection {
  if (text.trim() === '') throw new UsageError(`--${side} is empty: was a variable meant that is not set?`);
  return isName(text)
    ? fromName(side, text, settings, as ?? text)
    : fromAddress(side, text.trim(), as ?? nameOfAddress[side]);
}

function fromName(side: Side, given: string, settings: Settings, name: string): GivenConnection {
  const connection = readOr(side, given, settings, given);
  const own = Object.entries(settings).flatMap(([key, value]) => {
    const rest = restOf(key, given);
    return rest === undefined || value === undefined ? [] : [[`REDIS_${name}${rest}`, value] as const];
  });
  return {
    name,
    given: 'name',
    address: `${connection.host}:${connection.port}`,
    settings: Object.fromEntries(own),
  };
}

/** What follows `REDIS_<NAME>` in a setting's name: nothing, or `__hostName` and the like. */
function restOf(key: string, name: string): string | undefined {
  return [`REDIS_${name}`, `REDIS_${name.toUpperCase()}`].flatMap((start) =>
    key === start || key.startsWith(`${start}__`) ? [key.slice(start.length)] : [],
  )[0];
}

function fromAddress(side: Side, text: string, name: string): GivenConnection {
  const connection = readOr(side, name, { [`REDIS_${name}`]: text }, `--${side}`);
  const withoutSecret = connection.password === undefined;
  return {
    name,
    given: 'address',
    address: `${connection.host}:${connection.port}`,
    settings: { [`REDIS_${name}`]: text },
    ...(withoutSecret ? { url: text } : {}),
  };
}

function readOr(
  side: Side,
  name: string,
  settings: Settings,
  shown: string,
): ReturnType<typeof readConnectionSettings> {
  try {
    return readConnectionSettings(name, settings);
  } catch (error) {
    if (!(error instanceof ConnectionSettingsError)) throw error;
    const message = shown === name ? error.message : error.message.replaceAll(`REDIS_${name}`, shown);
    const hint = shown === name ? [`To give an address instead of a setting's name, write redis://${name}`] : [];
    throw new UsageError(`--${side}: ${message}`, hint);
  }
}
