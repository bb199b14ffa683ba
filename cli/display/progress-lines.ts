import type { MigrationReport } from '../../src/migration/report';
import { progressWords, type ProgressView } from './progress-view';

const EVERY_MS = 3_000;

/** A line every few seconds, where there is no terminal. */
export class ProgressLines implements ProgressView {
  private last = Date.now();
  private said = '';

  constructor(private readonly write: (line: string) => void) {}

  show(report: MigrationReport): void {
    const now = Date.now();
    if (now - this.last < EVERY_MS) return;
    const { keys, rate, left } = progressWords(report);
    const line = [`${report.progress.percent.toFixed(1).padStart(5)} %`, keys, rate, left].filter(Boolean).join(', ');
    // A migration that stands still is still there.
    if (line === this.said && now - this.last < 10 * EVERY_MS) return;
    this.last = now;
    this.said = line;
    this.write(line);
  }

  pause(): void {
    // Lines stay.
  }

  stop(): void {
    // Nothing is open.
  }
}
