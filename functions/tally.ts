import * as df from 'durable-functions';
import { getApp } from '../src/app/app';
import type { Visit } from '../src/tally/tally-visit';
import { tendMigration } from '../src/tally/tend';
import { TALLY } from './shared/tally-starter';

/** Visits before the history is cut off by beginning anew. */
const VISITS = 50;
const RETRY = new df.RetryOptions(2_000, 5);

/**
 * Adds up a migration's ledger every few seconds until the verdict is there. Its input is the migration's id. Nothing waits for it
 * alone: should it stand still, whatever process of the app runs makes its visits.
 */
df.app.orchestration(TALLY, function* (context) {
  const id = context.df.getInput<string>();
  for (let visits = 0; visits < VISITS; visits++) {
    const visit = (yield context.df.callActivityWithRetry('sumRanges', RETRY, id)) as Visit | null;
    if (visit === null) return null;
    context.df.setCustomStatus(visit.status);
    if (visit.finished) return visit.status;
    const next = new Date(context.df.currentUtcDateTime.getTime() + visit.wait * 1_000);
    yield context.df.createTimer(next);
  }
  context.df.continueAsNew(id);
  return null;
});

df.app.activity('sumRanges', {
  handler: async (id: string): Promise<Visit | null> => (await tendMigration(id, getApp())) ?? null,
});
