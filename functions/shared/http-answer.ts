import type { HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import type { ErrorDocument } from '../../src/api/documents';
import { safeText } from '../../src/basics/safe-text';
import { NewerRowError, UnreadableRowError } from '../../src/ledger/row-schemas';
import { FileError } from '../../src/files/file-error';
import { StorageError } from '../../src/ledger/storage-error';
import { PlanRefusedError } from '../../src/migration/plan-refusals';
import { BadRequestError, type RequestMistake } from '../../src/migration/request';
import { errorCodes, type ErrorCode } from '../../src/api/error-codes';
import { TooManyStartsError } from '../../src/api/start-limit';
import { ConnectionSettingsError } from '../../src/redis/connection-settings';
import { RedisError } from '../../src/redis/errors';

/** A body above this is refused before it is read as JSON. Bytes. */
const LARGEST_BODY = 64 * 1_024;

/** Seconds. */
const TRY_AGAIN = { 'retry-after': '5' };

/** The body is larger than any request needs to be. */
class BodyTooLargeError extends Error {}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): HttpResponseInit {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', ...headers },
    body: JSON.stringify(body),
  };
}

/** Every error has the same shape. */
export function errorAnswer(
  code: ErrorCode,
  message: string,
  { details = [], headers = {} }: { details?: readonly RequestMistake[]; headers?: Record<string, string> } = {},
): HttpResponseInit {
  const body: ErrorDocument = { error: { code, message, details } };
  return json(errorCodes[code].status, body, headers);
}

export function notFound(id: string): HttpResponseInit {
  return errorAnswer('notFound', `There is no migration "${safeText(id, 100)}".`);
}

/** Reads a request's JSON. @throws BadRequestError when it is none, BodyTooLargeError before it is looked at */
export async function readJson(request: HttpRequest): Promise<unknown> {
  return parsed(await readText(request));
}

/** The same where there may be no body, which stands for one without fields. */
export async function readJsonIfAny(request: HttpRequest): Promise<unknown> {
  const text = await readText(request);
  return text === '' ? {} : parsed(text);
}

async function readText(request: HttpRequest): Promise<string> {
  if (Number(request.headers.get('content-length')) > LARGEST_BODY) throw new BodyTooLargeError();
  const text = await request.text();
  if (Buffer.byteLength(text) > LARGEST_BODY) throw new BodyTooLargeError();
  return text;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new BadRequestError([{ path: '', message: 'the body is not JSON' }]);
  }
}

/** There is no file of the name that can be read. */
const NONE: readonly FileError['trouble'][] = ['noFile', 'noRdb', 'packedTooLarge'];

function codeOfFileError({ trouble }: FileError): ErrorCode {
  if (trouble === 'exists') return 'fileExists';
  return NONE.includes(trouble) ? 'noSuchFile' : 'storeUnreachable';
}

/** Turns what src throws into answers; what is not foreseen becomes a 500 without details, which are in the log. */
export async function answering(
  context: InvocationContext,
  handle: () => Promise<HttpResponseInit>,
): Promise<HttpResponseInit> {
  try {
    return await handle();
  } catch (error) {
    if (error instanceof BadRequestError) {
      return errorAnswer('badRequest', error.message, { details: error.mistakes });
    }
    if (error instanceof BodyTooLargeError) {
      return errorAnswer('bodyTooLarge', `The body is larger than ${LARGEST_BODY} bytes.`);
    }
    if (error instanceof TooManyStartsError) {
      return errorAnswer('tooManyStarts', error.message, { headers: TRY_AGAIN });
    }
    if (error instanceof StorageError) {
      context.warn('No storage', error.message);
      return errorAnswer('storageUnavailable', error.message, { headers: TRY_AGAIN });
    }
    if (error instanceof PlanRefusedError) {
      return errorAnswer(error.code, error.message, { details: error.details });
    }
    if (error instanceof UnreadableRowError) {
      context.error('Unreadable row', error.message);
      const advice = error instanceof NewerRowError ? '' : ' Cancelling the migration ends it.';
      return errorAnswer('unreadable', `${error.message}.${advice}`);
    }
    if (error instanceof ConnectionSettingsError) return errorAnswer('badConnection', error.message);
    if (error instanceof RedisError) return errorAnswer('redisUnreachable', error.message);
    if (error instanceof FileError) return errorAnswer(codeOfFileError(error), error.message);
    context.error('Unforeseen error', error instanceof Error ? error.stack : error);
    return errorAnswer(
      'internal',
      `Something unforeseen went wrong; look for invocation ${context.invocationId} in the logs.`,
    );
  }
}
