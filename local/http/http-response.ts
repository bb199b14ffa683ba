import type { ServerResponse } from 'node:http';
import type { InvocationResponse, RpcHttpCookie, RpcHttpResponse, TypedData } from '../worker/core-types';

/**
 * Writes what an HTTP function answered. A function that returned nothing is answered with 204, as by the host.
 * @throws TypeError when the response names a status that is no number
 */
export function writeResponse(response: ServerResponse, invocation: InvocationResponse): void {
  const http = invocation.returnValue?.http as RpcHttpResponse | undefined;
  if (!http) {
    response.writeHead(204).end();
    return;
  }
  const status = Number(http.statusCode ?? '200');
  if (!Number.isInteger(status)) throw new TypeError(`Not an HTTP status: ${http.statusCode ?? ''}`);
  for (const [name, value] of Object.entries(http.headers ?? {})) response.setHeader(name, value);
  const cookies = (http.cookies ?? []).map(formatCookie);
  if (cookies.length > 0) response.setHeader('Set-Cookie', cookies);
  const body = bodyBytes(http.body);
  if (body.length > 0 || (status !== 204 && status !== 304)) response.setHeader('Content-Length', body.length);
  response.writeHead(status).end(body);
}

function bodyBytes(body: TypedData | null | undefined): Uint8Array {
  if (body?.bytes) return body.bytes;
  return Buffer.from(body?.string ?? body?.json ?? '');
}

const sameSite: Record<string, string> = { lax: 'Lax', strict: 'Strict', explicitNone: 'None' };

/** A `Set-Cookie` value (RFC 6265). */
export function formatCookie(cookie: RpcHttpCookie): string {
  const parts = [`${encodeURIComponent(cookie.name ?? '')}=${encodeURIComponent(cookie.value ?? '')}`];
  const seconds = cookie.expires?.value?.seconds;
  if (cookie.domain?.value) parts.push(`Domain=${cookie.domain.value}`);
  if (cookie.path?.value) parts.push(`Path=${cookie.path.value}`);
  if (cookie.maxAge?.value !== undefined) parts.push(`Max-Age=${cookie.maxAge.value}`);
  if (seconds !== undefined) parts.push(`Expires=${new Date(seconds * 1000).toUTCString()}`);
  if (cookie.secure?.value) parts.push('Secure');
  if (cookie.httpOnly?.value) parts.push('HttpOnly');
  const site = sameSite[cookie.sameSite ?? ''];
  if (site) parts.push(`SameSite=${site}`);
  return parts.join('; ');
}
