import { Format, Presets, SingleBar } from 'cli-progress';
import type { Progress, ProgressView } from './progress-view';

const WORDS_WIDTH = 75;

/** A bar on a terminal. */
export class ProgressBar implements ProgressView {
  private bar: SingleBar | undefined;

  constructor(private readonly stream: NodeJS.WriteStream) {}

  show({ percent, words }: Progress): void {
    this.bar ??= this.open(percent);
    this.bar.update(percent, { text: [`${percent.toFixed(1).padStart(5)} %`, ...words].join(' | ') });
  }

  clear(): void {
    this.bar?.stop();
    this.bar = undefined;
  }

  private open(percent: number): SingleBar {
    const bar = new SingleBar(
      {
        stream: this.stream,
        barsize: Math.max(8, Math.min(40, this.stream.columns - WORDS_WIDTH)),
        clearOnComplete: true,
        hideCursor: true,
        gracefulExit: false,
        format: (options, params, payload: { text: string }) =>
          `${Format.BarFormat(Math.min(1, params.progress), options)} ${payload.text}`,
      },
      Presets.shades_classic,
    );
    bar.start(100, percent, { text: '' });
    return bar;
  }
}
