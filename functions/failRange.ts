import { app, type InvocationContext } from '@azure/functions';
import { getApp } from '../src/app/app';
import { decodeMessage, ForeignMessageError, RANGES_QUEUE, type RangeMessage } from '../src/ledger/range-queue';
import { failRange } from '../src/migration/fail-range';

app.storageQueue('failRange', {
  queueName: `${RANGES_QUEUE}-poison`,
  connection: 'AzureWebJobsStorage',
  handler: async (body: unknown, context: InvocationContext) => {
    const message = decodeOwn(body);
    if (message === undefined) {
      // To fail here would only bring it to a queue that nobody reads. What it holds is not logged: it may be a secret.
      context.error('A message that is not of this app came to the queue of ranges and was dropped');
      return;
    }
    context.warn('A range came to the poison queue', message);
    await failRange(message, getApp());
  },
});

function decodeOwn(body: unknown): RangeMessage | undefined {
  try {
    return decodeMessage(body);
  } catch (error) {
    if (error instanceof ForeignMessageError) return undefined;
    throw error;
  }
}
