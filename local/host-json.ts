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

/** Reads `host.json` of an app; a missing file gives the defaults. */
export async function readHostJson(appRoot: string): Promise<HostJson> {
  try {
    return parseHostJson(JSON.parse(await readFile(path.join(appRoot, 'host.json'), 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return parseHostJson({});
    throw error;
  }
}

interface RawHostJson {
  functionTimeout?: string;
  extensions?: {
    http?: { routePrefix?: string };
    queues?: Partial<
      Record<'batchSize' | 'newBatchThreshold' | 'maxDequeueCount', number> &
        Record<'maxPollingInterval' | 'visibilityTimeout' | 'messageEncoding', string>
    >;
    durableTask?: { hubName?: string };
  };
}

/** Fills in the defaults of the Functions host. */
export function parseHostJson(json: unknown): HostJson {
  const raw = json as RawHostJson;
  const queues = raw.extensions?.queues ?? {};
  const batchSize = Math.min(queues.batchSize ?? 16, 32);
  const timeout = raw.functionTimeout;
  return {
    routePrefix: raw.extensions?.http?.routePrefix ?? 'api',
    functionTimeoutMs: timeout === undefined || timeout === '-1' ? undefined : parseTimeSpan(timeout),
    queues: {
      batchSize,
      newBatchThreshold: queues.newBatchThreshold ?? Math.floor(batchSize / 2),
      maxDequeueCount: queues.maxDequeueCount ?? 5,
      maxPollingIntervalMs: Math.max(parseTimeSpan(queues.maxPollingInterval ?? '00:01:00'), 100),
      visibilityTimeoutMs: parseTimeSpan(queues.visibilityTimeout ?? '00:00:00'),
      messageEncoding: queues.messageEncoding === 'none' ? 'none' : 'base64',
    },
    durable: { hubName: raw.extensions?.durableTask?.hubName ?? 'TestHubName' },
  };
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
