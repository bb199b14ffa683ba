import { isatty } from 'node:tty';

/** Thrown where work ends because the user asked for it. */
export class InterruptedError extends Error {
  constructor() {
    super('Interrupted.');
    this.name = 'InterruptedError';
  }
}

/** Signals of one key press can come twice: from the terminal, and handed on by npm. */
const SAME_PRESS_MS = 400;
const NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/**
 * Whether a terminal is there that could hang up. Under nohup there is none, and the work goes on; that the signal is ignored
 * then cannot be seen, since Node takes it up again when it starts.
 */
function hasTerminal(): boolean {
  return [0, 1, 2].some((stream) => isatty(stream));
}

/** Ctrl-C and its like: the first asks for an orderly end, the second ends at once. */
export class Interruption {
  private readonly controller = new AbortController();
  private firstAt = 0;
  private number = 0;

  /** @param beforeExit called when the second signal ends the process; must not wait */
  constructor(beforeExit: () => void = () => undefined) {
    for (const [name, number] of Object.entries(NUMBERS) as [NodeJS.Signals, number][]) {
      process.on(name, () => {
        if (name !== 'SIGHUP' || hasTerminal()) this.hear(number, beforeExit);
      });
    }
    // The command that started this process is gone.
    process.once('disconnect', () => {
      this.hear(NUMBERS.SIGHUP, () => undefined);
    });
    process.channel?.unref();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  get happened(): boolean {
    return this.signal.aborted;
  }

  /** 130 for Ctrl-C, as shells have it. */
  get exitCode(): number {
    return 128 + this.number;
  }

  /** @throws InterruptedError when the user wants to end */
  check(): void {
    if (this.happened) throw new InterruptedError();
  }

  /** Waits. @throws InterruptedError as soon as the user wants to end */
  async sleep(ms: number): Promise<void> {
    this.check();
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.signal.addEventListener('abort', done);
    });
    this.check();
  }

  /** Waits for `work`, but no longer than until the user wants to end; the work itself goes on. */
  async race<T>(work: Promise<T>): Promise<T> {
    this.check();
    let stop: () => void = () => undefined;
    const interrupted = new Promise<never>((_, reject) => {
      stop = () => {
        reject(new InterruptedError());
      };
      this.signal.addEventListener('abort', stop);
    });
    try {
      return await Promise.race([work, interrupted]);
    } finally {
      this.signal.removeEventListener('abort', stop);
      work.catch(() => undefined);
    }
  }

  private hear(number: number, beforeExit: () => void): void {
    const now = Date.now();
    if (!this.happened) {
      this.firstAt = now;
      this.number = number;
      this.controller.abort();
    } else if (now - this.firstAt > SAME_PRESS_MS) {
      beforeExit();
      process.exit(this.exitCode);
    }
  }
}
