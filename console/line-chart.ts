import { card, element, setText } from './dom.ts';
import uPlot from './uplot.js';
import { clock, short } from './words.ts';

const HEIGHT = 220;
/** Seconds between the marks of the time axis. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400];

/** Columns for a chart: seconds since the start, and values; and where something happened the value again, otherwise null. */
export type Columns = [seconds: number[], values: number[], happened?: (number | null)[]];

/** A value over time. */
export interface Line {
  readonly title: string;
  /** The axis goes up to this at least. */
  readonly least: number;
  /** What is said of all, and of one moment. */
  readonly all: (columns: Columns) => string;
  readonly at: (columns: Columns, index: number) => string;
}

export class LineChart {
  readonly node: HTMLElement;
  private readonly place = element('div', { class: 'chart', role: 'img' });
  private readonly told = element('p', { class: 'hint' });
  private plot: uPlot | undefined;
  private columns: Columns = [[], []];

  constructor(
    private readonly line: Line,
    stopped: AbortSignal,
  ) {
    this.node = card(line.title, this.place, this.told);
    const resized = new ResizeObserver(() => {
      this.resize();
    });
    resized.observe(this.place);
    matchMedia('(prefers-color-scheme: dark)').addEventListener(
      'change',
      () => {
        this.make();
      },
      { signal: stopped },
    );
    stopped.addEventListener('abort', () => {
      resized.disconnect();
      this.plot?.destroy();
    });
  }

  update(columns: Columns): void {
    if (JSON.stringify(columns) === JSON.stringify(this.columns)) return;
    this.columns = columns;
    if (this.plot === undefined) this.make();
    else this.plot.setData(columns as uPlot.AlignedData);
    const text = this.line.all(columns);
    this.place.setAttribute('aria-label', text);
    setText(this.told, text);
  }

  private resize(): void {
    const width = this.place.clientWidth;
    if (width > 0 && this.plot !== undefined && this.plot.width !== width) this.plot.setSize({ width, height: HEIGHT });
  }

  private make(): void {
    this.plot?.destroy();
    if (this.columns[0].length === 0) return;
    const style = getComputedStyle(this.node);
    const colour = (name: string) => style.getPropertyValue(name);
    const font = `12px ${style.fontFamily}`;
    const axis = {
      stroke: colour('--muted'),
      font,
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
    };
    this.plot = new uPlot(
      {
        width: Math.max(200, this.place.clientWidth),
        height: HEIGHT,
        scales: {
          x: { time: false },
          y: { range: (_plot, _low, high) => [0, Math.max(this.line.least, high * 1.1)] },
        },
        legend: { show: false },
        cursor: { y: false },
        axes: [
          { ...axis, size: 30, space: 70, incrs: STEPS, values: (_plot, marks) => marks.map(clock) },
          { ...axis, size: 56, values: (_plot, marks) => marks.map((mark) => short.format(mark)) },
        ],
        series: [
          {},
          { stroke: colour('--accent'), fill: colour('--accent-soft'), width: 2, points: { show: false } },
          ...(this.columns[2] === undefined
            ? []
            : [{ stroke: colour('--bad'), paths: () => null, points: { show: true, size: 9, fill: colour('--bad') } }]),
        ],
        hooks: {
          setCursor: [
            (plot) => {
              this.tellAt(plot.cursor.idx ?? undefined);
            },
          ],
        },
      },
      this.columns as uPlot.AlignedData,
      this.place,
    );
  }

  private tellAt(index: number | undefined): void {
    const isThere = index !== undefined && this.columns[0][index] !== undefined;
    setText(this.told, isThere ? this.line.at(this.columns, index) : (this.place.getAttribute('aria-label') ?? ''));
  }
}
