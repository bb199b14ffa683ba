import type { ErrorDocument, FindingReport, FindingsPage, Started } from '../src/api/documents.ts';
import type { FollowedPoint, HistoryPoint, HistoryReport } from '../src/migration/history.ts';
import type { RequestMistake } from '../src/migration/request.ts';
import type { RangesReport } from '../src/tally/range-states.ts';
import type { MigrationList, MigrationListItem, MigrationReport } from '../src/migration/report.ts';

export type {
  FindingReport,
  FindingsPage,
  FollowedPoint,
  HistoryPoint,
  MigrationListItem,
  MigrationReport,
  RangesReport,
};

/** What the app answered instead of what was asked for; status 0 where no answer came. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(
    readonly status: number,
    message: string,
    readonly details: readonly RequestMistake[] = [],
  ) {
    super(message);
  }
}

const STORED = 'keyferry.key';

/** The function key, kept for the session of this browser tab and sent in a header only. */
export const keyStore = {
  read: (): string => {
    try {
      return sessionStorage.getItem(STORED) ?? inMemory;
    } catch {
      return inMemory;
    }
  },
  write: (key: string): void => {
    inMemory = key;
    try {
      if (key === '') sessionStorage.removeItem(STORED);
      else sessionStorage.setItem(STORED, key);
    } catch {
      // The browser keeps nothing for this page; the key lives as long as the page does.
    }
  },
};
let inMemory = '';

/** Asks the reader for a key; rejects when they give none. Told whether one was refused. */
export type AskForKey = (refused: boolean) => Promise<string>;

/** The HTTP API beside the page, wherever that is. */
export class Api {
  private asking: Promise<string> | undefined;
  private readonly base = new URL('../', import.meta.url);

  constructor(private readonly askForKey: AskForKey) {}

  url(path: string): string {
    return new URL(path, this.base).href;
  }

  openApi = (): Promise<unknown> => this.call('GET', 'openapi.json');
  list = async (signal?: AbortSignal): Promise<readonly MigrationListItem[]> =>
    (await this.call<MigrationList>('GET', 'migrations', { signal })).migrations;
  get = (id: string, signal?: AbortSignal): Promise<MigrationReport> => this.call('GET', this.path(id), { signal });
  ranges = (id: string, signal?: AbortSignal): Promise<RangesReport> =>
    this.call('GET', `${this.path(id)}/ranges`, { signal });
  history = (id: string, signal?: AbortSignal): Promise<HistoryReport> =>
    this.call('GET', `${this.path(id)}/history`, { signal });
  cancel = (id: string): Promise<MigrationReport> => this.call('DELETE', this.path(id));
  cutOver = (id: string, reverse: boolean): Promise<MigrationReport> =>
    this.call('POST', `${this.path(id)}/cutover`, { body: { reverse } });
  start = (request: unknown): Promise<Started> => this.call('POST', 'migrations', { body: request });
  findings = (id: string, query: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<FindingsPage> =>
    this.call('GET', `${this.path(id)}/findings?${new URLSearchParams(query).toString()}`, { signal });

  private path(id: string): string {
    return `migrations/${encodeURIComponent(id)}`;
  }

  /** @throws ApiError, and AbortError when the signal says so */
  private async call<T>(
    method: string,
    path: string,
    { body, signal }: { body?: unknown; signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    for (;;) {
      const key = keyStore.read();
      const response = await this.send(method, path, key, body, signal);
      if (response.status !== 401) return await answerOf<T>(response);
      // Many calls may be refused at once; the reader is asked once.
      if (keyStore.read() !== key) continue;
      this.asking ??= this.askForKey(key !== '').finally(() => (this.asking = undefined));
      keyStore.write(await this.asking);
    }
  }

  private async send(
    method: string,
    path: string,
    key: string,
    body: unknown,
    signal?: AbortSignal,
  ): Promise<Response> {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (key !== '') headers['x-functions-key'] = key;
    if (body !== undefined) headers['content-type'] = 'application/json';
    try {
      return await fetch(this.url(path), {
        method,
        headers,
        cache: 'no-store',
        referrerPolicy: 'no-referrer',
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      if (signal?.aborted === true) throw error;
      throw new ApiError(0, 'No answer from the app. Trying again.');
    }
  }
}

async function answerOf<T>(response: Response): Promise<T> {
  const body = (await response.json().catch(() => undefined)) as
    (T & { error?: Partial<ErrorDocument['error']> }) | undefined;
  if (response.ok && body !== undefined) return body;
  throw new ApiError(
    response.status,
    body?.error?.message ?? `The app answered with status ${response.status}.`,
    body?.error?.details ?? [],
  );
}
