import { execFileSync } from 'node:child_process';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020';
import { CLOSED_PORT } from '../../local/servers/free-port';
import type { Answer, AppProcess } from '../tools/app-process';
import { fill } from './support/fill';
import { Stage, type Side } from '../tools/stage';

interface OpenApi {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, { responses: Readonly<Record<string, unknown>> }>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

const stage = new Stage();
let app: AppProcess;
let document: OpenApi;
let old: Side;
let neu: Side;

beforeAll(async () => {
  old = await stage.side('redis-6.0');
  neu = await stage.side('redis-7.0');
  await fill(old, 1_000);
  app = await stage.app({
    ...stage.connections({ OLD: old, NEW: neu }),
    REDIS_CLOSED: `redis://127.0.0.1:${CLOSED_PORT}`,
    SCHEDULED_MIGRATION_LATER: JSON.stringify({
      when: { window: { day: 'Sunday', at: '02:00', zone: 'Europe/Berlin' }, before: 'PT2H' },
      migration: { source: 'OLD', target: 'NEW' },
    }),
    SCHEDULED_MIGRATION_WRONG: '{}',
  });
  const answer = await app.request<OpenApi>('GET', '/api/openapi.json');
  expect(answer.status).toBe(200);
  document = answer.body;
});

afterAll(() => stage.clear());

function validator(schema: object): ValidateFunction {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  ajv.addSchema({ $id: 'api', ...document });
  return ajv.compile(schema);
}

/** Checks an answer against the document: the status must be foreseen, the body as its schema says. */
function expectAsDocumented(method: string, route: string, { status, body }: Answer): void {
  const responses = document.paths[route]?.[method]?.responses ?? {};
  expect(Object.keys(responses)).toContain(String(status));
  const pointer = `${route.replaceAll('~', '~0').replaceAll('/', '~1')}/${method}/responses/${status}`;
  const check = validator({ $ref: `api#/paths/${encodeURI(pointer)}/content/application~1json/schema` });
  check(body);
  expect(check.errors ?? []).toEqual([]);
}

it('is a valid OpenAPI 3.1 document', () => {
  expect(document.openapi).toMatch(/^3\.1\./);
  // The validator has parts that are ES modules, which Node loads and jest does not.
  const validate = `
    const { validate } = require('@apidevtools/swagger-parser');
    const given = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
    validate(given).then(() => console.log('valid'), (error) => console.log(error.message));`;
  const input = JSON.stringify(document);
  expect(execFileSync(process.execPath, ['-e', validate], { cwd: __dirname, input, encoding: 'utf8' }).trim()).toBe(
    'valid',
  );
});

it('names every route that the app has', () => {
  const routes = Object.entries(document.paths).flatMap(([route, methods]) =>
    Object.keys(methods).map((method) => `${method} ${route}`),
  );
  expect(routes.sort()).toEqual([
    'delete /api/migrations/{id}',
    'get /api/migrations',
    'get /api/migrations/{id}',
    'get /api/migrations/{id}/findings',
    'get /api/migrations/{id}/history',
    'get /api/migrations/{id}/ranges',
    'get /api/migrations/{id}/report',
    'get /api/schedules',
    'post /api/migrations',
    'post /api/migrations/{id}/cutover',
  ]);
});

it('describes the requests that the app takes, and those that it refuses', async () => {
  const check = validator({ $ref: 'api#/components/schemas/MigrationRequest' });
  const good = [
    { source: 'OLD', target: 'NEW' },
    { source: 'OLD', target: 'NEW', databases: [0], select: { match: ['key:*'] }, limits: { parallelRanges: 1 } },
    { source: 'OLD', target: 'NEW', databases: { '0': 3 }, onConflict: 'skip', verify: 'none', requestId: 'once' },
  ];
  for (const request of good) {
    expect(check(request)).toBe(true);
    expect(await app.run(request)).toMatchObject({ state: 'completed' });
  }
  for (const request of [
    { source: 'OLD' },
    { source: 'OLD', mode: 'dry-run' },
    { source: { rdb: 'NONE', file: 'x.rdb' }, target: null },
    { source: 'OLD', target: 'NEW', more: 1 },
    { source: 1, target: 'NEW' },
  ]) {
    expect(check(request)).toBe(false);
    await app.refused(request);
  }
});

it('describes every answer of the app', async () => {
  const list = '/api/migrations';
  const one = '/api/migrations/{id}';
  const request = { source: 'OLD', target: 'NEW', limits: { keysPerSecond: 100 } };
  const started = await app.request<{ id: string }>('POST', list, request);
  const { id } = started.body;
  expectAsDocumented('post', list, started);
  expect(started.headers.get('location')).toBe(`${app.url}/api/migrations/${id}`);
  expect(Number(started.headers.get('retry-after'))).toBeGreaterThan(0);
  expectAsDocumented('get', one, await app.request('GET', `${list}/${id}`));
  await app.reportWhen(id, ({ counts }) => counts.scanned > 0);
  expectAsDocumented('get', one, await app.request('GET', `${list}/${id}`));
  for (const part of ['ranges', 'history']) {
    expectAsDocumented('get', `${one}/${part}`, await app.request('GET', `${list}/${id}/${part}`));
    expectAsDocumented('get', `${one}/${part}`, await app.request('GET', `${list}/none/${part}`));
  }
  expectAsDocumented('get', list, await app.request('GET', list));
  expectAsDocumented('post', list, await app.request('POST', list, request));
  expectAsDocumented('delete', one, await app.request('DELETE', `${list}/${id}`));
  await app.finished(id);
  expectAsDocumented('get', one, await app.request('GET', `${list}/${id}`));
  expectAsDocumented('get', `${one}/findings`, await app.request('GET', `${list}/${id}/findings`));
  expectAsDocumented('get', `${one}/findings`, await app.request('GET', `${list}/none/findings`));
  expectAsDocumented('get', `${one}/findings`, await app.request('GET', `${list}/${id}/findings?limit=0`));
  expectAsDocumented('get', one, await app.request('GET', `${list}/none`));
  expectAsDocumented('delete', one, await app.request('DELETE', `${list}/none`));
  expectAsDocumented('post', list, await app.request('POST', list, { nothing: 'right' }));
  expectAsDocumented('post', list, await app.request('POST', list, { source: 'CLOSED', target: 'NEW' }));
  expectAsDocumented('get', '/api/schedules', await app.request('GET', '/api/schedules'));
});
