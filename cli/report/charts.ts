import { safeText } from '../../src/basics/safe-text';
import { Markup } from './markup';

/** One bar: its name, its value, and how the value is told. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly told: string;
}

/** Draws charts as SVG text, with the charting library loaded. */
export interface Charts {
  /** Horizontal bars, the first on top. `title` is for those who do not see it. */
  bars(title: string, bars: readonly Bar[]): Markup;
}

const WIDTH = 880;
const BAR = 26;
const LONGEST_LABEL = 34;

/** Loads Apache ECharts, which nothing but a report needs. @throws Error that says what to do where it is not there */
export async function loadCharts(): Promise<Charts> {
  const { init } = await import('echarts').catch(() => {
    throw new Error('Reports in HTML need the package echarts, which is not installed: npm install (without --omit).');
  });
  return {
    bars: (title, bars) => {
      const height = Math.max(1, bars.length) * BAR + 16;
      const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
      try {
        chart.setOption({
          animation: false,
          textStyle: { fontFamily: 'system-ui, sans-serif' },
          grid: { left: 250, right: 130, top: 4, bottom: 4 },
          xAxis: { type: 'value', show: false, min: 0 },
          yAxis: {
            type: 'category',
            inverse: true,
            data: bars.map(({ name }) => safeText(name, LONGEST_LABEL)),
            axisTick: { show: false },
            axisLine: { lineStyle: { color: '#b8c0cc' } },
            axisLabel: { color: '#28303c', fontSize: 12, interval: 0 },
          },
          series: [
            {
              type: 'bar',
              silent: true,
              emphasis: { disabled: true },
              barMaxWidth: 16,
              barMinHeight: 1,
              itemStyle: { color: '#2f6fb5', borderRadius: [0, 3, 3, 0] },
              label: {
                show: true,
                position: 'right',
                color: '#28303c',
                fontSize: 12,
                formatter: ({ dataIndex }: { dataIndex: number }) => bars[dataIndex]?.told ?? '',
              },
              data: bars.map(({ value }) => value),
            },
          ],
        });
        // The library escapes the texts that it writes into the SVG.
        return new Markup(
          `<figure role="img" aria-label="${title.replace(/[^\w ,.-]/g, '')}">${chart.renderToSVGString()}</figure>`,
        );
      } finally {
        chart.dispose();
      }
    },
  };
}
