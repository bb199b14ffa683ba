import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startAzurite, type Azurite } from '../../local/azurite';
import { createConsoleLogger } from '../../local/logger';
import { createCoreModule, type CoreState } from '../../local/worker/core-module';
import { FunctionWorker } from '../../local/worker/function-worker';
import { readRecording, type RecordedInvocation } from './support/recording';

const log = createConsoleLogger({ stream: { write: () => true } });
const worker = new FunctionWorker(log);
const current: { state: CoreState } = { state: worker.state };
// Under the test runner modules do not come through Node's own loader, so the contract is given to it here.
jest.mock('@azure/functions-core', () => createCoreModule(() => current.state), { virtual: true });

const recording = readRecording();
const folder = mkdtempSync(path.join(tmpdir(), 'keyferry-replay-'));

/** Answers the durable client's calls in the order in which they were recorded. */
const management = createServer((request, response) => {
  const next = recording.management.findIndex(
    ({ request: recorded }) => recorded.method === request.method && recorded.path === request.url,
  );
  const [found] = next < 0 ? [] : recording.management.splice(next, 1);
  const { 'transfer-encoding': _, ...headers } = found?.response.headers ?? {};
  response.writeHead(found?.response.status ?? 599, headers).end(found?.response.body);
});

let azurite: Azurite;
let port: number;

beforeAll(async () => {
  azurite = await startAzurite(path.join(folder, 'azurite'), log);
  process.env.AzureWebJobsStorage = azurite.connectionString;
  process.env.FIXTURE_STATE = path.join(folder);
  await new Promise<void>((resolve) => {
    management.listen(0, '127.0.0.1', resolve);
  });
  port = (management.address() as AddressInfo).port;
  for (const name of ['http', 'queues', 'tally', 'watchdog']) {
    await import(path.join(__dirname, 'fixture-app/functions', `${name}.js`));
  }
});

afterAll(async () => {
  management.close();
  management.closeAllConnections();
  await azurite.close();
});

describe('what a real host has seen of the app', () => {
  test('the app registers here what it registered there', () => {
    const registered = Object.fromEntries(
      [...worker.functions].map(([name, { metadata }]) => {
        const { bindings, rawBindings } = metadata;
        return [name, { name: metadata.name, functionId: metadata.functionId, bindings, rawBindings }];
      }),
    );
    const expected = Object.fromEntries(
      Object.entries(recording.metadata).map(([name, { bindings, rawBindings }]) => [
        name,
        { name, functionId: name, bindings, rawBindings },
      ]),
    );
    expect(registered).toEqual(expected);
  });

  test.each(recording.invocations.map((invocation) => [invocation.n, invocation.function, invocation] as const))(
    'invocation %i, %s, is answered as there',
    async (_n, _name, recorded) => {
      const request = JSON.parse(JSON.stringify(recorded.request), bytes) as RecordedInvocation['request'];
      for (const input of request.inputData) {
        if (input.data.string) input.data.string = input.data.string.replaceAll(':17071/', `:${port}/`);
      }
      const answer = worker.invokeRequest(request);
      if (recorded.response) expect(comparable(await answer)).toEqual(comparable(recorded.response));
      else await expect(answer).rejects.toThrow();
    },
  );
});

function bytes(_name: string, value: unknown): unknown {
  const buffer = value as { type?: string; data?: number[] } | null;
  return buffer?.type === 'Buffer' && Array.isArray(buffer.data) ? Buffer.from(buffer.data) : value;
}

/** JSON texts by their value, bytes as text. */
function comparable(response: unknown): unknown {
  return JSON.parse(JSON.stringify(response), (name, value: unknown) => {
    if (name === 'json' && typeof value === 'string') return JSON.parse(value) as unknown;
    if (name === 'bytes' && typeof value === 'object' && value !== null) {
      return Buffer.from(Object.values(value) as number[]).toString('utf8');
    }
    return value;
  });
}
