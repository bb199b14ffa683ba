import { app, type HttpRequest, type HttpResponseInit, type InvocationContext } from '@azure/functions';
import { getApp } from '../src/app/app';
import { listReports } from '../src/api/read-migrations';
import { answering, json } from './shared/http-answer';

async function handler(_request: HttpRequest, context: InvocationContext): Promise<HttpResponseInit> {
  return await answering(context, async () => json(200, await listReports(getApp())));
}

app.http('listMigrations', { methods: ['GET'], authLevel: 'function', route: 'migrations', handler });
