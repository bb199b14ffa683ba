import { app, type HttpRequest, type HttpResponseInit, type InvocationContext } from '@azure/functions';
import { getApp } from '../src/app/app';
import { getFindings } from '../src/api/read-migrations';
import { BadRequestError } from '../src/migration/request';
import { answering, json, notFound } from './shared/http-answer';

const DEFAULT_LIMIT = 100;
const HIGHEST_LIMIT = 1_000;
const LONGEST_SEARCH = 200;

async function handler(request: HttpRequest, context: InvocationContext): Promise<HttpResponseInit> {
  return await answering(context, async () => {
    const id = request.params.id ?? '';
    const limitText = request.query.get('limit') ?? String(DEFAULT_LIMIT);
    const limit = Number(limitText);
    if (!Number.isInteger(limit) || limit < 1 || limit > HIGHEST_LIMIT) {
      throw new BadRequestError([{ path: 'limit', message: `must be a number from 1 to ${HIGHEST_LIMIT}` }]);
    }
    const search = request.query.get('search') ?? '';
    if (search.length > LONGEST_SEARCH) {
      throw new BadRequestError([{ path: 'search', message: `must not be longer than ${LONGEST_SEARCH}` }]);
    }
    const page = await getFindings(id, limit, request.query.get('continuation') ?? undefined, getApp(), search);
    return page === undefined ? notFound(id) : json(200, page);
  });
}

app.http('getFindings', { methods: ['GET'], authLevel: 'function', route: 'migrations/{id}/findings', handler });
