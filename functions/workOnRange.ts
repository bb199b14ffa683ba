import { app } from '@azure/functions';
import { getApp } from '../src/app/app';
import { decodeMessage, RANGES_QUEUE } from '../src/ledger/range-queue';
import { workOnRange } from '../src/work/range-worker';
import { getKeeper } from './shared/keeper';

// What it is called in Azure, in logs and alerts, stays what it was in the first version.
app.storageQueue('copyRange', {
  queueName: RANGES_QUEUE,
  connection: 'AzureWebJobsStorage',
  handler: async (body: unknown) => {
    const message = decodeMessage(body);
    await getKeeper().during(message.migration, () => workOnRange(message, getApp()));
  },
});
