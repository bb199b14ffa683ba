import { refusalCodes, type CodeMeaning, type RefusalCode } from '../migration/refusal-codes';

type OwnCode =
  | 'badRequest'
  | 'badConnection'
  | 'notFound'
  | 'bodyTooLarge'
  | 'tooManyStarts'
  | 'unreadable'
  | 'internal'
  | 'fileExists'
  | 'noSuchFile'
  | 'redisUnreachable'
  | 'storeUnreachable'
  | 'storageUnavailable';

/** A word for programs, of an answer that is no success. */
export type ErrorCode = OwnCode | RefusalCode;

/** Every code that an answer may have, by status. */
export const errorCodes: Readonly<Record<ErrorCode, CodeMeaning>> = {
  badRequest: { status: 400, means: 'The request is not valid; `details` tell every mistake.' },
  badConnection: { status: 400, means: "A connection is missing from the app's settings, or cannot be read." },
  ...refusalCodes,
  fileExists: { status: 409, means: 'There is a file of this name, and `overwrite` is not said.' },
  noSuchFile: {
    status: 400,
    means: 'There is no such file in the file store, or it is no RDB file, or one that is packed and too large.',
  },
  notFound: { status: 404, means: 'There is no such migration, or no such file of the console.' },
  bodyTooLarge: { status: 413, means: 'The body is larger than 64 KiB.' },
  tooManyStarts: { status: 429, means: 'Too many starts at once or in a row; `Retry-After` says when to try again.' },
  unreadable: { status: 500, means: "The migration's own row cannot be read; cancelling the migration ends it." },
  internal: { status: 500, means: 'Something unforeseen, which the log tells under the invocation that is named.' },
  redisUnreachable: {
    status: 502,
    means:
      'A Redis cannot be reached, does not let in, or lacks a right; the message names the connection and what to do.',
  },
  storeUnreachable: {
    status: 502,
    means: 'A file store cannot be reached, does not let in, or is not there; the message names it and what to do.',
  },
  storageUnavailable: {
    status: 503,
    means: "The app's own storage does not answer or does not let the app in; `Retry-After` says when to try again.",
  },
};
