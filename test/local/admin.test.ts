import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { HostProcess, until } from './support/host-process';

let host: HostProcess;

const key = (): string => readFileSync(path.join(host.dataFolder, 'master-key'), 'utf8').trim();

async function run(name: string, body: unknown = {}, headers: Record<string, string> = { 'x-functions-key': key() }) {
  const response = await fetch(`${host.url}/admin/functions/${name}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

const settled = (range: string): boolean => existsSync(path.join(host.stateFolder, `by-hand-${range}`));

beforeAll(async () => {
  host = await HostProcess.create();
  await host.start(['--port', '0', '--verbose']);
});

afterAll(async () => {
  await host.stop();
});

test('a timer is run at once by who has the master key', async () => {
  // Its schedule names a day that never comes.
  expect(await run('never')).toEqual({ status: 202, text: '' });
  await until(() => host.output.includes('never: done in'), 30_000);
  expect(host.notes()).toContain('never');
});

test('a queue function is run with the message that the caller gives it', async () => {
  const input = JSON.stringify({ migrationId: 'by-hand', range: 1 });
  expect((await run('COPYRANGE', { input })).status).toBe(202);
  await until(() => settled('1'), 30_000);
});

test('a failure is the log’s, not the caller’s', async () => {
  expect((await run('copyRange', { input: '{"fail":true}' })).status).toBe(202);
  await until(() => host.output.includes('copyRange: planted failure'), 30_000);
  expect((await run('tally', { input: '{}' })).status).toBe(202);
  await until(() => host.output.includes('tally: only functions with a queue or timer trigger'), 30_000);
});

test('without the key nothing is run, nor told which functions there are', async () => {
  const input = JSON.stringify({ migrationId: 'by-hand', range: 2 });
  for (const headers of [{}, { 'x-functions-key': '' }, { 'x-functions-key': `${key()}x` }]) {
    expect(await run('copyRange', { input }, headers as Record<string, string>)).toEqual({ status: 401, text: '' });
    expect((await run('none', {}, headers as Record<string, string>)).status).toBe(401);
  }
  expect((await run(`copyRange?code=${key().slice(1)}`, { input }, {})).status).toBe(401);
  expect((await run('none')).status).toBe(404);
  expect((await run('copyRange', 'not json')).status).toBe(400);
  expect((await run('copyRange', 'null')).status).toBe(400);
  expect((await run('copyRange', { input }, { 'x-functions-key': key(), 'content-type': 'text/plain' })).status).toBe(
    415,
  );
  // What comes later has been run: what was refused has not.
  expect((await run(`copyRange?code=${key()}`, { input: input.replace('2', '3') }, {})).status).toBe(202);
  await until(() => settled('3'), 30_000);
  expect(settled('2')).toBe(false);
});

test('the key is the owner’s only, is never shown, and stays', async () => {
  const before = key();
  expect(before).toMatch(/^[\w-]{43}$/);
  expect(statSync(path.join(host.dataFolder, 'master-key')).mode & 0o777).toBe(0o600);
  expect(host.output).not.toContain(before);
  await host.stop();
  await host.start(['--port', '0', '--verbose'], { azurefunctionsjobhost__Extensions__Queues__maxDequeueCount: '1' });
  expect(key()).toBe(before);
});

test('a setting stands for a value of host.json', async () => {
  await host.fetch('/api/migrations', { method: 'POST', json: { id: 'settings', fail: true } });
  await until(() => host.output.includes('moved to ranges-poison after 1 attempts'), 30_000);
  await host.stop();
  await host.start(['--port', '0'], { AzureFunctionsJobHost__extensions__queues__batchSize: 'many' });
  expect(host.exitCode).not.toBeNull();
  expect(host.output).toContain('extensions:queues:batchSize: Not a whole number from 1: many');
});
