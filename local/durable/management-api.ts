import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpServer, Params } from '../http/http-server';
import { readRequest } from '../http/http-request';
import { creationPayload, type DurableEndpoints } from './client-binding';
import type { InstanceRecord, RuntimeStatus } from './instance-store';
import { shownHistory } from './shown-history';
import { DurableError, type OrchestrationEngine } from './orchestration-engine';

type Answer = { status: number; headers?: Record<string, string>; body?: unknown } | undefined;
type Handler = (call: { params: Params; query: URLSearchParams; body: string; url: string }) => Promise<Answer>;

/**
 * The HTTP endpoints of the Durable Task extension, at both places where the client library looks for them.
 * Source: Azure/azure-functions-durable-extension, HttpApiHandler.cs; shapes as in test/fixtures/functions-host.json.
 */
export function addManagementApi(
  server: HttpServer,
  engine: OrchestrationEngine,
  endpoints: () => DurableEndpoints,
): void {
  const start: Handler = async ({ params, body }) => {
    const id = await engine.start(params.name ?? '', body === '' ? null : validJson(body), params.id);
    const payload = creationPayload(endpoints(), id);
    return {
      status: 202,
      headers: { location: payload.statusQueryGetUri ?? '', 'retry-after': '10' },
      body: payload,
    };
  };
  const accepted = { status: 202 };
  const routes: [method: string, path: string, handler: Handler][] = [
    ['POST', '/orchestrators/:name', start],
    ['POST', '/orchestrators/:name/:id', start],
    ['GET', '/instances', async ({ query }) => listInstances(engine, query)],
    ['DELETE', '/instances', async ({ query }) => purgeInstances(engine, query)],
    ['GET', '/instances/:id', async ({ params, query, url }) => getInstance(engine, params.id ?? '', query, url)],
    [
      'DELETE',
      '/instances/:id',
      async ({ params }) => {
        await engine.purge(params.id ?? '');
        return { status: 200, body: { instancesDeleted: 1 } };
      },
    ],
    [
      'POST',
      '/instances/:id/raiseEvent/:event',
      async ({ params, body }) => {
        await engine.raiseEvent(params.id ?? '', params.event ?? '', body === '' ? null : validJson(body));
        return accepted;
      },
    ],
    [
      'POST',
      '/instances/:id/terminate',
      async ({ params, query }) => {
        await engine.terminate(params.id ?? '', query.get('reason') ?? '');
        return accepted;
      },
    ],
    [
      'POST',
      '/instances/:id/suspend',
      async ({ params }) => {
        await engine.setSuspended(params.id ?? '', true);
        return accepted;
      },
    ],
    [
      'POST',
      '/instances/:id/resume',
      async ({ params }) => {
        await engine.setSuspended(params.id ?? '', false);
        return accepted;
      },
    ],
    // eslint-disable-next-line @typescript-eslint/require-await
    ['POST', '/instances/:id/rewind', async () => ({ status: 501, body: { Message: 'Rewind is not supported.' } })],
  ];
  for (const prefix of ['/durabletask', '/runtime/webhooks/durabletask']) {
    for (const [method, path, handler] of routes) {
      server.route([method], prefix + path, async (request, response, params) => {
        await answer(request, response, params, handler);
      });
    }
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  params: Params,
  handler: Handler,
): Promise<void> {
  const { url, body } = await readRequest(request, params);
  let result: Answer;
  try {
    result = await handler({ params, query: new URL(url).searchParams, body: body.toString('utf8'), url });
  } catch (error) {
    if (!(error instanceof DurableError)) throw error;
    result = { status: error.status, ...(error.message ? { body: { Message: error.message } } : {}) };
  }
  const text = result?.body === undefined ? '' : JSON.stringify(result.body);
  response.writeHead(result?.status ?? 404, {
    ...result?.headers,
    ...(text ? { 'content-type': 'application/json; charset=utf-8' } : {}),
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

function validJson(text: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch {
    throw new DurableError(400, 'Invalid JSON content');
  }
}

const flag = (query: URLSearchParams, name: string, otherwise: boolean): boolean =>
  query.has(name) ? query.get(name)?.toLowerCase() === 'true' : otherwise;

async function getInstance(
  engine: OrchestrationEngine,
  id: string,
  query: URLSearchParams,
  url: string,
): Promise<Answer> {
  const record = await engine.get(id);
  if (!record) return undefined;
  const status = toStatus(record, flag(query, 'showInput', true));
  if (flag(query, 'showHistory', false)) {
    status.historyEvents = shownHistory(await engine.history(record), flag(query, 'showHistoryOutput', false));
  }
  const going = ['Pending', 'Running', 'Suspended'].includes(record.status);
  return {
    status: going ? 202 : 200,
    ...(going ? { headers: { location: url, 'retry-after': '5' } } : {}),
    body: status,
  };
}

async function listInstances(engine: OrchestrationEngine, query: URLSearchParams): Promise<Answer> {
  const records = await filtered(engine, query);
  const shown = records.map((record) => toStatus(record, flag(query, 'showInput', false)));
  return { status: 200, headers: { 'x-ms-continuation-token': '' }, body: shown };
}

async function purgeInstances(engine: OrchestrationEngine, query: URLSearchParams): Promise<Answer> {
  if (!query.has('createdTimeFrom'))
    throw new DurableError(400, "Please provide value for 'createdTimeFrom' parameter.");
  const records = await filtered(engine, query);
  const done = records.filter((record) => ['Completed', 'Failed', 'Terminated'].includes(record.status));
  for (const record of done) await engine.purge(record.instanceId);
  return done.length === 0 ? undefined : { status: 200, body: { instancesDeleted: done.length } };
}

async function filtered(engine: OrchestrationEngine, query: URLSearchParams): Promise<InstanceRecord[]> {
  const statuses = query.getAll('runtimeStatus').flatMap((value) => value.split(',')) as RuntimeStatus[];
  const from = Date.parse(query.get('createdTimeFrom') ?? '');
  const to = Date.parse(query.get('createdTimeTo') ?? '');
  const prefix = query.get('instanceIdPrefix') ?? '';
  const records = await engine.list(statuses.length > 0 ? statuses : undefined);
  return records.filter((record) => {
    const created = Date.parse(record.createdAt);
    // A limit that is no date compares false, and so is none.
    return !(created < from) && !(created > to) && record.instanceId.startsWith(prefix);
  });
}

/** The fields in the order and the precision of the extension. */
function toStatus(record: InstanceRecord, showInput: boolean): Record<string, unknown> {
  const json = (text: string | null): unknown => (text === null ? null : JSON.parse(text));
  const seconds = (time: string): string => `${time.slice(0, 19)}Z`;
  return {
    name: record.name,
    instanceId: record.instanceId,
    runtimeStatus: record.status,
    input: showInput ? json(record.input) : null,
    customStatus: json(record.customStatus),
    output: json(record.output),
    createdTime: seconds(record.createdAt),
    lastUpdatedTime: seconds(record.updatedAt),
  };
}
