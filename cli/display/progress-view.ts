import type { MigrationReport } from '../../src/migration/report';
import { count, duration } from './words';

/** Shows how far a migration is, on a terminal or as lines. */
export interface ProgressView {
  show(report: MigrationReport): void;
  /** Clears what can be cleared, so that a line can be written; `show` draws again. */
  pause(): void;
  stop(): void;
}

/** The numbers of a report that both views show. */
export function progressWords(report: MigrationReport): { keys: string; rate: string; left: string } {
  const { progress, tally } = report;
  const { etaSeconds } = progress;
  const checking = report.state === 'verifying';
  return {
    keys: checking
      ? `checking ${count(tally.sourceKeys)} keys`
      : `${count(tally.accountedKeys)} of ${count(tally.sourceKeys)} keys`,
    rate: `${count(progress.keysPerSecond)} keys/s`,
    left: etaSeconds === null ? '' : `${duration(Math.max(1, Math.round(etaSeconds))).replace('.0', '')} left`,
  };
}
