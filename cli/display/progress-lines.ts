import type { Progress, ProgressView } from './progress-view';

const EVERY_MS = 3_000;

/** A line every few seconds, where there is no terminal. */
export class ProgressLines implements ProgressView {
  private last = Date.now();
  private said = '';

  constructor(private readonly write: (line: string) => void) {}

  show({ percent, words }: Progress): void {
    const now = Date.now();
    if (now - this.last < EVERY_MS) return;
    const line = [`${percent.toFixed(1).padStart(5)} %`, ...words].join(', ');
    // What stands still is still there.
    if (line === this.said && now - this.last < 10 * EVERY_MS) return;
    this.last = now;
    this.said = line;
    this.write(line);
  }

  clear(): void {
    // Lines stay.
  }
}
