import { app, type HttpRequest, type HttpResponseInit, type InvocationContext } from '@azure/functions';
import { getApp } from '../src/app/app';
import { cancelMigration } from '../src/api/cancel-migration';
import { getReport } from '../src/api/read-migrations';
import { answering, json, notFound } from './shared/http-answer';

async function handler(request: HttpRequest, context: InvocationContext): Promise<HttpResponseInit> {
  return await answering(context, async () => {
    const id = request.params.id ?? '';
    const migration = await cancelMigration(id, getApp());
    const report = migration && (await getReport(id, getApp()));
    return report === undefined ? notFound(id) : json(202, report);
  });
}

app.http('cancelMigration', { methods: ['DELETE'], authLevel: 'function', route: 'migrations/{id}', handler });
