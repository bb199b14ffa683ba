import { app, type HttpResponseInit } from '@azure/functions';
import { openApiDocument } from '../src/api/openapi';
import { json } from './shared/http-answer';

app.http('getOpenApi', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'openapi.json',
  handler: (): HttpResponseInit => json(200, openApiDocument()),
});
