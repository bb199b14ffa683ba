import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

type Binding = Readonly<Record<string, unknown>>;
interface Registrations {
  readonly files: readonly string[];
  readonly functions: readonly { readonly name: string; readonly bindings: Readonly<Record<string, Binding>> }[];
  readonly hooks: readonly string[];
}

let registrations: Registrations;

beforeAll(() => {
  // In a process of its own: the entry files must be loaded by the plain require of a worker.
  const script = path.join(__dirname, 'support/print-registrations.js');
  registrations = JSON.parse(execFileSync(process.execPath, [script], { encoding: 'utf8' })) as Registrations;
});

const durableClient = { type: 'durableClient', direction: 'in' };

const http = (method: string, route: string, authLevel = 'function', ...more: Binding[]) => [
  { type: 'httpTrigger', direction: 'in', methods: [method], route, authLevel },
  ...more,
  { type: 'http', direction: 'out' },
];

const queue = (queueName: string) => [
  { type: 'queueTrigger', direction: 'in', queueName, connection: 'AzureWebJobsStorage' },
];

const expected: Readonly<Record<string, readonly Binding[]>> = {
  cancelMigration: http('DELETE', 'migrations/{id}'),
  copyRange: queue('ranges'),
  failRange: queue('ranges-poison'),
  getConsole: http('GET', 'console/{file?}', 'anonymous'),
  getFindings: http('GET', 'migrations/{id}/findings'),
  getHistory: http('GET', 'migrations/{id}/history'),
  getMigration: http('GET', 'migrations/{id}'),
  getOpenApi: http('GET', 'openapi.json', 'anonymous'),
  getRanges: http('GET', 'migrations/{id}/ranges'),
