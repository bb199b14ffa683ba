import type { RequestMistake } from '../../src/migration/request';

/** The API answered with an error. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: readonly RequestMistake[] = [],
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** There was no answer, or one from something that is not Keyferry. */
export class NoAnswerError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NoAnswerError';
  }
}

/** Whether the same request may be answered when it is sent again. */
export function mayPass(error: unknown): boolean {
  if (error instanceof NoAnswerError) return true;
  // 502 with a code comes from Keyferry itself, about a Redis; without, from what stands before it.
  return error instanceof ApiError && [408, 429, 500, 502, 503, 504].includes(error.status);
}
