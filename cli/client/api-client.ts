import type { ErrorDocument, FindingsPage, Started } from '../../src/api/documents';
import type { MigrationList, MigrationListItem, MigrationReport } from '../../src/migration/report';
import type { SchedulesReport } from '../../src/schedule/report-schedules';
import type { SurveyReport } from '../../src/survey/report-schema';
import { ApiError, NoAnswerError } from './api-error';

/** A document with what its answer asks for before the next request, ms. */
export interface Answer<T> {
  readonly body: T;
  readonly retryAfterMs: number | undefined;
}

const GET_TIMEOUT_MS = 30_000;
/** A start looks at both servers first. */
const START_TIMEOUT_MS = 120_000;

/** The HTTP API of one app. The key goes into a header, never into a URL. Every method throws ApiError or NoAnswerError. */
export class ApiClient {
  constructor(
    private readonly base: string,
    private readonly key?: string,
  ) {}

  async start(body: unknown): Promise<Started> {
    return (await this.send<Started>('POST', '', { body, timeoutMs: START_TIMEOUT_MS })).body;
  }

  async get(id: string): Promise<Answer<MigrationReport>> {
    return await this.send<MigrationReport>('GET', `/${encodeURIComponent(id)}`);
  }

  /** What a dry run has learnt. */
  async surveyReport(id: string): Promise<SurveyReport> {
    return (await this.send<SurveyReport>('GET', `/${encodeURIComponent(id)}/report`)).body;
  }

  async list(): Promise<readonly MigrationListItem[]> {
    return (await this.send<MigrationList>('GET', '')).body.migrations;
  }

  async cancel(id: string): Promise<MigrationReport> {
    return (await this.send<MigrationReport>('DELETE', `/${encodeURIComponent(id)}`)).body;
  }

  /** @param reverse whether the old side is to follow the new one from then on */
  async cutOver(id: string, reverse: boolean): Promise<MigrationReport> {
    const timeoutMs = START_TIMEOUT_MS;
    const body = { reverse };
    return (await this.send<MigrationReport>('POST', `/${encodeURIComponent(id)}/cutover`, { body, timeoutMs })).body;
  }

  async findings(id: string, limit: number, continuation?: string | null): Promise<FindingsPage> {
    const query = new URLSearchParams({ limit: String(limit), ...(continuation ? { continuation } : {}) });
    return (await this.send<FindingsPage>('GET', `/${encodeURIComponent(id)}/findings?${query.toString()}`)).body;
  }

  async schedules(): Promise<SchedulesReport> {
    return (await this.send<SchedulesReport>('GET', '', { collection: 'schedules' })).body;
  }

  private async send<T>(
    method: string,
    path: string,
    {
      body,
      timeoutMs = GET_TIMEOUT_MS,
      collection = 'migrations',
    }: { body?: unknown; timeoutMs?: number; collection?: 'migrations' | 'schedules' } = {},
  ): Promise<Answer<T>> {
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${this.base}/api/${collection}${path}`, {
        method,
        headers: {
          accept: 'application/json',
          ...(this.key === undefined ? {} : { 'x-functions-key': this.key }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        // A redirect could carry the key to another host.
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      });
      text = await response.text();
    } catch (error) {
      throw new NoAnswerError(`${this.base} does not answer (${reasonOf(error)}).`);
    }
    if (!response.ok) throw errorOf(response.status, text, this.base);
    const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
    try {
      return {
        body: JSON.parse(text) as T,
        retryAfterMs: Number.isFinite(seconds) ? seconds * 1_000 : undefined,
      };
    } catch {
      throw new NoAnswerError(`${this.base} answers, but not as Keyferry does. Is --endpoint right?`);
    }
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'no reason given';
  if (error.name === 'TimeoutError') return 'no answer in time';
  const { cause } = error;
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code;
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message;
}

function errorOf(status: number, text: string, base: string): ApiError {
  try {
    const { error } = JSON.parse(text) as { error: Partial<ErrorDocument['error']> };
    const { code = '', message, details = [] } = error;
    if (typeof message === 'string') return new ApiError(status, code, message, details);
  } catch {
    // Not one of Keyferry's own answers.
  }
  const words: Record<number, string> = {
    401: `${base} asks for a function key: give it in KEYFERRY_KEY or with --key.`,
    403: `${base} refuses the function key, or this machine's address.`,
    404: `${base} has no Keyferry. Is --endpoint right?`,
  };
  return new ApiError(status, '', words[status] ?? `${base} answers with HTTP status ${status}.`);
}
