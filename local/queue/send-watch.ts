import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';

type Wake = (delayMs: number) => void;

const channel = 'http.client.response.finish';

/**
 * Tells listeners when this process itself has put a message in a queue, so that an idle queue needs no fast polling.
 * It watches the process's HTTP client for `POST …/<queue>/messages`, which is what sending a message is.
 */
export class SendWatch {
  private readonly wakes = new Map<string, Wake[]>();

  private readonly onResponse = (message: unknown): void => {
    const { request, response } = message as { request: ClientRequest; response: { statusCode?: number } };
    if (request.method !== 'POST' || response.statusCode !== 201) return;
    const match = /\/([a-z0-9-]+)\/messages(?:\?(.*))?$/.exec(request.path);
    if (match) {
      const delay = /(?:^|&)visibilitytimeout=(\d+)/i.exec(match[2] ?? '')?.[1];
      this.notify(match[1] ?? '', Number(delay ?? 0) * 1000);
    }
  };

  constructor() {
    subscribe(channel, this.onResponse);
  }

  /** Calls `wake` after each message to `queueName`, with the time until the message can be seen. */
  on(queueName: string, wake: Wake): void {
    this.wakes.set(queueName, [...(this.wakes.get(queueName) ?? []), wake]);
  }

  close(): void {
    unsubscribe(channel, this.onResponse);
    this.wakes.clear();
  }

  private notify(queueName: string, delayMs: number): void {
    for (const wake of this.wakes.get(queueName) ?? []) wake(delayMs);
  }
}
