import { app } from '@azure/functions';
import { decodeFollowMessage, ForeignMessageError, LIVE_QUEUE } from '../src/ledger/range-queue';
import { getFollowers } from './shared/followers';
import { getKeeper } from './shared/keeper';

app.storageQueue('followSource', {
  queueName: LIVE_QUEUE,
  connection: 'AzureWebJobsStorage',
  handler: async (body: unknown, context) => {
    let message;
    try {
      message = decodeFollowMessage(body);
    } catch (error) {
      if (!(error instanceof ForeignMessageError)) throw error;
      context.warn('A message on the queue is of no migration and is dropped');
      return;
    }
    getKeeper().wake();
    await getFollowers().during(message);
  },
});
