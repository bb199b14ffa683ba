import { Api, keyStore } from './api.ts';
import { composeView } from './compose-view.ts';
import { alertBox, button, element, setText } from './dom.ts';
import { askForKey, NoKeyError } from './key-dialog.ts';
import { listView } from './list-view.ts';
import { migrationView } from './migration-view.ts';
import { parseRoute } from './route.ts';
import { messageOf, shown } from './words.ts';

const api = new Api(askForKey);
const place = document.querySelector('main') ?? document.body;
const trouble = element('p', { class: 'trouble', role: 'status' });
let showing = new AbortController();

/** Says what went wrong, or with undefined that all is well again. Returns whether to ask on. */
function tellTrouble(error: unknown): boolean {
  setText(trouble, error === undefined ? '' : shown(messageOf(error)));
  if (!(error instanceof NoKeyError)) return true;
  place.replaceChildren(alertBox('No key. ', shown(error.message), ' ', button('Give a key', show)));
  return false;
}

function show(): void {
  showing.abort();
  showing = new AbortController();
  const { signal } = showing;
  tellTrouble(undefined);
  document.title = 'Keyferry';
  const route = parseRoute(location.hash);
  for (const link of document.querySelectorAll('nav a')) {
    if (link.getAttribute('href') === `#/${route.name === 'new' ? 'new' : ''}`)
      link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  switch (route.name) {
    case 'migration':
      place.replaceChildren(migrationView(api, route.id, tellTrouble, signal));
      break;
    case 'new':
      void showCompose(signal);
      break;
    case 'list':
      place.replaceChildren(listView(api, tellTrouble, signal));
  }
  forget.hidden = keyStore.read() === '';
}

async function showCompose(signal: AbortSignal): Promise<void> {
  try {
    const view = await composeView(api, (id) => (location.hash = `#/migrations/${encodeURIComponent(id)}`));
    if (!signal.aborted) place.replaceChildren(view);
  } catch (error) {
    if (!signal.aborted) place.replaceChildren(alertBox('The form did not come. ', shown(messageOf(error))));
  }
}

const forget = button('Forget the key', () => {
  keyStore.write('');
  show();
});
document.querySelector('nav')?.append(forget);
document.querySelector('header')?.after(trouble);
addEventListener('hashchange', () => {
  show();
  place.focus();
});
show();
