import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { toHttpHeadersLike, type RequestPolicy } from '@azure/core-http-compat';
import {
  createDefaultHttpClient,
  createHttpHeaders,
  createPipelineRequest,
  RestError,
  type HttpClient,
  type PipelineRequest,
  type PipelineResponse,
  type RequestBodyType,
} from '@azure/core-rest-pipeline';
import type { StorageClock } from './storage-clock';

/** Requests take a small part of a second; what has no answer after so long is asked again on another connection. */
const LONGEST_REQUEST_MS = 15_000;

/**
 * The HTTP client of all storage clients, whose own has no time-out: a connection that is open on this side only would hold a
 * request for ever. A request that takes too long ends with an error that the clients' own policies try again after, and the
 * idle connections, which may be no better than its own, are closed.
 */
export class BoundedHttp implements HttpClient {
  private readonly client = createDefaultHttpClient();
  private readonly agents = { http: new HttpAgent({ keepAlive: true }), https: new HttpsAgent({ keepAlive: true }) };

  /** @param clock told what each answer says of the time */
  constructor(
    private readonly longestMs = LONGEST_REQUEST_MS,
    private readonly clock?: Pick<StorageClock, 'hear'>,
  ) {}

  /** @throws RestError with code ETIMEDOUT */
  async sendRequest(request: PipelineRequest): Promise<PipelineResponse> {
    const { abortSignal, agent } = request;
    const tooLong = new AbortController();
    const timer = setTimeout(() => {
      tooLong.abort();
    }, this.longestMs);
    const passOn = (): void => {
      tooLong.abort();
    };
    abortSignal?.addEventListener('abort', passOn);
    request.abortSignal = tooLong.signal;
    request.agent ??= this.agents[request.url.startsWith('https:') ? 'https' : 'http'];
    const asked = performance.now();
    try {
      const response = await this.client.sendRequest(request);
      this.clock?.hear(response.headers.get('date'), asked);
      return response;
    } catch (error) {
      if (!tooLong.signal.aborted || abortSignal?.aborted === true) throw error;
      this.closeIdle();
      throw new RestError(`No answer from the storage account in ${this.longestMs} ms`, { code: 'ETIMEDOUT', request });
    } finally {
      clearTimeout(timer);
      abortSignal?.removeEventListener('abort', passOn);
      // The same request is sent again by the policies.
      Object.assign(request, { abortSignal, agent });
    }
  }

  private closeIdle(): void {
    for (const { freeSockets } of Object.values(this.agents)) {
      for (const socket of Object.values(freeSockets).flatMap((sockets) => sockets ?? [])) socket.destroy();
    }
  }
}

/** The same in the older shape that clients of queues take. */
export function asRequestPolicy(http: HttpClient): RequestPolicy {
  return {
    sendRequest: async (request) => {
      const { url, method, abortSignal } = request;
      const body = request.body as RequestBodyType;
      const headers = createHttpHeaders(request.headers.toJson({ preserveCase: true }));
      const more = { headers, allowInsecureConnection: true, ...(abortSignal === undefined ? {} : { abortSignal }) };
      const response = await http.sendRequest(createPipelineRequest({ url, method, body, ...more }));
      return { ...response, request, headers: toHttpHeadersLike(response.headers) };
    },
  };
}
