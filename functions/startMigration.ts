import { app, type HttpRequest, type HttpResponseInit, type InvocationContext } from '@azure/functions';
import * as df from 'durable-functions';
import { getApp } from '../src/app/app';
import { parseMigrationRequest } from '../src/migration/request';
import { startMigration } from '../src/start/start-migration';
import type { Started } from '../src/api/documents';
import { StartLimit } from '../src/api/start-limit';
import { answering, json, readJson } from './shared/http-answer';
import { getKeeper } from './shared/keeper';
import { ensureTally } from './shared/tally-starter';

/** Of one instance. */
const limit = new StartLimit(16, 60);

async function handler(request: HttpRequest, context: InvocationContext): Promise<HttpResponseInit> {
  return await answering(context, async () => {
    const wanted = parseMigrationRequest(await readJson(request));
    const traceparent = request.headers.get('traceparent') ?? undefined;
    const start = () => getApp().telemetry.inStart(traceparent, () => startMigration(wanted, getApp()));
    const migration = await limit.run(start);
    getKeeper().wake();
    await ensureTally(context, migration.id);
    const { id, state } = migration;
    const statusUrl = new URL(`/api/migrations/${id}`, request.url).toString();
    const started: Started = { id, state, statusUrl };
    context.info('Migration started', { id });
    return json(202, started, { location: statusUrl, 'retry-after': '2' });
  });
}

app.http('startMigration', {
  methods: ['POST'],
  authLevel: 'function',
  route: 'migrations',
  extraInputs: [df.input.durableClient()],
  handler,
});
