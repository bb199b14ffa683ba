const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { app } = require('@azure/functions');
const df = require('durable-functions');
const { note, settle } = require('../settled');

// Works until the file `go` exists, so that a test can end the host while it works.
const untilGo = async () => {
  while (!fs.existsSync(path.join(process.env.FIXTURE_STATE ?? '.', 'go'))) await sleep(20);
};

app.storageQueue('slowRange', {
  queueName: 'slow',
  connection: 'AzureWebJobsStorage',
  handler: async (message, context) => {
    note(`slowRange ${message.range} attempt ${context.triggerMetadata.dequeueCount}`);
    await untilGo();
    settle('slow', message.range);
  },
});

df.app.activity('slowActivity', {
  handler: async (input) => {
    note(`slowActivity ${input}`);
    await untilGo();
    return `${input} done`;
  },
});

df.app.orchestration('slowly', function* (context) {
  const quick = yield context.df.callActivity('quickActivity', 'first');
  const slow = yield context.df.Task.all([
    context.df.callActivity('slowActivity', 'one'),
    context.df.callActivity('slowActivity', 'two'),
  ]);
  return [quick, ...slow];
});

df.app.activity('quickActivity', {
  handler: (input) => {
    note(`quickActivity ${input}`);
    return `${input} done`;
  },
});

app.hook.appStart(() => {
  note('appStart');
});

app.hook.appTerminate(() => {
  note('appTerminate');
});

// Its day never comes.
app.timer('never', {
  schedule: '0 0 0 31 2 *',
  handler: () => {
    note('never');
  },
});
