import { app, type InvocationContext } from '@azure/functions';
import { getApp } from '../src/app/app';
import { decodeMessage, RANGES_QUEUE } from '../src/ledger/range-queue';
import { failRange } from '../src/tally/settle-ranges';

app.storageQueue('failRange', {
  queueName: `${RANGES_QUEUE}-poison`,
  connection: 'AzureWebJobsStorage',
  handler: async (body: unknown, context: InvocationContext) => {
    const message = decodeMessage(body);
    context.warn('A range came to the poison queue', message);
    await failRange(message, getApp());
  },
});
