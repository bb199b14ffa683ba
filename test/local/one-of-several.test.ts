import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { storageClients, type StorageClients } from '../../src/ledger/storage-clients';
import { startTestStorage, type TestStorage } from '../tools/test-storage';
import { HostProcess, until } from './support/host-process';

let storage: TestStorage;
let clients: StorageClients;
let one: HostProcess;
let two: HostProcess;
let third: HostProcess;

const started = async (host: HostProcess) => {
  await host.start(['--port', '0'], { AzureWebJobsStorage: storage.connectionString });
};
const go = (host: HostProcess) => {
  writeFileSync(path.join(host.stateFolder, 'go'), '');
};
const countOf = (host: HostProcess, note: string) => host.notes().filter((line) => line.startsWith(note)).length;
const statusOf = async (host: HostProcess, id: string) =>
  ((await (await host.fetch(`/durabletask/instances/${id}`)).json()) as { runtimeStatus: string }).runtimeStatus;
const send = async (queueName: string, message: object) => {
  const queue = clients.queues.getQueueClient(queueName);
  await queue.createIfNotExists();
  await queue.sendMessage(Buffer.from(JSON.stringify(message)).toString('base64'));
  return queue;
};

beforeAll(async () => {
  storage = await startTestStorage();
  clients = storageClients({ AzureWebJobsStorage: storage.connectionString });
  [one, two, third] = await Promise.all([HostProcess.create(), HostProcess.create(), HostProcess.create()]);
  await Promise.all([started(one), started(two)]);
});

afterAll(async () => {
  await Promise.all([one, two, third].map((host) => host.kill()));
  await storage.close();
});

test('a timer belongs to one host', () => {
  const rows = clients.table('RecLocal').listEntities({ queryOptions: { filter: "PartitionKey eq 'timer'" } });
  return expect(rows.next()).resolves.toMatchObject({ value: { rowKey: 'never' } });
});

test('what a host lets go of when it ends goes on at another one', async () => {
  await one.fetch('/durabletask/orchestrators/slowly/handed', { method: 'POST' });
  await until(() => countOf(one, 'slowActivity') === 2);
  expect(countOf(two, 'slowActivity')).toBe(0);
  go(one);
  expect(await one.stop()).toBe(0);
  go(two);
  await until(async () => (await statusOf(two, 'handed')) === 'Completed');
  await started(one);
});

test('what a killed host had stays leased and locked, and can be told to end', async () => {
  await two.kill();
  // Whichever takes the range is at it until it is killed.
  rmSync(path.join(one.stateFolder, 'go'), { force: true });
  await started(third);
  await third.fetch('/durabletask/orchestrators/slowly/lost', { method: 'POST' });
  const queue = await send('slow', { range: 7 });
  await until(() => countOf(third, 'slowActivity') === 2);
  await until(() => countOf(third, 'slowRange') + countOf(one, 'slowRange') === 1);
  await one.kill();
  await third.kill();
  await started(third);
  await sleep(2_500);
  expect((await queue.getProperties()).approximateMessagesCount).toBe(1);
  expect((await queue.peekMessages()).peekedMessageItems).toEqual([]);
  expect(countOf(third, 'slowActivity')).toBe(2);
  expect(await statusOf(third, 'lost')).toBe('Running');
  const { lockedUntil } = await clients.table('RecLocal').getEntity<{ lockedUntil: string }>('lost', 'instance');
  expect(Date.parse(lockedUntil) - Date.now()).toBeGreaterThan(280_000);
  // Whoever has it is asked: nobody, for now.
  const ending = await third.fetch('/durabletask/instances/lost/terminate?reason=test', { method: 'POST' });
  expect(ending.status).toBe(202);
  expect(await statusOf(third, 'lost')).toBe('Running');
  await third.kill();
  await started(one);
});

test('a message that the function of poisoned ones refuses comes again when its lease ends, and goes nowhere', async () => {
  const queue = await send('ranges-poison', { refused: true });
  await until(() => countOf(one, 'failRange refuses') === 1);
  await until(() => one.output.includes('comes again when its lease ends'));
  expect((await queue.getProperties()).approximateMessagesCount).toBe(1);
  expect((await queue.peekMessages()).peekedMessageItems).toEqual([]);
  expect(await clients.queues.getQueueClient('ranges-poison-poison').exists()).toBe(false);
});
