import { waitedFor } from '../basics/waited-for';

/** Why work on a range ends before its end: the migration is cancelled, the message's time is over, another worker has it. */
export type StopReason = 'cancelled' | 'deadline' | 'lost';

/** Thrown inside a range's work to end it at the next safe place. */
export class StoppedError extends Error {
  constructor(readonly reason: StopReason) {
    super(`Stopped: ${reason}.`);
    this.name = 'StoppedError';
  }
}

/** The server process that a range walks is another one than its cursors belong to: they mean nothing any more. */
export class SourceChangedError extends Error {
  constructor(readonly runId: string) {
    super('The server restarted or failed over to another process.');
    this.name = 'SourceChangedError';
  }
}

/**
 * The walk of a range must begin at the range's start again: what it has brought so far is in no order with what it would bring next. The
 * message is for people.
 */
export class BeginsAnewError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BeginsAnewError';
  }
}

/** Nothing can come of the migration: it ends with the message, which is for people, as its cause. */
export class HopelessError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'HopelessError';
  }
}

/** What ends a range's work early. */
export interface StopSignal {
  /** Throws StoppedError when the work must end. */
  check(): void;
}

const SLICE_MS = 200;

/** Waits, and throws StoppedError as soon as the work must end. */
export async function pause(ms: number, stop: StopSignal): Promise<void> {
  const end = performance.now() + ms;
  for (;;) {
    stop.check();
    const left = end - performance.now();
    if (left <= 0) return;
    await new Promise((resolve) => setTimeout(resolve, Math.min(SLICE_MS, left)));
  }
}

/** Waits for what others bring about, and throws StoppedError as soon as the work must end; theirs goes on then. */
export async function orStopped<T>(waited: Promise<T>, stop: StopSignal): Promise<T> {
  return await waitedFor(waited, () => {
    stop.check();
  });
}
