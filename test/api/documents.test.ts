import { Ajv2020 } from 'ajv/dist/2020';
import { openApiDocument } from '../../src/api/openapi';
import { getFindings, getHistory, getRanges, getReport, listReports } from '../../src/api/read-migrations';
import { readSurveyReport } from '../../src/api/read-survey-report';
import { startMigration } from '../../src/start/start-migration';
import { startPhase } from '../../src/tally/start-phase';
import { visitMigration } from '../../src/tally/tally-visit';
import { workOnRange } from '../../src/work/range-worker';
import { startServiceProxy } from '../tools/service-proxy';
import type { Proxy } from '../../local/servers/proxy';
import { aRequest } from '../tools/rows';
import { makeTestApp, type TestApp } from '../tools/test-app';
import { startTestServer, type TestServer } from '../tools/test-server';
import { startTestStorage, type TestStorage } from '../tools/test-storage';

let storage: TestStorage;
let source: TestServer;
let target: TestServer;
let mute: Proxy;
let app: TestApp;

beforeAll(async () => {
  [storage, source, target] = await Promise.all([
    startTestStorage(),
    startTestServer('redis-6.0'),
    startTestServer('redis-7.0'),
  ]);
  mute = await startServiceProxy(source.server.port, {
    sections: ['keyspace', 'commandstats', 'stats', 'memory', 'replication', 'persistence'],
    fields: ['run_id'],
    commands: ['dbsize'],
  });
  app = await makeTestApp({
    AzureWebJobsStorage: storage.connectionString,
    REDIS_OLD: source.server.url,
    REDIS_NEW: target.server.url,
    REDIS_MUTE: mute.url,
  });
  await source.client.eval("for i = 1, ARGV[1] do redis.call('SET', 'key:' .. i, i) end", 0, 1_000);
});
afterEach(() => target.client.flushall());
afterAll(async () => {
  app.connections.close();
  await mute.close();
  await Promise.all([source.close(), target.close(), storage.close()]);
});

/** No field may be there that the schema does not have, which answers over HTTP may get in later versions. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, closed(value)]));
  return 'properties' in inner && !('additionalProperties' in inner)
    ? { ...inner, additionalProperties: false }
    : inner;
}

const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addSchema({ $id: 'api', ...(closed(openApiDocument()) as object) });

function expectDocument(name: string, document: unknown): void {
  const check = ajv.compile({ $ref: `api#/components/schemas/${name}` });
  check(JSON.parse(JSON.stringify(document)));
  expect(check.errors ?? []).toEqual([]);
}

async function expectAllDocuments(id: string): Promise<void> {
  expectDocument('Migration', await getReport(id, app));
  expectDocument('MigrationList', await listReports(app));
  expectDocument('Ranges', await getRanges(id, app));
  expectDocument('History', await getHistory(id, app));
  expectDocument('Findings', await getFindings(id, 10, undefined, app));
}

it.each<[string, Record<string, unknown>]>([
  ['a copy', {}],
  ['a copy with conflicts', { onConflict: 'skip', verify: 'full' }],
  ['a copy from a server that tells no numbers', { source: 'MUTE', databases: [0], verify: 'full' }],
  ['a copy that converts', { convert: ['aspnet-session-v5'] }],
  ['a dry run', { mode: 'dry-run', onConflict: 'skip' }],
  ['a dry run that could not be a copy', { mode: 'dry-run', databases: { '0': 99 } }],
  ['a comparison', { mode: 'compare' }],
  ['a sync', { mode: 'sync', deleteExtra: true, force: true }],
])('of %s every document is as its schema says, from the beginning to the end', async (_, changes) => {
  const wanted = aRequest(changes);
  await target.client.set('extra', 'x');
  const { id } = await startMigration(wanted, app);
  const survey = async () => {
    if (wanted.mode === 'dry-run') expectDocument('SurveyReport', await readSurveyReport(id, app));
  };
  await expectAllDocuments(id);
  await survey();
  for (let ended = false; !ended;) {
    for (let messages = await app.takeMessages(); messages.length > 0; messages = await app.takeMessages()) {
      for (const message of messages) await workOnRange(message, app);
    }
    const visit = await visitMigration(id, app);
    await expectAllDocuments(id);
    ended = visit?.finished === true;
    if (visit?.due) await startPhase(id, visit.due, app);
  }
  await survey();
});
