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
  cutoverMigration: http('POST', 'migrations/{id}/cutover'),
  failRange: queue('ranges-poison'),
  followSource: queue('live'),
  getConsole: http('GET', 'console/{file?}', 'anonymous'),
  getFindings: http('GET', 'migrations/{id}/findings'),
  getHistory: http('GET', 'migrations/{id}/history'),
  getMigration: http('GET', 'migrations/{id}'),
  getReport: http('GET', 'migrations/{id}/report'),
  getOpenApi: http('GET', 'openapi.json', 'anonymous'),
  getRanges: http('GET', 'migrations/{id}/ranges'),
  getSchedules: http('GET', 'schedules'),
  listMigrations: http('GET', 'migrations'),
  scheduled: [{ type: 'timerTrigger', direction: 'in', schedule: '0 * * * * *' }, durableClient],
  startMigration: http('POST', 'migrations', 'function', durableClient),
  sumRanges: [{ type: 'activityTrigger', direction: 'in' }],
  tally: [{ type: 'orchestrationTrigger', direction: 'in' }],
  watchdog: [{ type: 'timerTrigger', direction: 'in', schedule: '0 * * * * *' }, durableClient],
};

it('the entry files register exactly the functions of the app, bound as they must be', () => {
  const found = registrations.functions.map(({ name, bindings }) => [name, Object.values(bindings).map(essence)]);
  expect(Object.fromEntries(found)).toEqual(expected);
  expect(found).toHaveLength(Object.keys(expected).length);
});

it('the app looks after open migrations when the host starts, and ends its connections when the host ends', () => {
  expect(registrations.hooks).toEqual(['appStart', 'appTerminate']);
});

it('package.json names the built files, one for each file in functions/', () => {
  const root = path.resolve(__dirname, '../..');
  const { main } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { main: string };
  expect(main).toBe('dist/functions/*.js');
  expect(registrations.files).toContain('dist/functions/tally.js');
});

/** A binding without its generated name and what the library adds to each. */
function essence(binding: Binding): Binding {
  return Object.fromEntries(Object.entries(binding).filter(([field]) => field !== 'name' && field !== 'properties'));
}
