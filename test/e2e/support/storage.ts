import { QueueClient } from '@azure/storage-queue';
import type { AppProcess } from './app-process';

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
