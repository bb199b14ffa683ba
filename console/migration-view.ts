import { phaseWords } from '../src/basics/phase-words.ts';
import { ApiError, type Api, type FollowedPoint, type MigrationReport } from './api.ts';
import { alertBox, button, card, element, setText, table } from './dom.ts';
import { FindingsView } from './findings-view.ts';
import { LineChart } from './line-chart.ts';
import { lagLine, lagOf, rateLine } from './lines.ts';
import { LiveView } from './live-view.ts';
import { confirmed } from './key-dialog.ts';
import { stateBadge } from './list-view.ts';
import { poll } from './poll.ts';
import { RangeGrid } from './range-grid.ts';
import { ratesOf } from './rates.ts';
import { ShardsView } from './shards-view.ts';
import { amount, factRows, known, moment, shown, size, span, spoken } from './words.ts';

/** One migration, followed to its end. */
export function migrationView(
  api: Api,
  id: string,
  failed: (error: unknown) => boolean,
  stopped: AbortSignal,
): HTMLElement {
  const head = new Head(() => void cancel());
  const chart = new LineChart(rateLine, stopped);
  let followedPoints: readonly FollowedPoint[] = [];
  const lag = new LineChart(
    lagLine(() => followedPoints),
    stopped,
  );
  lag.node.hidden = true;
  const grid = new RangeGrid(stopped);
  const findings = new FindingsView(api, id, stopped);
  const numbers = element('div', { class: 'columns' });
  const live = new LiveView((reverse) => void cutOver(reverse));
  const shards = new ShardsView();
  const warnings = element('div', {});
  let ended = false;
  let numbersShown = '';
  const show = (report: MigrationReport) => {
    ended = report.finishedAt !== null;
    head.update(report);
    findings.update(report);
    const text = JSON.stringify([report.counts, report.tally, report.source, report.target, report.conversions]);
    if (text !== numbersShown) numbers.replaceChildren(...numberCards(report));
    numbersShown = text;
    live.update(report);
    shards.update(report);
    showWarnings(warnings, report);
  };
  const cutOver = async (reverse: boolean) => {
    const back = reverse ? ' Then another one begins, in which the old side follows the new one.' : '';
    const text =
      'Stop the writers of the source, and leave them stopped. Once nothing was written to it for two seconds it is proved that all of it is on the target, and the migration ends.';
    if (!(await confirmed('Cut over?', text + back, 'Cut over', 'Not yet'))) return;
    try {
      show(await api.cutOver(id, reverse));
    } catch (error) {
      failed(error);
    }
  };
  const cancel = async () => {
    const text = 'Keys that were copied stay on the target. A cancelled migration cannot go on; a new one begins anew.';
    if (!(await confirmed('Cancel this migration?', text, 'Cancel the migration', 'Let it run'))) return;
    head.cancelling();
    try {
      show(await api.cancel(id));
    } catch (error) {
      failed(error);
      head.cancelling(false);
    }
  };
  const notThere = (error: unknown) => {
    if (!(error instanceof ApiError && error.status === 404)) return failed(error);
    head.node.replaceChildren(alertBox('There is no such migration. ', element('a', { href: '#/' }, 'All migrations')));
    return false;
  };
  // The end is told by the report; what is drawn is then asked for once more.
  const followed = (ask: (signal: AbortSignal) => Promise<() => void>, every: number) => {
    let last = false;
    poll(
      {
        ask: async (signal) => {
          const wasEnded = ended;
          const draw = await ask(signal);
          return () => {
            last = wasEnded;
            draw();
          };
        },
        got: (draw) => {
          draw();
          return !last;
        },
        failed: (error) => !(error instanceof ApiError && error.status === 404),
        every,
      },
      stopped,
    );
  };
  poll(
    {
      ask: (signal) => api.get(id, signal),
      got: (report) => {
        show(report);
        failed(undefined);
        return report.finishedAt === null;
      },
      failed: notThere,
      every: 1_000,
    },
    stopped,
  );
  followed(async (signal) => {
    const report = await api.ranges(id, signal);
    return () => {
      grid.update(report);
    };
  }, 1_500);
  followed(async (signal) => {
    const { points, followed: ofSource } = await api.history(id, signal);
    return () => {
      chart.update(ratesOf(points));
      if (ofSource === undefined) return;
      followedPoints = ofSource;
      lag.node.hidden = false;
      lag.update(lagOf(ofSource));
    };
  }, 1_500);
  return element(
    'div',
    {},
    head.node,
    live.node,
    warnings,
    lag.node,
    chart.node,
    grid.node,
    shards.node,
    numbers,
    findings.node,
  );
}

/** Where a migration stands, in one look. */
class Head {
  private readonly title = element('h1', {}, '…');
  private readonly badge = element('span', {});
  private readonly cancel: HTMLButtonElement;
  private readonly bar = element('progress', { max: 100, 'aria-label': 'Progress' });
  private readonly phase = element('b', {}, '…');
  private readonly percent = element('b', { class: 'big' }, '…');
  private readonly rate = element('b', {});
  private readonly left = element('b', {});
  private readonly elapsed = element('b', {});
  private readonly ranges = element('b', {});
  private readonly read = element('b', {});
  private readonly ofFile: HTMLElement;
  private readonly cause = element('p', { class: 'bad' });
  private readonly said = element('p', { class: 'hidden', role: 'status' });
  readonly node: HTMLElement;

