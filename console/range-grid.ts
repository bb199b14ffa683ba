import type { RangesReport } from './api.ts';
import { card, element, setText, table } from './dom.ts';
import { cellAt, countStates, LABEL, layOut, rangeAt, type GridLayout } from './grid-layout.ts';
import { amount, moment, shown } from './words.ts';

/** Letters of the report, in the order of the legend. */
const STANDINGS = [
  ['d', 'done'],
  ['a', 'active'],
  ['p', 'planned'],
  ['h', 'held up'],
  ['s', 'silent'],
  ['f', 'failed'],
  ['c', 'cancelled'],
] as const;
/** Ranges in trouble are drawn at least this large, CSS pixels. */
const LEAST_TROUBLED = 6;
const nameOf = new Map<string, string>(STANDINGS);

/** What is walked, in words: "Ranges: look", "Ranges: extra, on the target", "Ranges: sync, pass 2". */
function titleOf({ phase, pass = 0, side }: Partial<RangesReport>): string {
  if (phase === undefined) return 'Ranges';
  return `Ranges: ${phase}${pass > 0 ? `, pass ${pass + 1}` : ''}${side === 'target' ? ', on the target' : ''}`;
}

/** All ranges at a glance: a cell for each, coloured by how it stands, and below it those that need a look. */
export class RangeGrid {
  readonly node: HTMLElement;
  private readonly canvas = element('canvas', { tabindex: 0, role: 'img', 'aria-describedby': 'range-readout' });
  private readonly legend = element('ul', { class: 'legend' });
  private readonly readout = element('p', { class: 'hint', id: 'range-readout', 'aria-live': 'polite' });
  private readonly troubled = element('div', { class: 'scroll' });
  private report: Omit<RangesReport, 'phase' | 'pass' | 'side'> & Partial<RangesReport> = {
    databases: [],
    troubled: [],
  };
  private layout: GridLayout = layOut([], 300, 300);
  private chosen: { block: number; index: number } | undefined;
  private drawn = '';

  constructor(stopped: AbortSignal) {
    this.node = card('Ranges', this.legend, this.canvas, this.readout, this.troubled);
    this.node.classList.add('ranges');
    this.hint();
    const { canvas } = this;
    canvas.addEventListener('pointermove', (event) => {
      this.choose(rangeAt(this.layout, event.offsetX, event.offsetY));
    });
    canvas.addEventListener('pointerleave', () => {
      this.choose(undefined);
    });
    canvas.addEventListener('keydown', (event) => {
      if (this.move(event.key)) event.preventDefault();
    });
    canvas.addEventListener('blur', () => {
      this.choose(undefined);
    });
    const resized = new ResizeObserver(() => {
      this.draw();
    });
    resized.observe(this.node);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener(
      'change',
      () => {
        this.draw();
      },
      { signal: stopped },
    );
    stopped.addEventListener('abort', () => {
      resized.disconnect();
    });
  }

  update(report: RangesReport): void {
    const text = JSON.stringify(report);
    if (text === this.drawn) return;
    this.drawn = text;
    this.report = report;
    // A phase that walks nothing, as following does, has none.
    this.node.hidden = report.databases.every(({ states }) => states === '');
    this.draw();
    this.showLegend();
    this.showTroubled();
    this.tell();
  }

