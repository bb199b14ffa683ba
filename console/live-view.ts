import type { MigrationReport } from './api.ts';
import { button, card, element, setText, table } from './dom.ts';
import { amount, moment, shown, span } from './words.ts';

type Live = NonNullable<MigrationReport['live']>;

const PHASES: Readonly<Record<string, string>> = {
  listen: 'listening to the source',
  copy: 'copying all keys',
  extra: 'looking for keys that only the target has',
  settle: 'applying once more what changed meanwhile',
  live: 'in step',
  cutover: 'cut-over',
  look: 'a last look',
};

/** Of a phase that would be in step. */
const NOT_YET = 'not in step: what may have been missed is looked for';

const STEPS = {
  quiet: 'stop the writers: waiting until the source stands still',
  drain: 'the source stands still: the rest is applied',
  streams: 'streams with groups are copied again',
  proved: 'proved: all of the source is on the target',
} as const;

/** How a source is followed, and the way to its end. Nothing for migrations that do not follow theirs. */
export class LiveView {
  readonly node = element('div', {});
  private readonly cutOver: readonly HTMLButtonElement[];
  private readonly why = element('p', { class: 'hint', role: 'status' });
  private readonly facts = element('div', {});
  private shown = '';

  constructor(cutOver: (reverse: boolean) => void) {
    this.cutOver = [
      this.buttonFor('Cut over …', false, cutOver),
      this.buttonFor('Cut over, with a way back …', true, cutOver),
    ];
  }

  private buttonFor(text: string, reverse: boolean, cutOver: (reverse: boolean) => void): HTMLButtonElement {
    const pressed = () => {
      cutOver(reverse);
    };
    return button(text, pressed, { hidden: true });
  }

  update({ live, finishedAt }: MigrationReport): void {
    if (live === undefined) return;
    if (!this.node.hasChildNodes()) {
      this.node.append(card('Following the source', this.facts, this.why, element('p', {}, ...this.cutOver)));
    }
    for (const one of this.cutOver) {
      one.hidden = finishedAt !== null || live.cutover !== null;
      one.disabled = live.notReady !== null;
    }
    setText(
      this.why,
      finishedAt === null && live.cutover === null && live.notReady !== null ? shown(live.notReady, 500) : '',
    );
    const rows = rowsOf(live);
    const text = JSON.stringify(rows);
    if (text === this.shown) return;
    this.shown = text;
    this.facts.replaceChildren(table('Following the source', ['', ''], rows, [1]));
  }
}

function rowsOf(live: Live): string[][] {
  const { phase, repaired, cutover, lastGap } = live;
  const proof = cutover?.proof ?? null;
  const proved = (one: NonNullable<typeof proof>) =>
    `quiet since ${moment(one.quietSince)}; ${amount(one.names)} keys were left, applied in ${amount(one.drainMs)} ms; ${amount(one.streams)} streams copied again`;
  return [
    ['phase', phase === 'live' && !repaired ? NOT_YET : (PHASES[phase] ?? shown(phase, 40))],
    ['told of changes', live.listening ? `yes, by ${shown(live.feed ?? '', 20)}` : 'no'],
    ['lag', span(live.lagMs / 1_000)],
    ['changed keys waiting', amount(live.waiting)],
    ['written, deleted', `${amount(live.written)}, ${amount(live.deleted)}`],
    ['gaps', lastGap === null ? amount(live.gaps) : `${amount(live.gaps)}: ${shown(lastGap, 300)}`],
    ['second reader', standbyWords(live)],
    ...(cutover === null ? [] : [['cut-over', STEPS[cutover.step ?? 'quiet']]]),
    ...writerRows(cutover?.writers ?? null),
    ...(proof === null ? [] : [['proof', proved(proof)]]),
    ...(cutover?.wayBack ? [['way back', wayBackWords(cutover.wayBack)]] : []),
  ];
}

function wayBackWords({
  state,
  migration,
  refused,
  trouble,
}: NonNullable<NonNullable<Live['cutover']>['wayBack']>): string {
  switch (state) {
    case 'started':
      return `migration ${shown(migration ?? '', 100)}: the old side follows the new one`;
    case 'refused':
      return `refused: ${shown(refused ?? '', 500)}`;
    case 'starting':
      return trouble === null ? 'begins' : `is tried again: ${shown(trouble, 500)}`;
    case 'waiting':
      return 'begins after the cut-over';
  }
}

function standbyWords({ standby, takeovers }: Live): string {
  const stands = standby === null ? 'none' : standby.covers ? 'stands by' : 'listens, and would leave a gap yet';
  const trouble = standby?.trouble ?? null;
  return `${stands}${trouble === null ? '' : `: ${shown(trouble, 300)}`}${takeovers === 0 ? '' : `; took over ${amount(takeovers)} times`}`;
}

type Writers = NonNullable<Live['cutover']>['writers'];

/** Who writes to the source, or did last before it stood still. */
function writerRows(writers: Writers): string[][] {
  if (writers === null) return [];
  if (writers.untold) return [['who writes', 'not known: the user of the source may not run CLIENT LIST']];
  if (writers.writing === 0) return [['who writes', `nobody of ${amount(writers.clients)} clients`]];
  const told = writers.latest.map(({ name, address, database, command, secondsAgo }) => {
    const who = name === '' ? shown(address, 100) : `${shown(name, 100)} (${shown(address, 100)})`;
    return `${who}: ${shown(command.toUpperCase(), 40)} in database ${database}, ${span(secondsAgo)} before`;
  });
  const more = writers.writing - told.length;
  return [
    ['who writes', [`at ${moment(writers.at)}`, ...told, ...(more > 0 ? [`and ${amount(more)} more`] : [])].join('; ')],
  ];
}
