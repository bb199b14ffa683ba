const { app } = require('@azure/functions');
const { note, settle } = require('../settled');

app.storageQueue('copyRange', {
  queueName: 'ranges',
  connection: 'AzureWebJobsStorage',
  handler: (message) => {
    if (message.fail) throw new Error('planted failure');
    settle(message.migrationId, message.range);
  },
});

app.storageQueue('failRange', {
  queueName: 'ranges-poison',
  connection: 'AzureWebJobsStorage',
  handler: (message) => {
    if (message.refused) {
      note('failRange refuses');
      throw new Error('planted refusal');
    }
    settle(message.migrationId, message.range);
  },
});
