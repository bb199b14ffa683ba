import type { MigrationReport } from './api.ts';
import { card, element, table } from './dom.ts';
import { amount, known, shown } from './words.ts';

const sides = ['source', 'target'] as const;
type Shard = NonNullable<NonNullable<MigrationReport['shards']>[(typeof sides)[number]]>[number];

/** The masters of sides that are clusters: keys, how far the walk is over their slots, and what holds it up there. */
export class ShardsView {
  readonly node = element('div', {});
  private shown = '';

  update(report: MigrationReport): void {
    const text = JSON.stringify(report.shards ?? {});
    if (text === this.shown) return;
    this.shown = text;
    this.node.replaceChildren(
      ...sides.flatMap((side) => {
        const shards = report.shards?.[side];
        return shards === undefined ? [] : [sideCard(side, report[side].name, shards)];
      }),
    );
  }
}

function sideCard(side: string, name: string, shards: readonly Shard[]): HTMLElement {
  const title = `Masters of the ${side}`;
  const rows = shards.map(({ node, slots, keys, walked, percent, trouble }) => [
    node === null ? 'none' : shown(node, 100),
    amount(slots),
    known(keys),
    percent === null ? '–' : known(walked),
    percent === null ? '–' : bar(percent),
    trouble === null ? '–' : element('span', { class: 'bad' }, shown(trouble, 300)),
  ]);
  const head = ['master', 'slots', 'keys', 'walked', 'done', 'trouble'];
  return card(title, table(`Masters of ${shown(name, 60)}`, head, rows, [1, 2, 3]));
}

function bar(percent: number): HTMLElement {
  return element(
    'span',
    { class: 'share' },
    element('progress', { max: 100, value: percent, 'aria-label': 'Slots behind the walk' }),
    ` ${percent.toFixed(1)} %`,
  );
}
