import type { MigrationReport } from '../../src/migration/report';
import { count, duration } from './words';

/** How far something is: 0 to 100, and a few words each. */
export interface Progress {
  readonly percent: number;
  readonly words: readonly string[];
}

/** Shows how far something is, on a terminal or as lines. */
export interface ProgressView {
  show(progress: Progress): void;
  /** Takes away what can be taken away, so that a line can be written; `show` draws again. */
  clear(): void;
}

/** A migration's progress in words. */
export function progressOf({ state, progress, tally }: MigrationReport): Progress {
  const { percent, keysPerSecond, etaSeconds } = progress;
  if (state === 'verifying') {
    const keys = tally.sourceKeys === null ? 'all keys' : `${count(tally.sourceKeys)} keys`;
    return { percent, words: [`looking up ${keys} on the target`] };
  }
  return {
    percent,
    words: [
      `${count(tally.accountedKeys)} ${tally.sourceKeys === null ? '' : `of ${count(tally.sourceKeys)} `}keys`,
      `${count(keysPerSecond)} keys/s`,
      ...(etaSeconds === null ? [] : [`${duration(Math.max(1, Math.round(etaSeconds))).replace('.0', '')} left`]),
    ],
  };
}
