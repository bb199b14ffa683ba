import { randomUUID } from 'node:crypto';
import type { DequeuedMessageItem } from '@azure/storage-queue';
import type { Invocation } from '../worker/function-worker';
import { parameter, rpcJson, rpcString, scalarFields } from '../worker/rpc-data';

/** Base64 → text, strictly; undefined when it is none. */
export function decodeMessage(text: string, encoding: 'base64' | 'none'): string | undefined {
  if (encoding === 'none') return text;
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)
    ? Buffer.from(text, 'base64').toString('utf8')
    : undefined;
}

export function encodeMessage(text: string, encoding: 'base64' | 'none'): string {
  return encoding === 'base64' ? Buffer.from(text).toString('base64') : text;
}

type MessageFacts = Pick<
  DequeuedMessageItem,
  'messageId' | 'insertedOn' | 'expiresOn' | 'nextVisibleOn' | 'popReceipt' | 'dequeueCount'
>;

/** What stands for a message that lies in no queue: a caller has run the function by hand. */
export function handMadeMessage(): MessageFacts {
  const now = new Date();
  return {
    messageId: randomUUID(),
    insertedOn: now,
    expiresOn: now,
    nextVisibleOn: now,
    popReceipt: '',
    dequeueCount: 0,
  };
}

/**
 * A queue message as the host hands it to the worker.
 * @param bindingName the name of the function's queue trigger binding
 * @param message as received: its counts and times
 * @param text its decoded body
 */
export function toQueueInvocation(bindingName: string, message: MessageFacts, text: string): Invocation {
  return {
    inputData: [parameter(bindingName, rpcString(text))],
    triggerMetadata: {
      QueueTrigger: rpcString(text),
      DequeueCount: rpcJson(message.dequeueCount),
      ExpirationTime: rpcJson(dotnetOffset(message.expiresOn)),
      Id: rpcString(message.messageId),
      InsertionTime: rpcJson(dotnetOffset(message.insertedOn)),
      NextVisibleTime: rpcJson(dotnetOffset(message.nextVisibleOn)),
      PopReceipt: rpcString(message.popReceipt),
      ...scalarFields(text),
    },
  };
}

/** A .NET DateTimeOffset in UTC, to the second: 2026-11-30T01:10:24+00:00. */
function dotnetOffset(date: Date): string {
  return `${date.toISOString().slice(0, 19)}+00:00`;
}
