import { app, type InvocationContext, type Timer } from '@azure/functions';
import * as df from 'durable-functions';
import { getApp } from '../src/app/app';
import { runSchedules } from '../src/schedule/run-schedules';
import { readSchedules } from '../src/schedule/schedule-settings';
import { scheduleClock } from './shared/schedule-clock';
import { ensureTally } from './shared/tally-starter';

/** A timer may fire a little before its minute begins. */
const EARLY_MS = 1_000;

let isFirst = true;

/** Looks at the clock every minute and starts the migrations that are due. */
app.timer('scheduled', {
  schedule: '0 * * * * *',
  extraInputs: [df.input.durableClient()],
  handler: async (_timer: Timer, context: InvocationContext) => {
    const settings = readSchedules(process.env);
    const { schedules, mistakes } = settings;
    if (isFirst) for (const { path, message } of mistakes) context.error(`The setting ${path} is wrong: ${message}`);
    // Where nothing is scheduled, only what is left of earlier schedules is to be forgotten, once.
    if (!isFirst && schedules.length === 0) return;
    const outcomes = await runSchedules(
      settings,
      getApp(),
      { ensureTally: (id) => ensureTally(context, id) },
      scheduleClock(EARLY_MS),
    );
    isFirst = false;
    for (const { schedule, due, state, migration, message } of outcomes) {
      if (state === 'started') context.info('Scheduled migration started', { schedule, due, id: migration });
      else context.warn('Scheduled migration not started', { schedule, due, state, message });
    }
  },
});
