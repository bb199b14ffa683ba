import type { RegisteredFunction } from '../worker/core-module';
import type { Invocation } from '../worker/function-worker';
import { bindingText, type InvocationResponse } from '../worker/core-types';
import { type HttpServer, toRouterPath } from './http-server';
import { readRequest, toHttpInvocation } from './http-request';
import { writeResponse } from './http-response';

/** What the list of functions shows of an HTTP function. */
export interface HttpEndpoint {
  methods: string[];
  /** With the prefix, in the route syntax of Azure Functions: `/api/migrations/{id}`. */
  path: string;
}

/**
 * Serves one HTTP function. No key is asked for, whatever the authLevel: the server listens on the loopback only, and takes nothing of
 * other servers' pages.
 * @param invoke runs the function with its inputs
 */
export function addHttpTrigger(
  server: HttpServer,
  routePrefix: string,
  registered: RegisteredFunction,
  bindingName: string,
  invoke: (invocation: Invocation) => Promise<InvocationResponse>,
): HttpEndpoint {
  const binding = registered.metadata.bindings[bindingName];
  const route = bindingText(binding, 'route') || registered.metadata.name;
  const methods = ((binding?.methods as string[] | undefined) ?? ['GET', 'POST']).map((name) => name.toUpperCase());
  const authLevel = bindingText(binding, 'authLevel') || 'anonymous';
  server.route(methods, toRouterPath(routePrefix, route), async (request, response, params) => {
    const { '*': rest, ...named } = params;
    const wildcard = /\{\*(\w+)\}/.exec(route)?.[1];
    const incoming = await readRequest(request, wildcard ? { ...named, [wildcard]: rest } : named);
    writeResponse(response, await invoke(toHttpInvocation(bindingName, authLevel, incoming)));
  });
  return { methods, path: `/${[routePrefix, route].filter(Boolean).join('/')}` };
}
