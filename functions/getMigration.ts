import { app, type HttpRequest, type HttpResponseInit, type InvocationContext } from '@azure/functions';
import { getApp } from '../src/app/app';
import { getReport } from '../src/api/read-migrations';
import { answering, json, notFound } from './shared/http-answer';
import { getKeeper } from './shared/keeper';

async function handler(request: HttpRequest, context: InvocationContext): Promise<HttpResponseInit> {
  return await answering(context, async () => {
    const id = request.params.id ?? '';
    const report = await getReport(id, getApp());
    if (report === undefined) return notFound(id);
    const goesOn = report.finishedAt === null || report.live?.cutover?.wayBack?.state === 'starting';
    if (goesOn) getKeeper().wake();
    return json(200, report, goesOn ? { 'retry-after': '2' } : {});
  });
}

app.http('getMigration', { methods: ['GET'], authLevel: 'function', route: 'migrations/{id}', handler });