  private draw(): void {
    const { canvas, report } = this;
    const width = this.node.clientWidth - 2 * parseFloat(getComputedStyle(this.node).paddingLeft);
    if (width <= 0) return;
    const counts = report.databases.map(({ states }) => states.length);
    this.layout = layOut(counts, width, Math.min(420, Math.max(260, innerHeight * 0.5)));
    const scale = devicePixelRatio;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(this.layout.height * scale);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${this.layout.height}px`;
    const context = canvas.getContext('2d');
    if (context === null) return;
    context.scale(scale, scale);
    const style = getComputedStyle(this.node);
    const colours = new Map(
      STANDINGS.map(([letter]) => [letter as string, style.getPropertyValue(`--range-${letter}`)]),
    );
    const { step, gap, blocks } = this.layout;
    for (const [block, { database, states }] of report.databases.entries()) {
      if (blocks.length > 1) {
        context.fillStyle = style.color;
        context.font = `12px ${style.fontFamily}`;
        context.fillText(`db ${database}`, 0, (blocks[block]?.top ?? LABEL) - 5);
      }
      for (let index = 0; index < states.length; index++) {
        const { x, y } = cellAt(this.layout, block, index);
        context.fillStyle = colours.get(states.charAt(index)) ?? 'grey';
        context.fillRect(x, y, step - gap, step - gap);
      }
    }
    // Over the others, and never so small that they would be overlooked.
    const side = Math.max(step - gap, LEAST_TROUBLED);
    for (const [block, { states }] of report.databases.entries()) {
      for (const { index } of states.matchAll(/[fsh]/g)) {
        const { x, y } = cellAt(this.layout, block, index);
        context.fillStyle = colours.get(states.charAt(index)) ?? 'grey';
        context.fillRect(x - (side - step + gap) / 2, y - (side - step + gap) / 2, side, side);
      }
    }
    if (this.chosen !== undefined) {
      const { x, y } = cellAt(this.layout, this.chosen.block, this.chosen.index);
      context.strokeStyle = style.color;
      context.lineWidth = 2;
      context.strokeRect(x - 1, y - 1, step - gap + 2, step - gap + 2);
    }
  }

  private showLegend(): void {
    const counts = countStates(this.report.databases.map(({ states }) => states));
    const all = STANDINGS.filter(([letter]) => counts.has(letter) || 'dap'.includes(letter));
    this.legend.replaceChildren(
      ...all.map(([letter, name]) =>
        element(
          'li',
          {},
          element('span', { class: 'swatch', 'data-letter': letter }),
          `${name} `,
          element('b', {}, amount(counts.get(letter) ?? 0)),
        ),
      ),
    );
    const parts = all.map(([letter, name]) => `${amount(counts.get(letter) ?? 0)} ${name}`);
    const title = titleOf(this.report);
    this.canvas.setAttribute('aria-label', `${title}: ${parts.join(', ')}. Arrow keys tell of single ranges.`);
    this.node.querySelector('h2')?.replaceChildren(title);
  }

  private showTroubled(): void {
    const { troubled } = this.report;
    this.troubled.hidden = troubled.length === 0;
    const made = table(
      'Ranges that need a look',
      ['Database', 'Range', 'State', 'Behind it', 'Last sign', 'What is in its way'],
      troubled.map(({ database, index, state, percent, heartbeat, message }) => [
        String(database),
        String(index),
        element('span', { class: 'badge', 'data-state': state }, state),
        `${percent} %`,
        heartbeat === null ? '–' : moment(heartbeat),
        shown(message ?? '–', 1_000),
      ]),
    );
    made.classList.add('stacked');
    this.troubled.replaceChildren(element('h3', {}, 'Need a look'), made);
  }

  /** Moves the choice by a key; whether the key means something here. */
  private move(key: string): boolean {
    const { columns, blocks } = this.layout;
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[key];
    if (by === undefined && key !== 'Home' && key !== 'End') return false;
    const total = blocks.reduce((sum, { count }) => sum + count, 0);
    if (total === 0) return false;
    const { chosen } = this;
    const before = blocks.slice(0, chosen?.block ?? 0).reduce((sum, { count }) => sum + count, 0);
    const at = chosen === undefined ? undefined : before + chosen.index;
    let next = key === 'End' ? total - 1 : 0;
    if (by !== undefined && at !== undefined) next = Math.min(total - 1, Math.max(0, at + by));
    for (const [block, { count }] of blocks.entries()) {
      if (next < count) {
        this.choose({ block, index: next });
        break;
      }
      next -= count;
    }
    return true;
  }

  private choose(range: { block: number; index: number } | undefined): void {
    if (range?.block === this.chosen?.block && range?.index === this.chosen?.index) return;
    this.chosen = range;
    this.draw();
    this.tell();
  }

  private tell(): void {
    const { chosen, report } = this;
    const database = chosen === undefined ? undefined : report.databases[chosen.block];
    if (chosen === undefined || database === undefined) {
      this.hint();
      return;
    }
    const name = nameOf.get(database.states.charAt(chosen.index)) ?? 'unknown';
    const more = report.troubled.find((one) => one.database === database.database && one.index === chosen.index);
    const message = more?.message ?? '';
    setText(
      this.readout,
      `Database ${database.database}, range ${amount(chosen.index)} of ${amount(database.states.length)}: ${name}${message === '' ? '' : `. ${shown(message)}`}`,
    );
  }

  private hint(): void {
    setText(this.readout, 'Each cell is one range, in the order of the keyspace. Point at one, or use the arrow keys.');
  }
}
