import { Format, Presets, SingleBar } from 'cli-progress';
import type { MigrationReport } from '../../src/migration/report';
import { progressWords, type ProgressView } from './progress-view';

const WORDS_WIDTH = 75;

/** A bar on a terminal, on standard error. */
export class ProgressBar implements ProgressView {
  private bar: SingleBar | undefined;

  constructor(private readonly stream: NodeJS.WriteStream = process.stderr) {}

  show(report: MigrationReport): void {
    this.bar ??= this.open();
    const { keys, rate, left } = progressWords(report);
    const { percent } = report.progress;
    this.bar.update(percent, { percent: percent.toFixed(1).padStart(5), keys, rate, left });
  }

  pause(): void {
    this.bar?.stop();
    this.bar = undefined;
  }

  stop(): void {
    this.pause();
  }

  private open(): SingleBar {
    const bar = new SingleBar(
      {
        stream: this.stream,
        barsize: Math.max(8, Math.min(40, this.stream.columns - WORDS_WIDTH)),
        clearOnComplete: true,
        hideCursor: true,
        gracefulExit: false,
        format: (options, params, payload: Record<string, string>) => {
          const { percent = '', keys = '', rate = '', left = '' } = payload;
          const drawn = Format.BarFormat(Math.min(1, params.progress), options);
          return [`${drawn} ${percent} %`, keys, rate, left].filter((part) => part !== '').join(' | ');
        },
      },
      Presets.shades_classic,
    );
    bar.start(100, 0, { percent: '  0.0' });
    return bar;
  }
}
