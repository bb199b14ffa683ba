import { existsSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { readStoreSettings } from '../../src/files/store-settings';
import { ConnectionSettingsError, isConnectionName, readConnectionSettings } from '../../src/redis/connection-settings';
import { UsageError } from '../outcome';

export type Side = 'source' | 'target';
export type Settings = Readonly<Record<string, string | undefined>>;

/** One side of a local migration: its name in the request, and what the local app must have in its settings for it. */
export interface GivenConnection {
  /** Of the connection, or of the file store. */
  readonly name: string;
  /** The file in the store, where it is one. */
  readonly file?: string;
  /** `host:port`, or where the file is: to show and to recognise the side by. No secret. */
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

/** No target: only what is in a file is asked. */
export const noTarget: GivenConnection = { name: '', given: 'name', address: '', settings: {} };

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

/** What requests call the folder of a file that was given by its path. */
const FILES = 'CLI_FILES';

/** A file that was given by its path, or as NAME/file in a store of the settings. @throws UsageError */
export function readGivenFile(
  side: Side,
  { file, rdb }: { readonly file?: string | undefined; readonly rdb?: string | undefined },
  settings: Settings,
): GivenConnection {
  const option = side === 'source' ? '--source-rdb' : '--target-rdb';
  if ((file === undefined) === (rdb === undefined)) throw new UsageError(`Give either --file or ${option}.`);
  if (rdb === undefined) return fileAtPath(side, file ?? '');
  const { name, file: inStore } = readStoreFile(option, rdb);
  try {
    readStoreSettings(name, settings);
  } catch (error) {
    if (!(error instanceof ConnectionSettingsError)) throw error;
    throw new UsageError(`${option}: ${error.message}`);
  }
  const setting = `RDB_${name.toUpperCase()}`;
  const own = Object.entries(settings).filter(
    ([key]) => key.toUpperCase() === setting || key.toUpperCase().startsWith(`${setting}__`),
  );
  return {
    name,
    file: inStore,
    given: 'name',
    address: rdb,
    settings: Object.fromEntries(own.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]))),
  };
}

/** A file in a store, as NAME/file. @throws UsageError */
export function readStoreFile(option: string, text: string): Required<Pick<GivenConnection, 'name' | 'file'>> {
  const slash = text.indexOf('/');
  if (slash < 1 || slash === text.length - 1) {
    throw new UsageError(`${option}: give the name of a file store and a file in it: BACKUPS/before.rdb`);
  }
  return { name: text.slice(0, slash), file: text.slice(slash + 1) };
}

function fileAtPath(side: Side, given: string): GivenConnection {
  const whole = path.resolve(given);
  const folder = path.dirname(whole);
  if (given.trim() === '' || given.endsWith('/')) throw new UsageError('--file: give the path of a file.');
  if (side === 'source' && !existsSync(whole)) throw new UsageError(`--file: there is no file ${whole}`);
  if (!existsSync(folder)) throw new UsageError(`--file: there is no folder ${folder}`);
  return {
    name: FILES,
    file: path.basename(whole),
    given: 'address',
    address: whole,
    settings: { [`RDB_${FILES}`]: pathToFileURL(folder).href },
    url: whole,
  };
}

/** What a request calls a side; undefined for one that is left out. */
export function specOf({
  name,
  file,
}: Pick<GivenConnection, 'name' | 'file'>): string | { rdb: string; file: string } | undefined {
  if (name === '') return undefined;
  return file === undefined ? name : { rdb: name, file };
}

/** What people are told a side is; empty for no target. */
export function shownSide({ name, file, address }: Pick<GivenConnection, 'name' | 'file' | 'address'>): string {
  if (name === '') return '';
  return file === undefined ? `${name} (${address})` : address;
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
    throw new UsageError(message.startsWith(`--${side} `) ? message : `--${side}: ${message}`, hint);
  }
}
