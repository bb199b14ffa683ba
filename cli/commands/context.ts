import path from 'node:path';
import type { Display } from '../display/display';
import { ApiClient } from '../client/api-client';
import { parseEndpoint } from '../client/endpoint';
import type { Interruption } from '../interruption';
import { UsageError } from '../outcome';
import { RunStore } from '../runs/run-store';
import type { Service } from '../service/service';

/** Options that every command has. */
export interface CommonOptions {
  readonly endpoint?: string;
  readonly key?: string;
  readonly data?: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
  /** Where the result is written, as .html or .json. */
  readonly report?: string;
}

/** What a command works with beside its options. */
export interface Context {
  readonly display: Display;
  readonly interruption: Interruption;
  /** Nothing is kept, so there is no advice on how to go on. */
  readonly throwaway?: boolean;
}

/** The deployed app that was named; undefined where the work is done on this machine. @throws UsageError */
export function deployedService({ endpoint, key, data }: CommonOptions): Service | undefined {
  if (endpoint === undefined) {
    if (key !== undefined) throw new UsageError('--key belongs to a deployed app: give its --endpoint too.');
    return undefined;
  }
  if (data !== undefined) throw new UsageError('--data belongs to migrations on this machine, not to --endpoint.');
  const secret = key ?? process.env.KEYFERRY_KEY;
  const base = parseEndpoint(endpoint, secret !== undefined && secret !== '');
  return {
    client: new ApiClient(base, secret === '' ? undefined : secret),
    place: 'deployed',
    close: () => Promise.resolve(),
  };
}

/** The migrations on this machine that belong to the data folder. */
export function runStore({ data }: CommonOptions): RunStore {
  return new RunStore(path.resolve(data ?? '.keyferry'));
}

/** The options that must be repeated in a command which is suggested to the user; the key is never among them. */
export function sameApp({ endpoint, data }: CommonOptions): string[] {
  return [...(endpoint === undefined ? [] : ['--endpoint', endpoint]), ...(data === undefined ? [] : ['--data', data])];
}
