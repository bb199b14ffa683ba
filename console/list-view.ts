import type { Api, MigrationListItem } from './api.ts';
import { element, table } from './dom.ts';
import { poll } from './poll.ts';
import { moment, shown, span, spoken } from './words.ts';

/** How a migration's state is shown: a word, with a colour besides. */
export function stateBadge(state: string): HTMLElement {
  return element('span', { class: 'badge', 'data-state': state }, spoken(state));
}

/** All migrations, the newest first, kept up to date. */
export function listView(api: Api, failed: (error: unknown) => boolean, stopped: AbortSignal): HTMLElement {
  const place = element('div', { class: 'card', 'aria-busy': 'true' }, element('p', {}, 'Looking for migrations …'));
  let known = '';
  poll(
    {
      ask: (signal) => api.list(signal),
      got: (migrations) => {
        const text = JSON.stringify(migrations);
        // A table that is made anew would take the focus from its links.
        if (text !== known) place.replaceChildren(migrations.length === 0 ? nothing() : migrationTable(migrations));
        known = text;
        place.removeAttribute('aria-busy');
        return true;
      },
      failed,
      every: 4_000,
    },
    stopped,
  );
  return element('div', {}, element('h1', {}, 'Migrations'), place);
}

function nothing(): HTMLElement {
  return element('p', {}, 'There is none yet. ', element('a', { href: '#/new' }, 'Compose the first one'), '.');
}

function migrationTable(migrations: readonly MigrationListItem[]): HTMLElement {
  const made = table(
    'Migrations, the newest first',
    ['Migration', 'State', 'Source', 'Target', 'Started', 'Took'],
    migrations.map((one) => [
      element('a', { href: `#/migrations/${encodeURIComponent(one.id)}` }, shown(one.id, 60)),
      stateBadge(one.state),
      shown(one.source, 60),
      shown(one.target, 60),
      moment(one.startedAt),
      one.finishedAt === null ? '–' : span((Date.parse(one.finishedAt) - Date.parse(one.startedAt)) / 1_000),
    ]),
    [5],
  );
  made.classList.add('stacked');
  return made;
}
