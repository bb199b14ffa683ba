import type { DequeuedMessageItem, QueueClient } from '@azure/storage-queue';
import type { QueueOptions } from '../host-json';
import type { Logger } from '../logger';
import { messageOf } from '../worker/function-worker';
import type { LeaseJournal } from './lease-journal';
import { decodeMessage } from './queue-message';
import { Waker } from './waker';

export interface QueueListenerOptions {
  queue: QueueClient;
  /** Where messages go that failed too often, made when first needed; undefined for a queue of such messages. */
  poisonQueue: QueueClient | undefined;
  options: QueueOptions;
  /** How long a message is hidden from others while it is worked on; renewed at half time. Azure's is 10 minutes. */
  leaseMs: number;
  leases: LeaseJournal;
  /** Runs the function; it rejects when the message is to be tried again. */
  handle: (message: DequeuedMessageItem, text: string) => Promise<void>;
  log: Logger;
}

const minPollingMs = 100;

/**
 * One queue trigger: at most batchSize + newBatchThreshold messages at once, deleted only after success, tried again
 * after visibilityTimeout, moved to the poison queue after maxDequeueCount.
 */
export class QueueListener {
  private readonly waker = new Waker();
  private readonly running = new Set<Promise<void>>();
  private stopped = false;
  private loop: Promise<void> | undefined;
  private announceStop: () => void = () => undefined;
  private readonly stopping = new Promise<void>((resolve) => {
    this.announceStop = resolve;
  });

  constructor(private readonly setup: QueueListenerOptions) {}

  start(): void {
    this.loop ??= this.poll();
  }

  /** Something may be there in `delayMs`: look then, not at the next poll. */
  wake(delayMs = 0): void {
    this.waker.wake(delayMs);
  }

  /** Takes no more messages; resolves when polling has ended. Messages being worked on go on. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.waker.close();
    this.announceStop();
    await this.loop;
  }

  /** Resolves when no message is being worked on. */
  async settled(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running);
  }

  private async poll(): Promise<void> {
    const { options, queue, log } = this.setup;
    let pause = minPollingMs;
    while (!this.stopped) {
      if (this.running.size > options.newBatchThreshold) {
        await Promise.race([...this.running, this.stopping]);
        continue;
      }
      let received: DequeuedMessageItem[] = [];
      try {
        received = await this.receive();
      } catch (error) {
        if (this.isStopped()) return;
        log.warn(`queue ${queue.name}: ${messageOf(error)}`);
      }
      if (this.isStopped()) {
        for (const { messageId, popReceipt } of received)
          await queue.updateMessage(messageId, popReceipt, undefined, 0);
        return;
      }
      for (const message of received) this.begin(message);
      if (received.length > 0) pause = minPollingMs;
      // A full batch says that there is more; else wait until something is sent, or for the polling interval.
      if (received.length === options.batchSize) continue;
      const woken = await this.waker.wait(pause);
      pause = woken ? minPollingMs : Math.min(pause * 2, options.maxPollingIntervalMs);
    }
  }

  /** Reads `stopped` anew: it may have changed during an await. */
  private isStopped(): boolean {
    return this.stopped;
  }

  private async receive(): Promise<DequeuedMessageItem[]> {
    const { queue, options, leaseMs } = this.setup;
    try {
      const { receivedMessageItems } = await queue.receiveMessages({
        numberOfMessages: options.batchSize,
        visibilityTimeout: Math.ceil(leaseMs / 1000),
      });
      return receivedMessageItems;
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode === 404) return []; // The queue is not there yet.
      throw error;
    }
  }

  private begin(message: DequeuedMessageItem): void {
    const work = this.process(message)
      .catch((error: unknown) => {
        this.setup.log.warn(`queue ${this.setup.queue.name}, message ${message.messageId}: ${messageOf(error)}`);
      })
      .finally(() => this.running.delete(work));
    this.running.add(work);
  }

  private async process(message: DequeuedMessageItem): Promise<void> {
    const { queue, poisonQueue, options, leaseMs, leases, handle, log } = this.setup;
    const { messageId } = message;
    let receipt = message.popReceipt;
    const text = decodeMessage(message.messageText, options.messageEncoding);
    if (text === undefined || message.dequeueCount > options.maxDequeueCount) {
      if (text === undefined) log.error(`queue ${queue.name}: message ${messageId} is not base64; moved to poison.`);
      await this.moveToPoison(message, receipt);
      return;
    }
    leases.held(queue.name, messageId, receipt);
    let renewal: Promise<void> | undefined;
    const renew = async () => {
      const renewed = await queue.updateMessage(messageId, receipt, undefined, Math.ceil(leaseMs / 1000));
      receipt = renewed.popReceipt ?? receipt;
      leases.held(queue.name, messageId, receipt);
    };
    const renewing = setInterval(() => {
      renewal = renew().catch((error: unknown) => {
        log.warn(`queue ${queue.name}: the lease of ${messageId} could not be renewed: ${messageOf(error)}`);
      });
    }, leaseMs / 2);
    let failure: unknown;
    try {
      await handle(message, text);
    } catch (error) {
      failure = error ?? new Error('failed');
    } finally {
      clearInterval(renewing);
    }
    await renewal;
    try {
      if (failure === undefined) await queue.deleteMessage(messageId, receipt);
      else if (poisonQueue === undefined)
        log.warn(`queue ${queue.name}: message ${messageId} comes again when its lease ends.`);
      else if (message.dequeueCount >= options.maxDequeueCount) await this.moveToPoison(message, receipt);
      else await this.release(messageId, receipt);
    } finally {
      leases.ended(messageId);
    }
  }

  private async release(messageId: string, receipt: string): Promise<void> {
    const { visibilityTimeoutMs } = this.setup.options;
    await this.setup.queue.updateMessage(messageId, receipt, undefined, Math.ceil(visibilityTimeoutMs / 1000));
    this.wake(visibilityTimeoutMs);
  }

  private async moveToPoison(message: DequeuedMessageItem, receipt: string): Promise<void> {
    const { queue, poisonQueue, log } = this.setup;
    // Of a message that nobody takes, the host makes nothing: it stays, and comes again.
    if (poisonQueue === undefined) return;
    log.warn(
      `queue ${queue.name}: message ${message.messageId} moved to ${poisonQueue.name} after ${message.dequeueCount} attempts.`,
    );
    await poisonQueue.createIfNotExists();
    await poisonQueue.sendMessage(message.messageText, { messageTimeToLive: -1 });
    await queue.deleteMessage(message.messageId, receipt);
  }
}
