const { app } = require('@azure/functions');
const df = require('durable-functions');

app.timer('watchdog', {
  schedule: '*/10 * * * * *',
  extraInputs: [df.input.durableClient()],
  handler: async (_timer, context) => {
    const client = df.getClient(context);
    const open = await client.getStatusBy({ runtimeStatus: [df.OrchestrationRuntimeStatus.Running] });
    context.log('open', open.length);
  },
});
