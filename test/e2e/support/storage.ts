import { TableClient, TableServiceClient } from '@azure/data-tables';
import { QueueClient } from '@azure/storage-queue';
import type { AppProcess } from '../../tools/app-process';

// The account and key that every Azurite has; public, in Azurite's README.
const account = 'devstoreaccount1';
const accountKey = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

/** A queue of the storage that the app's host brought. */
export function queueOf(app: AppProcess, name: string): QueueClient {
  const azurite = app.azurite();
  if (azurite === undefined) throw new Error('The host runs no storage emulator.');
  const endpoint = `http://127.0.0.1:${azurite.queue}/${account}`;
  return new QueueClient(
    `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${accountKey};QueueEndpoint=${endpoint};`,
    name,
  );
}

/** Puts a message on the queue as the Functions host expects it. */
export async function send(queue: QueueClient, body: unknown): Promise<void> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  await queue.sendMessage(Buffer.from(text).toString('base64'));
}

/** How many messages a queue has, hidden ones too; 0 where there is no queue. */
export async function lengthOf(queue: QueueClient): Promise<number> {
  if (!(await queue.exists())) return 0;
  return (await queue.getProperties()).approximateMessagesCount ?? 0;
}

/** The texts of messages that can be seen in a queue, as they lie there and decoded; none where there is no queue. */
export async function messagesOf(app: AppProcess, name: string): Promise<string[]> {
  const queue = queueOf(app, name);
  if (!(await queue.exists())) return [];
  const { peekedMessageItems } = await queue.peekMessages({ numberOfMessages: 32 });
  return peekedMessageItems.map(({ messageText }) => `${messageText} ${Buffer.from(messageText, 'base64').toString()}`);
}

/** Every row of every table, those of the durable functions among them. */
export async function rowsOf(
  app: AppProcess,
): Promise<{ readonly table: string; readonly row: Record<string, unknown> }[]> {
  const azurite = app.azurite();
  if (azurite === undefined) throw new Error('The host runs no storage emulator.');
  const endpoint = `http://127.0.0.1:${azurite.table}/${account}`;
  const connection = `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${accountKey};TableEndpoint=${endpoint};`;
  const options = { allowInsecureConnection: true };
  const rows: { table: string; row: Record<string, unknown> }[] = [];
  for await (const { name: table = '' } of TableServiceClient.fromConnectionString(connection, options).listTables()) {
    for await (const row of TableClient.fromConnectionString(connection, table, options).listEntities()) {
      rows.push({ table, row });
    }
  }
  return rows;
}
