/** Called with an answer or with what went wrong; returns whether to go on. */
export interface Polling<T> {
  readonly ask: (signal: AbortSignal) => Promise<T>;
  readonly got: (answer: T) => boolean;
  readonly failed: (error: unknown) => boolean;
  /** At least so long between two questions, ms. An app that answers slowly is asked more seldom. */
  readonly every: number;
}

/** The longest wait between two questions, ms. */
const LONGEST = 30_000;

/** How long to wait after an answer that took `took` ms: the app spends at most a fifth of its time on one reader. */
export function pause(every: number, took: number): number {
  return Math.min(LONGEST, Math.max(every, took * 4));
}

/** Asks over and over until told to stop, never while the tab is hidden. */
export function poll<T>(polling: Polling<T>, stopped: AbortSignal): void {
  const next = (wait: number): void => {
    const timer = setTimeout(() => void once(), wait);
    stopped.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
      },
      { once: true },
    );
  };
  const isStopped = () => stopped.aborted;
  const once = async (): Promise<void> => {
    if (isStopped()) return;
    if (document.hidden) {
      document.addEventListener('visibilitychange', () => void once(), { once: true, signal: stopped });
      return;
    }
    const started = performance.now();
    let goOn: boolean;
    try {
      const answer = await polling.ask(stopped);
      if (isStopped()) return;
      goOn = polling.got(answer);
    } catch (error) {
      if (isStopped()) return;
      goOn = polling.failed(error);
    }
    if (goOn) next(pause(polling.every, performance.now() - started));
  };
  void once();
}
