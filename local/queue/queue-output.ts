import type { QueueServiceClient } from '@azure/storage-queue';
import { resolveSettings } from '../app-settings';
import { type BindingInfo, bindingText, type InvocationResponse, type TypedData } from '../worker/core-types';
import { encodeMessage } from './queue-message';

/**
 * Sends what a function has put into its queue output bindings: a text as one message, a JSON array as one message an
 * element, as the host does.
 * @throws Error for an output binding of another kind
 */
export async function sendOutputs(
  queues: QueueServiceClient,
  encoding: 'base64' | 'none',
  bindings: Record<string, BindingInfo>,
  response: InvocationResponse,
): Promise<void> {
  const outputs = [...(response.outputData ?? [])];
  const returned = bindings.$return;
  if (returned && returned.type !== 'http' && response.returnValue) {
    outputs.push({ name: '$return', data: response.returnValue });
  }
  for (const { name, data } of outputs) {
    const binding = bindings[name];
    if (binding?.type !== 'queue') throw new Error(`The local host does not know the output "${name}".`);
    const queue = queues.getQueueClient(resolveSettings(bindingText(binding, 'queueName'), process.env));
    await queue.createIfNotExists();
    for (const text of messagesOf(data)) await queue.sendMessage(encodeMessage(text, encoding));
  }
}

function messagesOf(data: TypedData): string[] {
  if (data.json !== undefined) {
    const value = JSON.parse(data.json) as unknown;
    if (!Array.isArray(value)) return [data.json];
    return value.map((item: unknown) => (typeof item === 'string' ? item : JSON.stringify(item)));
  }
  if (data.bytes !== undefined) return [Buffer.from(data.bytes).toString('utf8')];
  return [data.string ?? String(data.int ?? data.double ?? '')];
}
