import type { QueueClient } from '@azure/storage-queue';
import { z } from 'zod';
import { inParallel } from '../basics/in-parallel';
import { readRangeName } from '../migration/rows';
import type { StorageClients } from './storage-clients';
import { onStorage } from './storage-error';

/** The queue's name, as the functions' triggers have it too. */
export const RANGES_QUEUE = 'ranges';

/** The queue of those who follow sources. */
export const LIVE_QUEUE = 'live';

/** What the range before in a lane still owed to the migration's rates when it sent the message. */
export interface Debt {
  /** When that is paid off, ms since 1970 by the storage's clock. */
  readonly owedUntil?: number;
  /** How long that took then, ms: a clock that was set since makes it no longer. */
  readonly owedMs?: number;
}

/** One message: a range to be worked on. No secrets, no key names: poisoned messages are kept. */
export interface RangeMessage extends Debt {
  readonly migration: string;
  /** The range row's name. */
  readonly range: string;
  /** W3C trace context of the migration's start, where that was traced. */
  readonly traceparent?: string;
}

/** No debt is longer: even the largest value is paid off within a day, or the rate is not worth keeping. */
const LONGEST_DEBT_MS = 24 * 3_600_000;

/** A debt that takes so long from now on. */
export function debt(owedMs: number, now: number): Debt {
  return owedMs > 0 ? { owedUntil: now + owedMs, owedMs } : {};
}

/** How long it takes yet, ms. @param now by the storage's clock */
export function owedMsOf({ owedUntil = 0, owedMs = LONGEST_DEBT_MS }: Debt, now: number): number {
  return Math.max(0, Math.min(owedUntil - now, owedMs, LONGEST_DEBT_MS));
}

/** The message that puts a range on the queue. */
export function rangeMessage(
  { id, traceparent }: { readonly id: string; readonly traceparent: string | null },
  range: string,
  owed: Debt = {},
): RangeMessage {
  return {
    migration: id,
    range,
    ...(traceparent === null ? {} : { traceparent }),
    ...owed,
  };
}

/** A message of the other queue: a source to be followed. */
export interface FollowMessage {
  readonly migration: string;
}

/** How many messages are sent at the same time. */
const PARALLEL = 16;

/** The queue of ranges. The Functions host reads it; this side only writes. */
export class RangeQueue {
  private readonly client: QueueClient;
  private readonly live: QueueClient;
  private ready: Promise<unknown> | undefined;

  constructor(clients: StorageClients) {
    this.client = clients.queues.getQueueClient(RANGES_QUEUE);
    this.live = clients.queues.getQueueClient(LIVE_QUEUE);
  }

  /** Creates the queue where it is not there. @throws StorageError */
  async ensure(): Promise<void> {
    this.ready ??= onStorage(() => Promise.all([this.client.createIfNotExists(), this.live.createIfNotExists()])).catch(
      (error: unknown) => {
        this.ready = undefined;
        throw error;
      },
    );
    await this.ready;
  }

  /** Has the source of a migration followed. Sent twice, it is followed once. @throws StorageError */
  async follow({ id }: { readonly id: string }): Promise<void> {
    const message: FollowMessage = { migration: id };
    await onStorage(() => this.live.sendMessage(encodeMessage(message), { messageTimeToLive: -1 }));
  }

  /** Sends messages, visible after `delaySeconds`. @throws StorageError */
  async send(messages: readonly RangeMessage[], delaySeconds = 0): Promise<void> {
    await inParallel(messages, PARALLEL, (message) =>
      onStorage(() =>
        this.client.sendMessage(encodeMessage(message), {
          messageTimeToLive: -1,
          ...(delaySeconds > 0 ? { visibilityTimeout: delaySeconds } : {}),
        }),
      ),
    );
  }
}

/** The host expects base64 (host.json, messageEncoding); the client does not encode by itself. */
export function encodeMessage(message: RangeMessage | FollowMessage): string {
  return Buffer.from(JSON.stringify(message)).toString('base64');
}

/** A message on the queue that this app did not write. */
export class ForeignMessageError extends Error {
  constructor() {
    super('This is not a range message.');
    this.name = 'ForeignMessageError';
  }
}

const migration = z.string().regex(/^[A-Za-z0-9-]{1,100}$/);

const messageSchema = z.object({
  migration,
  range: z.string().refine((name) => readRangeName(name) !== undefined),
  // What only helps does not make a message foreign where it is wrong.
  traceparent: z.string().max(100).optional().catch(undefined),
  owedUntil: z.number().min(0).optional().catch(undefined),
  owedMs: z.number().min(0).optional().catch(undefined),
});

/** What the trigger hands over, decoded by the host. @throws ForeignMessageError when it is not a range message */
export function decodeMessage(body: unknown): RangeMessage {
  const parsed = messageSchema.safeParse(typeof body === 'string' ? parsedJson(body) : body);
  if (!parsed.success) throw new ForeignMessageError();
  const { migration, range, traceparent, owedUntil, owedMs } = parsed.data;
  return {
    migration,
    range,
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(owedUntil === undefined ? {} : { owedUntil }),
    ...(owedMs === undefined ? {} : { owedMs }),
  };
}

const followSchema = z.object({ migration });

/** What the trigger of the other queue hands over. @throws ForeignMessageError */
export function decodeFollowMessage(body: unknown): FollowMessage {
  const parsed = followSchema.safeParse(typeof body === 'string' ? parsedJson(body) : body);
  if (!parsed.success) throw new ForeignMessageError();
  return parsed.data;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
