import { app, type InvocationContext } from '@azure/functions';
import { getApp } from '../src/app/app';
import { safeText } from '../src/basics/safe-text';
import { decodeMessage, ForeignMessageError, RANGES_QUEUE, type RangeMessage } from '../src/ledger/range-queue';
import { failRange } from '../src/tally/settle-ranges';

app.storageQueue('failRange', {
  queueName: `${RANGES_QUEUE}-poison`,
  connection: 'AzureWebJobsStorage',
  handler: async (body: unknown, context: InvocationContext) => {
    let message: RangeMessage;
    try {
      message = decodeMessage(body);
    } catch (error) {
      if (!(error instanceof ForeignMessageError)) throw error;
      // Failing would bring it again and again: no range waits for it.
      context.warn('A message on the queue is of no range and is dropped', safeText(String(body), 200));
      return;
    }
    context.warn('A range came to the poison queue', message);
    await failRange(message, getApp());
  },
});
