import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { QueueServiceClient } from '@azure/storage-queue';
import { processIdentity } from '../../local/process-identity';
import { HostProcess, until } from './support/host-process';

interface Ports {
  pid: number;
  queue: number;
}

let host: HostProcess;

const azuriteOf = ({ dataFolder }: HostProcess): Ports =>
  JSON.parse(readFileSync(path.join(dataFolder, 'azurite.json'), 'utf8')) as Ports;
const azurite = () => azuriteOf(host);
const go = () => {
  writeFileSync(path.join(host.stateFolder, 'go'), '');
};

async function durable(route: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`${host.url}/durabletask/${route}`, init);
}

async function statusOf(id: string): Promise<{ runtimeStatus: string; output: unknown }> {
  return (await (await durable(`instances/${id}`)).json()) as { runtimeStatus: string; output: unknown };
}

beforeEach(async () => {
  host = await HostProcess.create();
  await host.start();
});

afterEach(async () => {
  await host.remove();
});

test('an orchestration goes on after the host was killed; what was under way runs again, what was done does not', async () => {
  await durable('orchestrators/slowly/one', { method: 'POST' });
  await until(() => host.notes().filter((line) => line.startsWith('slowActivity')).length === 2);
  await host.kill();
  await host.start();
  await until(() => host.notes().filter((line) => line.startsWith('slowActivity')).length === 4);
  go();
  await until(async () => (await statusOf('one')).runtimeStatus === 'Completed');
  expect((await statusOf('one')).output).toEqual(['first done', 'one done', 'two done']);
  expect(host.notes().filter((line) => line === 'quickActivity first')).toHaveLength(1);
});

test('a message that a killed host had taken is given to the next one at once', async () => {
  const { queue } = azurite();
  const account = 'devstoreaccount1';
  const key = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';
  const service = QueueServiceClient.fromConnectionString(
    `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${key};QueueEndpoint=http://127.0.0.1:${queue}/${account};`,
  );
  await service.getQueueClient('slow').createIfNotExists();
  await service.getQueueClient('slow').sendMessage(Buffer.from('{"range":1}').toString('base64'));
  await until(() => host.notes().includes('slowRange 1 attempt 1'));
  await host.kill();
  const started = Date.now();
  await host.start();
  await until(() => host.notes().includes('slowRange 1 attempt 2'));
  // Its lease is 30 s.
  expect(Date.now() - started).toBeLessThan(25_000);
  go();
  await until(() => existsSync(path.join(host.stateFolder, 'slow-1')));
});

test('a timer and an event outlive the host that was asked for them', async () => {
  await host.fetch('/api/migrations', { method: 'POST', json: { id: 'held', hold: 1 } });
  await until(async () => (await statusOf('held')).runtimeStatus === 'Running');
  await host.kill();
  await host.start();
  expect((await durable('instances/held/raiseEvent/cancel', { ...event, body: '{"why":"late"}' })).status).toBe(202);
  await host.kill();
  await host.start();
  await until(async () => (await statusOf('held')).runtimeStatus === 'Completed');
  expect((await statusOf('held')).output).toEqual({ verdict: 'cancelled', why: { why: 'late' } });
});

const event = { method: 'POST', headers: { 'content-type': 'application/json' } };

test('Azurite is used further after a kill, and ended with the host after Ctrl-C', async () => {
  const { pid } = azurite();
  await host.kill();
  await host.start();
  expect(azurite().pid).toBe(pid);
  expect(await host.stop()).toBe(0);
  expect(processIdentity(pid)).toBeUndefined();
  expect(host.notes().at(-1)).toBe('appTerminate');
});

test('a host whose Azurite is killed ends, and says so', async () => {
  const other = await HostProcess.create();
  await other.start();
  process.kill(azuriteOf(other).pid, 'SIGKILL');
  await until(() => other.exitCode !== null);
  expect(other.exitCode).toBe(1);
  expect(other.output).toContain('The storage emulator has ended by itself');
  await other.start();
  expect(other.url).not.toBe('');
  expect(await other.stop()).toBe(0);
});

test('Azurite ends by itself, its data written, when its host was killed and no other comes', async () => {
  const other = await HostProcess.create();
  await other.start();
  const { pid } = azuriteOf(other);
  await other.kill();
  expect(processIdentity(pid)).toBeDefined();
  await until(() => processIdentity(pid) === undefined, 60_000);
  await other.start();
  expect(azuriteOf(other).pid).not.toBe(pid);
  expect(await other.stop()).toBe(0);
});

test('a taken port is said at once, before anything is started', async () => {
  const second = await HostProcess.create();
  await second.start(['--port', new URL(host.url).port]);
  expect(second.output).toBe(`Port ${new URL(host.url).port} on 127.0.0.1 is taken. Choose another with --port.\n`);
  expect(second.exitCode).toBe(1);
  expect(existsSync(second.dataFolder)).toBe(false);
});

test('an ended host leaves nothing behind that the next one misses', async () => {
  await durable('orchestrators/slowly/two', { method: 'POST' });
  await until(() => host.notes().filter((line) => line.startsWith('slowActivity')).length === 2);
  go();
  await until(async () => (await statusOf('two')).runtimeStatus === 'Completed');
  await host.stop();
  await host.start();
  expect((await statusOf('two')).output).toEqual(['first done', 'one done', 'two done']);
});
