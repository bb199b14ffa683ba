import { app, type InvocationContext, type Timer } from '@azure/functions';
import * as df from 'durable-functions';
import { getApp } from '../src/app/app';
import { watchMigrations } from '../src/tally/watch-migrations';
import { getKeeper } from './shared/keeper';
import { ensureTally } from './shared/tally-starter';

app.timer('watchdog', {
  schedule: '0 * * * * *',
  extraInputs: [df.input.durableClient()],
  handler: async (_timer: Timer, context: InvocationContext) => {
    getKeeper().wake();
    await watchMigrations(getApp(), { ensureTally: (id) => ensureTally(context, id) });
  },
});
