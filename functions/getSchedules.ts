import { app, type HttpRequest, type HttpResponseInit, type InvocationContext } from '@azure/functions';
import { getApp } from '../src/app/app';
import { reportSchedules } from '../src/schedule/report-schedules';
import { readSchedules } from '../src/schedule/schedule-settings';
import { answering, json } from './shared/http-answer';
import { scheduleClock } from './shared/schedule-clock';

async function handler(_request: HttpRequest, context: InvocationContext): Promise<HttpResponseInit> {
  return await answering(context, async () =>
    json(200, await reportSchedules(readSchedules(process.env), getApp(), scheduleClock())),
  );
}

app.http('getSchedules', { methods: ['GET'], authLevel: 'function', route: 'schedules', handler });
