import type { QueueClient } from '@azure/storage-queue';
import type { StorageClients } from './storage-clients';

/** The queue's name, as the functions' triggers have it too. */
export const RANGES_QUEUE = 'ranges';

/** One message: a range to be worked on. No secrets, no key names: poisoned messages are kept. */
export interface RangeMessage {
  readonly migration: string;
  /** The range row's name. */
  readonly range: string;
  /** W3C trace context of the migration's start, where that was traced. */
  readonly traceparent?: string;
  /** When the range before it in this lane has paid off what it took of the migration's rates, ms since 1970. */
  readonly owedUntil?: number;
}

/** The message that puts a range on the queue. */
export function rangeMessage(
  { id, traceparent }: { readonly id: string; readonly traceparent: string | null },
  range: string,
  owedUntil = 0,
): RangeMessage {
  return {
    migration: id,
    range,
    ...(traceparent === null ? {} : { traceparent }),
    ...(owedUntil > Date.now() ? { owedUntil } : {}),
  };
}

/** How many messages are sent at the same time. */
const PARALLEL = 16;

/** The queue of ranges. The Functions host reads it; this side only writes. */
export class RangeQueue {
  private readonly client: QueueClient;
  private ready: Promise<unknown> | undefined;

  constructor(clients: StorageClients) {
    this.client = clients.queues.getQueueClient(RANGES_QUEUE);
  }

  /** Creates the queue where it is not there. */
  async ensure(): Promise<void> {
    this.ready ??= this.client.createIfNotExists().catch((error: unknown) => {
      this.ready = undefined;
      throw error;
    });
    await this.ready;
  }

  /** Sends messages, visible after `delaySeconds`. */
  async send(messages: readonly RangeMessage[], delaySeconds = 0): Promise<void> {
    const rest = [...messages].reverse();
    const worker = async () => {
      for (let message = rest.pop(); message !== undefined; message = rest.pop()) {
        await this.client.sendMessage(encodeMessage(message), {
          messageTimeToLive: -1,
          ...(delaySeconds > 0 ? { visibilityTimeout: delaySeconds } : {}),
        });
      }
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, messages.length) }, worker));
  }
}

/** The host expects base64 (host.json, messageEncoding); the client does not encode by itself. */
export function encodeMessage(message: RangeMessage): string {
  return Buffer.from(JSON.stringify(message)).toString('base64');
}

/** What the trigger hands over, decoded by the host. @throws Error when it is not a range message */
export function decodeMessage(body: unknown): RangeMessage {
  let value: unknown = body;
  if (typeof value === 'string') {
    try {
      value = JSON.parse(value);
    } catch {
      value = undefined;
    }
  }
  if (typeof value === 'object' && value !== null && 'migration' in value && 'range' in value) {
    const { migration, range } = value;
    const traceparent = 'traceparent' in value ? value.traceparent : undefined;
    const owedUntil = 'owedUntil' in value ? value.owedUntil : undefined;
    if (typeof migration === 'string' && typeof range === 'string') {
      return {
        migration,
        range,
        ...(typeof traceparent === 'string' ? { traceparent } : {}),
        ...(typeof owedUntil === 'number' ? { owedUntil } : {}),
      };
    }
  }
  throw new Error('This is not a range message.');
}
