import { app, type HttpRequest, type HttpResponseInit, type InvocationContext } from '@azure/functions';
import { getApp } from '../src/app/app';
import { getHistory } from '../src/api/read-migrations';
import { answering, json, notFound } from './shared/http-answer';

async function handler(request: HttpRequest, context: InvocationContext): Promise<HttpResponseInit> {
  return await answering(context, async () => {
    const id = request.params.id ?? '';
    const report = await getHistory(id, getApp());
    return report === undefined ? notFound(id) : json(200, report);
  });
}

app.http('getHistory', { methods: ['GET'], authLevel: 'function', route: 'migrations/{id}/history', handler });
