import { app, type HttpRequest, type HttpResponseInit, type InvocationContext } from '@azure/functions';
import * as df from 'durable-functions';
import { getApp } from '../src/app/app';
import { parseMigrationRequest } from '../src/migration/request';
import { startMigration } from '../src/migration/start-migration';
import { answering, json, readJson } from './shared/http-answer';
import { ensureTally } from './shared/tally-starter';

async function handler(request: HttpRequest, context: InvocationContext): Promise<HttpResponseInit> {
  return await answering(context, async () => {
    const migration = await startMigration(parseMigrationRequest(await readJson(request)), getApp());
    await ensureTally(context, migration.id);
    const { id, state } = migration;
    const statusUrl = new URL(`/api/migrations/${id}`, request.url).toString();
    context.info('Migration started', { id });
    return json(202, { id, state, statusUrl }, { location: statusUrl, 'retry-after': '2' });
  });
}

app.http('startMigration', {
  methods: ['POST'],
  authLevel: 'function',
  route: 'migrations',
  extraInputs: [df.input.durableClient()],
  handler,
});
