const { app } = require('@azure/functions');
const df = require('durable-functions');
const { QueueServiceClient } = require('@azure/storage-queue');

app.http('start', {
  methods: ['POST'],
  authLevel: 'function',
  route: 'migrations',
  extraInputs: [df.input.durableClient()],
  handler: async (request, context) => {
    const body = await request.json();
    const client = df.getClient(context);
    const id = await client.startNew('tally', { instanceId: body.id, input: body });
    const service = QueueServiceClient.fromConnectionString(process.env.AzureWebJobsStorage);
    const queue = service.getQueueClient('ranges');
    await queue.createIfNotExists();
    for (let i = 0; i < 3; i++) {
      const message = { migrationId: body.id, range: i, fail: i === 2 && body.fail };
      await queue.sendMessage(Buffer.from(JSON.stringify(message)).toString('base64'));
    }
    return {
      status: 202,
      headers: { Location: `/api/migrations/${id}`, 'Retry-After': '2' },
      jsonBody: { id },
    };
  },
});

app.http('get', {
  methods: ['GET'],
  authLevel: 'function',
  route: 'migrations/{id}',
  extraInputs: [df.input.durableClient()],
  handler: async (request, context) => {
    const status = await df.getClient(context).getStatus(request.params.id);
    return status ? { jsonBody: status } : { status: 404, jsonBody: { error: { code: 'NotFound' } } };
  },
});

app.http('cancel', {
  methods: ['DELETE'],
  authLevel: 'function',
  route: 'migrations/{id}',
  extraInputs: [df.input.durableClient()],
  handler: async (request, context) => {
    await df.getClient(context).raiseEvent(request.params.id, 'cancel', { why: 'asked' });
    return { status: 202 };
  },
});
