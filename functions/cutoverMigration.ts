import { app, type HttpRequest, type HttpResponseInit, type InvocationContext } from '@azure/functions';
import { cutOverMigration, parseCutOver } from '../src/api/cut-over-migration';
import { getReport } from '../src/api/read-migrations';
import { getApp } from '../src/app/app';
import { answering, json, notFound, readJsonIfAny } from './shared/http-answer';

async function handler(request: HttpRequest, context: InvocationContext): Promise<HttpResponseInit> {
  return await answering(context, async () => {
    const id = request.params.id ?? '';
    const migration = await cutOverMigration(id, getApp(), parseCutOver(await readJsonIfAny(request)));
    const report = migration && (await getReport(id, getApp()));
    return report === undefined ? notFound(id) : json(202, report);
  });
}

app.http('cutoverMigration', { methods: ['POST'], authLevel: 'function', route: 'migrations/{id}/cutover', handler });
