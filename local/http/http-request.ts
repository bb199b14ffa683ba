import type { IncomingMessage } from 'node:http';
import type { RpcClaimsIdentity, RpcHttpRequest, TypedData } from '../worker/core-types';
import type { Invocation } from '../worker/function-worker';
import { nullableString, parameter, rpcBytes, rpcJson, rpcString, scalarFields } from '../worker/rpc-data';

/** The parts of an HTTP request that a function sees. */
export interface IncomingRequest {
  method: string;
  /** Absolute. */
  url: string;
  /** Names and values as sent, one after the other, as in Node's `rawHeaders`. */
  rawHeaders: string[];
  params: Record<string, string | undefined>;
  body: Buffer;
}

/** A request that is answered by the server itself, with a status and no body. */
export class RequestRefusedError extends Error {
  constructor(
    readonly status: 400 | 413,
    message: string,
  ) {
    super(message);
    this.name = 'RequestRefusedError';
  }
}

/**
 * The largest body that is taken, as the Functions host reads it from this setting. Bytes. Azure takes 100 MB unless told
 * otherwise; on a machine of one's own nothing needs so much.
 */
const LARGEST_BODY_SETTING = 'FUNCTIONS_REQUEST_BODY_SIZE_LIMIT';
const LARGEST_BODY = 1_048_576;

/** A setting that is no number of bytes sets no limit aside. */
function largestBody(setting: string | undefined): number {
  return setting !== undefined && /^[1-9]\d{0,14}$/.test(setting.trim()) ? Number(setting) : LARGEST_BODY;
}

/** Reads a request to its end. `params` are those of its route. @throws RequestRefusedError */
export async function readRequest(
  request: IncomingMessage,
  params: Record<string, string | undefined>,
): Promise<IncomingRequest> {
  const url = `http://${request.headers.host ?? '127.0.0.1'}${request.url ?? '/'}`;
  if (!URL.canParse(url)) throw new RequestRefusedError(400, 'The Host header, or the path, is malformed.');
  const maxBytes = largestBody(process.env[LARGEST_BODY_SETTING]);
  const tooLarge = new RequestRefusedError(413, `The body is larger than ${maxBytes} bytes.`);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) throw tooLarge;
    chunks.push(chunk);
  }
  return {
    method: request.method ?? 'GET',
    url,
    rawHeaders: request.rawHeaders,
    params,
    body: Buffer.concat(chunks),
  };
}

/**
 * An HTTP request as the host hands it to the worker: names of headers in lower case, values of one name joined by
 * a comma, the body as bytes or null.
 * @param bindingName the name of the function's HTTP trigger binding
 * @param authLevel the trigger's level; what the caller is said to have been let in with
 */
export function toHttpInvocation(bindingName: string, authLevel: string, request: IncomingRequest): Invocation {
  const query = joinValues(new URL(request.url).searchParams);
  const spelledHeaders = joinValues(pairs(request.rawHeaders));
  const params = Object.fromEntries(
    Object.entries(request.params).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  ) as Record<string, string>;
  const http: RpcHttpRequest = {
    identities: [identity(authLevel)],
    cookies: [],
    headers: {},
    params: {},
    query: {},
    nullableHeaders: mapValues(spelledHeaders, nullableString, (name) => name.toLowerCase()),
    nullableParams: mapValues(params, nullableString),
    nullableQuery: mapValues(query, nullableString),
    method: request.method,
    url: request.url,
    body: request.body.length > 0 ? rpcBytes(request.body) : null,
    statusCode: '',
    enableContentNegotiation: false,
    rawBody: null,
  };
  const triggerMetadata: Record<string, TypedData> = {
    ...(request.body.length > 0 ? scalarFields(request.body.toString('utf8')) : {}),
    ...mapValues(query, rpcString),
    ...mapValues(params, rpcString),
    Query: rpcJson(query),
    Headers: rpcJson(mapValues(spelledHeaders, (value) => value, knownSpelling)),
  };
  return { inputData: [parameter(bindingName, { http, data: 'http' })], triggerMetadata };
}

function* pairs(rawHeaders: string[]): Generator<[string, string]> {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) yield [rawHeaders[i] ?? '', rawHeaders[i + 1] ?? ''];
}

function joinValues(entries: Iterable<[string, string]>): Record<string, string> {
  const joined: Record<string, string> = {};
  for (const [name, value] of entries) joined[name] = name in joined ? `${joined[name] ?? ''},${value}` : value;
  return joined;
}

function mapValues<T, U>(
  record: Record<string, T>,
  value: (value: T) => U,
  key: (name: string) => string = (name) => name,
): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([name, item]) => [key(name), value(item)]));
}

/** ASP.NET spells the headers it knows in its own way, whatever was sent; others stay as they came. */
function knownSpelling(name: string): string {
  const lower = name.toLowerCase();
  return /^(accept(-\w+)?|host|user-agent|content-(type|length|encoding)|connection|cookie|referer|origin|authorization|if-(none-)?match|cache-control|transfer-encoding)$/.test(
    lower,
  )
    ? lower.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())
    : name;
}

const claims = 'http://schemas.microsoft.com/2017/07/functions/claims/';

function identity(authLevel: string): RpcClaimsIdentity {
  const level = authLevel.charAt(0).toUpperCase() + authLevel.slice(1).toLowerCase();
  return {
    claims: [
      { value: level, type: `${claims}authlevel` },
      { value: 'true', type: `${claims}invoke` },
      { value: 'default', type: `${claims}keyid` },
    ],
    authenticationType: nullableString('WebJobsAuthLevel'),
    nameClaimType: nullableString('http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name'),
    roleClaimType: nullableString('http://schemas.microsoft.com/ws/2008/06/identity/claims/role'),
  };
}
