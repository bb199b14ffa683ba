import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { HostProcess, until } from '../support/host-process';
import { readRecording } from '../support/recording';
import { shapeOf } from '../support/shape';

const { management } = readRecording();
let host: HostProcess;

const call = async (path: string, method = 'GET', body?: string): Promise<Response> =>
  fetch(`${host.url}${path}`, {
    method,
    ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }),
  });

beforeAll(async () => {
  host = await HostProcess.create();
  await host.start();
});

afterAll(async () => {
  await host.stop();
});

test('the recorded calls of the durable client are answered in the recorded shape', async () => {
  // As if the ranges of the first migration had been copied.
  for (const range of [0, 1, 2]) writeFileSync(path.join(host.stateFolder, `b1-${range}`), '');
  for (const { request, response } of management) {
    if (request.path.startsWith('/durabletask/instances/b')) {
      // There the instance had ended, or was waiting, at that moment.
      const done = response.status === 200;
      const id = request.path.split('/')[3] ?? '';
      await until(
        async () => !done || (await (await call(`/durabletask/instances/${id}`)).text()).includes('"Completed"'),
        30_000,
      );
    }
    const started = request.path.startsWith('/durabletask/orchestrators');
    const answer = await call(request.path, request.method, request.method === 'POST' ? request.body : undefined);
    expect([request.path, answer.status]).toEqual([request.path, response.status]);
    const text = await answer.text();
    if (!response.body || response.body === '[]') continue;
    const fields = (json: string) => Object.keys(JSON.parse(json) as object);
    expect(fields(text)).toEqual(fields(response.body));
    if (started) expect(shapeOf(JSON.parse(text))).toEqual(shapeOf(JSON.parse(response.body)));
    for (const header of ['content-type', 'location', 'retry-after', 'x-ms-continuation-token']) {
      expect([header, answer.headers.has(header)]).toEqual([header, header in response.headers]);
    }
  }
});

test('an instance can be started, listed, suspended, terminated and purged', async () => {
  const started = await call('/runtime/webhooks/durabletask/orchestrators/slowly', 'POST');
  const { id } = (await started.json()) as { id: string };
  expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect((await call(`/durabletask/orchestrators/slowly/${id}`, 'POST')).status).toBe(409);
  const running = await call('/durabletask/instances/?runtimeStatus=Running');
  expect(await running.json()).toContainEqual(expect.objectContaining({ instanceId: id, runtimeStatus: 'Running' }));
  expect((await call(`/durabletask/instances/${id}`, 'DELETE')).status).toBe(412);
  expect((await call(`/durabletask/instances/${id}/suspend?reason=x`, 'POST')).status).toBe(202);
  expect(await (await call(`/durabletask/instances/${id}`)).json()).toMatchObject({ runtimeStatus: 'Suspended' });
  expect((await call(`/durabletask/instances/${id}/resume?reason=x`, 'POST')).status).toBe(202);
  expect((await call(`/durabletask/instances/${id}/terminate?reason=enough`, 'POST')).status).toBe(202);
  const ended = await call(`/durabletask/instances/${id}?showHistory=true`);
  expect(ended.status).toBe(200);
  expect(await ended.json()).toMatchObject({
    runtimeStatus: 'Terminated',
    output: 'enough',
    historyEvents: [
      { EventType: 'ExecutionStarted' },
      { EventType: 'TaskCompleted' },
      { EventType: 'ExecutionTerminated' },
    ],
  });
  expect((await call(`/durabletask/instances/${id}/raiseEvent/x`, 'POST', '1')).status).toBe(410);
  expect(await (await call(`/durabletask/instances/${id}`, 'DELETE')).json()).toEqual({ instancesDeleted: 1 });
  expect((await call(`/durabletask/instances/${id}`)).status).toBe(404);
});

test('mistakes are answered as by the extension', async () => {
  expect((await call('/durabletask/orchestrators/nobody', 'POST')).status).toBe(400);
  expect((await call('/durabletask/orchestrators/tally/@x', 'POST', '{}')).status).toBe(400);
  expect((await call('/durabletask/orchestrators/tally/x', 'POST', '{')).status).toBe(400);
  expect((await call('/durabletask/instances/none/raiseEvent/x', 'POST', '1')).status).toBe(404);
  expect((await call('/durabletask/instances/none/terminate?reason=x', 'POST')).status).toBe(404);
  expect((await call('/durabletask/instances/', 'DELETE')).status).toBe(400);
});
