import type { Socket } from 'node:net';
import { TableClient } from '@azure/data-tables';
import { QueueServiceClient } from '@azure/storage-queue';
import { asRequestPolicy, BoundedHttp } from '../../src/ledger/bounded-http';
import { startProxy, type Proxy } from '../../local/servers/proxy';
import { startTestStorage, type TestStorage } from '../tools/test-storage';

/** A way to Azurite on which connections can be made half open: nothing passes, and nobody is told. */
class Way {
  opened = 0;
  private half = 0;
  private proxy!: Proxy;
  private readonly mute = new Set<Socket>();
  private readonly clients = new Set<Socket>();

  async open(port: number): Promise<void> {
    this.proxy = await startProxy(port, (client, server) => {
      if (++this.opened <= this.half) this.mute.add(client);
      this.clients.add(client);
      client.on('data', (bytes) => this.mute.has(client) || server.write(bytes));
      server.on('data', (bytes) => this.mute.has(client) || client.write(bytes));
    });
  }

  get port(): number {
    return this.proxy.port;
  }

  /** All that are open, and as many of the next. */
  halfOpen(next = 0): void {
    for (const client of this.clients) this.mute.add(client);
    this.half = this.opened + next;
  }

  close(): Promise<void> {
    return this.proxy.close();
  }
}

let storage: TestStorage;
const [tables, queues] = [new Way(), new Way()];
let table: TableClient;
let queue: QueueServiceClient;

beforeAll(async () => {
  storage = await startTestStorage();
  const portOf = (name: string) =>
    Number(new RegExp(`${name}Endpoint=http://127.0.0.1:(\\d+)`).exec(storage.connectionString)?.[1]);
  const [tablePort, queuePort] = [portOf('Table'), portOf('Queue')];
  await tables.open(tablePort);
  await queues.open(queuePort);
  const connection = storage.connectionString
    .replace(`:${tablePort}/`, `:${tables.port}/`)
    .replace(`:${queuePort}/`, `:${queues.port}/`);
  const httpClient = new BoundedHttp(700);
  table = TableClient.fromConnectionString(connection, 'rows', { allowInsecureConnection: true, httpClient });
  queue = QueueServiceClient.fromConnectionString(connection, { httpClient: asRequestPolicy(httpClient) });
  await table.createTable();
  await queue.createQueue('messages');
}, 60_000);
afterAll(async () => {
  await Promise.all([tables.close(), queues.close()]);
  await storage.close();
});

describe('storage whose connections are open on this side only', () => {
  it('is asked again over others: tables', async () => {
    const many = Array.from({ length: 8 }, (_, i) => ({ partitionKey: 'p', rowKey: String(i) }));
    await Promise.all(many.map((row) => table.createEntity(row)));
    expect(tables.opened).toBeGreaterThan(4);
    tables.halfOpen();
    expect(await table.getEntity('p', '3')).toMatchObject({ rowKey: '3' });
  });

  it('is asked again over others: queues', async () => {
    const client = queue.getQueueClient('messages');
    await client.sendMessage('one');
    queues.halfOpen();
    await client.sendMessage('two');
    const { receivedMessageItems } = await client.receiveMessages({ numberOfMessages: 5 });
    expect(receivedMessageItems.map(({ messageText }) => messageText).sort()).toEqual(['one', 'two']);
  });

  it('is given up after some tries, and comes back', async () => {
    tables.halfOpen(100);
    await expect(table.getEntity('p', '3')).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    tables.halfOpen(0);
    expect(await table.getEntity('p', '3')).toMatchObject({ rowKey: '3' });
  });

  it('is left when whoever asks has gone', async () => {
    tables.halfOpen(100);
    const gone = AbortSignal.timeout(50);
    await expect(table.getEntity('p', '3', { abortSignal: gone })).rejects.toMatchObject({ name: 'AbortError' });
  });
});