  constructor(cancel: () => void) {
    this.cancel = button('Cancel …', cancel, { class: 'danger', hidden: true });
    const fact = (label: string, value: HTMLElement) => element('div', {}, element('span', {}, label), value);
    this.ofFile = fact('read of the file', this.read);
    this.node = element(
      'section',
      { class: 'card head', 'aria-label': 'Progress of the migration' },
      element('div', { class: 'row' }, this.title, this.badge, element('span', { class: 'grow' }), this.cancel),
      this.cause,
      this.bar,
      element(
        'div',
        { class: 'facts' },
        fact('done', this.percent),
        fact('at the moment', this.phase),
        fact('keys per second', this.rate),
        fact('left', this.left),
        fact('elapsed', this.elapsed),
        fact('ranges done', this.ranges),
        this.ofFile,
      ),
      this.said,
    );
  }

  cancelling(yes = true): void {
    this.cancel.disabled = yes;
    if (yes) setText(this.cancel, 'Cancelling …');
    else setText(this.cancel, 'Cancel …');
  }

  update(report: MigrationReport): void {
    const { progress, source, target, state, finishedAt, startedAt, cause } = report;
    const sides = target.name === '' ? shown(source.name, 60) : `${shown(source.name, 60)} → ${shown(target.name, 60)}`;
    const ended = finishedAt !== null;
    setText(this.title, sides);
    if (this.badge.textContent !== spoken(state)) this.badge.replaceChildren(stateBadge(state));
    this.bar.value = progress.percent;
    setText(this.phase, ended ? 'ended' : progress.phase === undefined ? '–' : shown(phaseWords(progress.phase), 80));
    setText(this.percent, `${progress.percent.toFixed(1)} %`);
    setText(this.rate, amount(progress.keysPerSecond));
    setText(this.left, ended || progress.etaSeconds === null ? '–' : span(progress.etaSeconds));
    setText(this.elapsed, span(((ended ? Date.parse(finishedAt) : Date.now()) - Date.parse(startedAt)) / 1_000));
    const { done, total } = progress.ranges;
    setText(this.ranges, total === 0 ? '–' : `${amount(done)} of ${amount(total)}`);
    const { reading } = progress;
    const { bytes, of, bytesPerSecond } = reading ?? { bytes: 0, of: 0 };
    const rate = bytesPerSecond === undefined ? '' : `, ${size(bytesPerSecond)}/s`;
    setText(this.read, reading === undefined ? '' : `${size(bytes)} of ${size(of)}${rate}`);
    this.ofFile.hidden = reading === undefined;
    setText(this.cause, cause === null ? '' : shown(cause, 1_000));
    this.cause.hidden = cause === null;
    this.cancel.hidden = ended;
    // Heard by those who do not see: the state when it changes, not every percent.
    setText(this.said, `The migration is ${spoken(state)}.`);
    document.title = `${ended ? spoken(state) : `${Math.floor(progress.percent)} %`} · ${sides} · Keyferry`;
  }
}

function showWarnings(place: HTMLElement, { warnings }: MigrationReport): void {
  const text = JSON.stringify(warnings);
  if (place.dataset.shown === text) return;
  place.dataset.shown = text;
  const list = element('ul', {}, ...warnings.map((warning) => element('li', {}, shown(warning, 1_000))));
  place.replaceChildren(...(warnings.length === 0 ? [] : [card('Warnings', list)]));
  place.firstElementChild?.classList.add('warnings');
}

function numberCards(report: MigrationReport): HTMLElement[] {
  const { counts, tally, source, target, conversions, startedAt, finishedAt } = report;
  const countRows = Object.entries(counts).map(([name, value]) => [
    spoken(name),
    name.toLowerCase().includes('bytes') ? size(value) : amount(value),
  ]);
  const tallyRows = [
    ['keys on the source', known(tally.sourceKeys)],
    ['accounted for', amount(tally.accountedKeys)],
    ['keys on the target', known(tally.targetKeys)],
    ['missing on the target', tally.missing === null ? 'not looked' : amount(tally.missing)],
    ['verdict', tally.verdict === null ? 'not yet' : spoken(tally.verdict)],
  ];
  const sideRows = [
    ['version', shown(source.version, 40), shown(target.version, 40)],
    ['keys at the start', known(source.keysAtStart), known(target.keysAtStart)],
    ['keys now', known(source.keysNow), known(target.keysNow)],
  ];
  const times = element(
    'p',
    { class: 'hint' },
    `${report.id}, started ${moment(startedAt)}${finishedAt === null ? '' : `, ended ${moment(finishedAt)}`}`,
  );
  return [
    card('Outcome', table('Keys by outcome', ['outcome', 'keys'], countRows, [1])),
    card('Tally', table('Tally', ['', 'keys'], tallyRows, [1])),
    card('Sides', table('Both sides', ['', shown(source.name, 40), shown(target.name, 40)], sideRows, [1, 2]), times),
    ...conversions.map(conversionCard),
  ];
}

function conversionCard({ name, facts }: MigrationReport['conversions'][number]): HTMLElement {
  const title = shown(name, 60);
  return card(title, table(`${title} when planned`, ['', ''], factRows(facts), [1]));
}
