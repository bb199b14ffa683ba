import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import createRouter, { type HTTPMethod } from 'find-my-way';
import type { Logger } from '../logger';
import { portError } from '../ports';
import { messageOf } from '../worker/function-worker';
import { foreignBy } from './foreign-requests';
import { RequestRefusedError } from './http-request';

export type Params = Record<string, string | undefined>;
export type RouteHandler = (request: IncomingMessage, response: ServerResponse, params: Params) => Promise<void>;

/** An HTTP server on 127.0.0.1 with the manners of the Functions host: 404 and 500 have no body. Pages of other servers are refused. */
export class HttpServer {
  private readonly router = createRouter({
    ignoreTrailingSlash: true,
    ignoreDuplicateSlashes: true,
    caseSensitive: false,
    maxParamLength: 1024,
    defaultRoute: (_request, response) => {
      response.writeHead(404).end();
    },
  });
  private readonly server: Server;
  private closing = false;

  constructor(private readonly log: Logger) {
    this.server = createServer((request, response) => {
      if (this.closing && !request.url?.startsWith('/durabletask/'))
        response.writeHead(503, { Connection: 'close' }).end();
      else if (!refuseForeign(request, response)) this.router.lookup(request, response);
    });
  }

  /** Adds a route in find-my-way's own syntax. */
  route(methods: string[], path: string, handler: RouteHandler): void {
    this.router.on(methods as HTTPMethod[], path, (request, response, params) => {
      const incoming = request;
      const outgoing = response;
      handler(incoming, outgoing, params).catch((error: unknown) => {
        this.log.error(`${incoming.method ?? ''} ${incoming.url?.split('?')[0] ?? ''}: ${messageOf(error)}`);
        // What of a refused body is still to come is not read.
        const refused = error instanceof RequestRefusedError;
        if (!outgoing.headersSent)
          outgoing.writeHead(refused ? error.status : 500, refused ? { Connection: 'close' } : {});
        outgoing.end();
      });
    });
  }

  /**
   * Starts to listen; 0 takes a free port.
   * @returns the port
   * @throws Error that names the port when it is taken
   */
  async listen(port: number): Promise<number> {
    this.server.listen(port, '127.0.0.1');
    try {
      await once(this.server, 'listening');
    } catch (error) {
      throw portError(port, error);
    }
    return (this.server.address() as AddressInfo).port;
  }

  /** Refuses new requests with 503; those that run go on, and may still use the durable client. */
  refuse(): void {
    this.closing = true;
  }

  /** Ends the server and what is still connected. */
  async close(): Promise<void> {
    this.closing = true;
    if (!this.server.listening) return;
    await new Promise<void>((resolve) => {
      this.server.close(() => {
        resolve();
      });
      this.server.closeIdleConnections();
      setTimeout(() => {
        this.server.closeAllConnections();
      }, 200).unref();
    });
  }
}

/** Answers what a page of another server sends; true where it did. */
function refuseForeign(request: IncomingMessage, response: ServerResponse): boolean {
  const reason = foreignBy(request);
  if (reason === undefined) return false;
  response.writeHead(403, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' }).end(reason);
  return true;
}

/**
 * A route of an HTTP trigger in the router's syntax: `migrations/{id}` → `/api/migrations/:id`. Constraints (`{id:int}`)
 * are left out but for `int`; `{*rest}` takes everything that follows.
 */
export function toRouterPath(prefix: string, route: string): string {
  const path = [prefix, route].filter(Boolean).join('/').replace(/\/+/g, '/');
  return `/${path.replace(/\{([^}]+)\}/g, (_, inside: string) => {
    if (inside.startsWith('*')) return '*';
    const [name = '', constraint = ''] = inside.split(':');
    const bare = name.replace(/[?=].*$/, '');
    const optional = name.includes('?') || constraint.endsWith('?') ? '?' : '';
    return `:${bare}${constraint.startsWith('int') ? '(^\\d+$)' : ''}${optional}`;
  })}`;
}
