import { readFile } from 'node:fs/promises';
import path from 'node:path';

/** What the local host takes from host.json; everything in milliseconds. */
export interface HostJson {
  routePrefix: string;
  functionTimeoutMs: number | undefined;
  queues: QueueOptions;
  durable: { hubName: string };
}

/** `extensions.queues`. Source of names and defaults: the Storage queue trigger's host.json reference. */
export interface QueueOptions {
  batchSize: number;
  newBatchThreshold: number;
  maxDequeueCount: number;
  maxPollingIntervalMs: number;
  /** How long a failed message stays hidden before it is tried again. */
  visibilityTimeoutMs: number;
  messageEncoding: 'base64' | 'none';
}

/** Reads `host.json` of an app; a missing file gives the defaults. Settings named `AzureFunctionsJobHost__…` win. */
export async function readHostJson(appRoot: string, settings: NodeJS.ProcessEnv = {}): Promise<HostJson> {
  try {
    return parseHostJson(JSON.parse(await readFile(path.join(appRoot, 'host.json'), 'utf8')), settings);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return parseHostJson({}, settings);
    throw error;
  }
}

/**
 * Fills in the defaults of the Functions host.
 * @param settings those named `AzureFunctionsJobHost__extensions__queues__batchSize` stand for the value at that path
 * @throws Error that names the value that is no number, or too small a one, or no time span
 */
export function parseHostJson(json: unknown, settings: NodeJS.ProcessEnv = {}): HostJson {
  const values = flatten(json, settings);
  const text = (at: string): string | undefined => values.get(at.toLowerCase());
  const number = (at: string, least = 0): number | undefined =>
    read(at, text(at), (value) => parseWholeNumber(value, least));
  const span = (at: string): number | undefined => read(at, text(at), parseTimeSpan);
  const queues = 'extensions:queues';
  const batchSize = Math.min(number(`${queues}:batchSize`, 1) ?? 16, 32);
  return {
    routePrefix: text('extensions:http:routePrefix') ?? 'api',
    functionTimeoutMs: text('functionTimeout') === '-1' ? undefined : span('functionTimeout'),
    queues: {
      batchSize,
      newBatchThreshold: number(`${queues}:newBatchThreshold`) ?? Math.floor(batchSize / 2),
      maxDequeueCount: number(`${queues}:maxDequeueCount`, 1) ?? 5,
      maxPollingIntervalMs: Math.max(span(`${queues}:maxPollingInterval`) ?? 60_000, 100),
      visibilityTimeoutMs: span(`${queues}:visibilityTimeout`) ?? 0,
      messageEncoding: text(`${queues}:messageEncoding`)?.toLowerCase() === 'none' ? 'none' : 'base64',
    },
    durable: { hubName: text('extensions:durableTask:hubName') ?? 'TestHubName' },
  };
}

const overriding = /^AzureFunctionsJobHost(?:__|:)(.+)$/i;

/** Path in lower case → text, as .NET's configuration keeps it: names are told apart by no case, `__` is `:`. */
function flatten(json: unknown, settings: NodeJS.ProcessEnv): Map<string, string> {
  const values = new Map<string, string>();
  const add = (value: unknown, at: string): void => {
    if (typeof value === 'object' && value !== null) {
      for (const [name, item] of Object.entries(value)) add(item, at === '' ? name : `${at}:${name}`);
    } else if (typeof value === 'string') values.set(at.toLowerCase(), value);
    else if (typeof value === 'number' || typeof value === 'boolean') values.set(at.toLowerCase(), `${value}`);
  };
  add(json, '');
  for (const [name, value] of Object.entries(settings)) {
    const at = overriding.exec(name)?.[1];
    if (at !== undefined) add(value, at.replaceAll('__', ':'));
  }
  return values;
}

function read(at: string, text: string | undefined, parse: (text: string) => number): number | undefined {
  if (text === undefined) return undefined;
  try {
    return parse(text);
  } catch (error) {
    throw new Error(`host.json, ${at}: ${(error as Error).message}`, { cause: error });
  }
}

function parseWholeNumber(text: string, least: number): number {
  if (!/^\d{1,9}$/.test(text.trim()) || Number(text) < least)
    throw new Error(`Not a whole number${least > 0 ? ` from ${least}` : ''}: ${text}`);
  return Number(text);
}

/**
 * A .NET TimeSpan, `[d.]hh:mm:ss[.fff]`, in milliseconds.
 * @throws Error when the text is none
 */
export function parseTimeSpan(text: string): number {
  const match = /^(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,7}))?$/.exec(text);
  if (!match) throw new Error(`Not a time span (hh:mm:ss): ${text}`);
  const [, days = '0', hours = '0', minutes = '0', seconds = '0', fraction = '0'] = match;
  return (
    (((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 +
    Math.round(Number(`0.${fraction}`) * 1000)
  );
}
