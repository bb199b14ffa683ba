import type { IncomingHttpHeaders } from 'node:http';

/** Names by which a client on this machine calls it. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

/** What a browser says of a page that is the server's own, or of somebody who typed the address. */
const OWN_SITES = ['none', 'same-origin'];

/**
 * Why a request is not taken: it was made by a page of another server, which any browser on this machine may have open. Nobody is asked for
 * a key here, so that such a page could give orders (cross-site request forgery), or read answers under a name of its own that leads to
 * 127.0.0.1 (DNS rebinding). Undefined for what the machine's own programs send, and the server's own pages.
 */
export function foreignBy({
  method,
  headers,
}: {
  readonly method?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}): string | undefined {
  const { host = '', origin } = headers;
  if (!LOOPBACK.test(host)) return 'The Host header names another machine than this one.';
  if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`) {
    return 'The request comes from a page of another server.';
  }
  const site = textOf(headers['sec-fetch-site']);
  if (site === undefined || OWN_SITES.includes(site) || isVisit(method, headers)) return undefined;
  return 'The request comes from a page of another server.';
}

/** A link was followed: the page that has it cannot read what it leads to, and nothing is changed by it. */
function isVisit(method: string | undefined, headers: IncomingHttpHeaders): boolean {
  return (
    method === 'GET' &&
    textOf(headers['sec-fetch-mode']) === 'navigate' &&
    textOf(headers['sec-fetch-dest']) === 'document'
  );
}

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(',') : header;
}
