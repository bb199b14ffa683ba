import type { MigrationReport } from '../../src/migration/report';
import { ProgressBar } from './progress-bar';
import { ProgressLines } from './progress-lines';
import { progressOf, type Progress, type ProgressView } from './progress-view';
import { safeLines, safeText } from '../../src/basics/safe-text';

/**
 * What the user sees: results on standard output; notes, trouble and progress on standard error, where a progress bar
 * makes room for each line. Whatever comes, nothing in it steers the terminal.
 */
export class Display {
  private readonly view: ProgressView;
  private readonly warned = new Set<string>();

  constructor() {
    const stream = process.stderr;
    this.view = stream.isTTY
      ? new ProgressBar(stream)
      : new ProgressLines((line) => {
          stream.write(`${line}\n`);
        });
  }

  /** A line on standard error. */
  note(line: string): void {
    this.view.clear();
    process.stderr.write(`${safeLines(line)}\n`);
  }

  /** A warning, once; one that differs from an earlier one in its numbers only is the same. */
  warn(message: string): void {
    const kind = message.replace(/\d+/g, '#');
    if (this.warned.has(kind)) return;
    this.warned.add(kind);
    this.note(`warning: ${safeText(message)}`);
  }

  /** How far a migration is, and its warnings, each once. */
  migration(report: MigrationReport): void {
    for (const warning of report.warnings) this.warn(warning);
    this.progress(progressOf(report));
  }

  progress(progress: Progress): void {
    this.view.show(progress);
  }

  /** Takes the progress away. */
  stop(): void {
    this.view.clear();
  }

  /** A result on standard output. */
  print(text: string): void {
    this.view.clear();
    process.stdout.write(`${safeLines(text)}\n`);
  }

  printJson(document: unknown): void {
    this.print(JSON.stringify(document, null, 2));
  }
}
