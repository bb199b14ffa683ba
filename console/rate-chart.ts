import type { HistoryPoint } from './api.ts';
import { card, element, setText } from './dom.ts';
import { ratesOf, type Rates } from './rates.ts';
import uPlot from './uplot.js';
import { amount, clock, short } from './words.ts';

const HEIGHT = 220;
/** Seconds between the marks of the time axis. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400];

/** Keys per second over time. */
export class RateChart {
  readonly node: HTMLElement;
  private readonly place = element('div', { class: 'chart', role: 'img' });
  private readonly told = element('p', { class: 'hint' });
  private plot: uPlot | undefined;
  private rates: Rates = [[], []];

  constructor(stopped: AbortSignal) {
    this.node = card('Keys per second', this.place, this.told);
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

  update(points: readonly HistoryPoint[]): void {
    const rates = ratesOf(points);
    if (JSON.stringify(rates) === JSON.stringify(this.rates)) return;
    this.rates = rates;
    if (this.plot === undefined) this.make();
    else this.plot.setData(rates);
    const [seconds, values] = rates;
    const text = `Highest ${amount(Math.max(0, ...values))}, last ${amount(values.at(-1) ?? 0)} keys per second, over ${clock(seconds.at(-1) ?? 0)}.`;
    this.place.setAttribute('aria-label', text);
    setText(this.told, text);
  }

  private resize(): void {
    const width = this.place.clientWidth;
    if (width > 0 && this.plot !== undefined && this.plot.width !== width) this.plot.setSize({ width, height: HEIGHT });
  }

  private make(): void {
    this.plot?.destroy();
    if (this.rates[0].length === 0) return;
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
        scales: { x: { time: false }, y: { range: (_plot, _low, high) => [0, Math.max(10, high * 1.1)] } },
        legend: { show: false },
        cursor: { y: false },
        axes: [
          { ...axis, size: 30, space: 70, incrs: STEPS, values: (_plot, marks) => marks.map(clock) },
          { ...axis, size: 56, values: (_plot, marks) => marks.map((mark) => short.format(mark)) },
        ],
        series: [{}, { stroke: colour('--accent'), fill: colour('--accent-soft'), width: 2, points: { show: false } }],
        hooks: {
          setCursor: [
            (plot) => {
              this.tellAt(plot.cursor.idx ?? undefined);
            },
          ],
        },
      },
      this.rates,
      this.place,
    );
  }

  private tellAt(index: number | undefined): void {
    const seconds = index === undefined ? undefined : this.rates[0][index];
    const rate = index === undefined ? undefined : this.rates[1][index];
    if (seconds === undefined || rate === undefined) setText(this.told, this.place.getAttribute('aria-label') ?? '');
    else setText(this.told, `At ${clock(seconds)}: ${amount(rate)} keys per second.`);
  }
}
