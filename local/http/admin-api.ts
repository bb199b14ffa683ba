import { readRequest } from './http-request';
import type { HttpServer } from './http-server';
import { carriesKey } from './master-key';

/**
 * `GET /admin/host/status` for those who wait until the host is up (with no key, as of Core Tools), and
 * `POST /admin/functions/{name}` with the master key and a body `{"input":"…"}`: runs a function at once that no HTTP
 * request triggers. It answers 202 before the function has run.
 * Source: Azure/azure-functions-host, FunctionController.Invoke.
 * @param run starts the function with its trigger's input; undefined where there is none of that name
 */
export function addAdminApi(
  server: HttpServer,
  masterKey: string,
  run: (name: string, input: string) => Promise<void> | undefined,
): void {
  server.route(['GET'], '/admin/host/status', (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"state":"Running"}');
    return Promise.resolve();
  });
  server.route(['POST'], '/admin/functions/:name', async (request, response, params) => {
    const answer = (status: number) => response.writeHead(status, { 'content-length': 0 }).end();
    if (!carriesKey(request, masterKey)) return void answer(401);
    if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) return void answer(415);
    const { body } = await readRequest(request, params);
    const input = inputOf(body.toString('utf8'));
    if (input === undefined) return void answer(400);
    const started = run(params.name ?? '', input);
    answer(started === undefined ? 404 : 202);
    await started;
  });
}

/** The `input` of a body, empty where it has none; undefined for what is no JSON object. */
function inputOf(body: string): string | undefined {
  try {
    const invocation = JSON.parse(body) as unknown;
    if (typeof invocation !== 'object' || invocation === null) return undefined;
    const { input } = invocation as { input?: unknown };
    if (input === undefined || input === null) return '';
    return typeof input === 'string' ? input : JSON.stringify(input);
  } catch {
    return undefined;
  }
}
