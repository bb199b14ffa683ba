import { ApiError, type Api } from './api.ts';
import { controlFor, type Control } from './controls.ts';
import { alertBox, button, card, element, setText } from './dom.ts';
import { curlCommand, jsonText, withoutEmpty } from './request-text.ts';
import { requestSchema, type Schema } from './schema.ts';
import { connectionControl, convertControl, databasesControl, renameControl } from './special-controls.ts';
import { messageOf, shown } from './words.ts';

const NAMES = 'connection-names';

/** Fields that are shown first; every other one of the schema follows, so that none is left out. */
const ORDER = [
  'source',
  'target',
  'mode',
  'databases',
  'select',
  'onConflict',
  'verify',
  'deleteExtra',
  'force',
  'rename',
  'convert',
  'limits',
];

/** A form that composes a migration, made from the schema that the app checks requests by. */
export async function composeView(api: Api, started: (id: string) => void): Promise<HTMLElement> {
  const schema = requestSchema(await api.openApi());
  const controls = controlsOf(schema);
  const json = element('pre', { tabindex: 0, 'aria-label': 'The request as JSON' });
  const curl = element('pre', { tabindex: 0, 'aria-label': 'The request as a curl command' });
  const problems = element('div', {});
  const request = () => withoutEmpty(Object.fromEntries([...controls].map(([name, { value }]) => [name, value()])));
  const show = () => {
    setText(json, jsonText(request()));
    setText(curl, curlCommand(api.url('migrations'), request()));
  };
  const submit = element('button', { type: 'submit', class: 'primary' }, 'Start the migration');
  const form = element(
    'form',
    {
      class: 'card',
      'aria-label': 'New migration',
      on: {
        input: show,
        change: show,
        submit: (event) => {
          event.preventDefault();
          void start();
        },
      },
    },
    element('datalist', { id: NAMES }),
    ...[...controls.values()].map(({ node }) => node),
    problems,
    element('div', { class: 'row end' }, submit),
  );
  const start = async () => {
    submit.disabled = true;
    problems.replaceChildren();
    clearMarks(form);
    try {
      started((await api.start(request())).id);
    } catch (error) {
      problems.replaceChildren(problemBox(error));
      if (error instanceof ApiError) markFields(form, error);
    } finally {
      submit.disabled = false;
    }
  };
  show();
  void offerNames(api, form);
  return element(
    'div',
    { class: 'compose' },
    element('h1', {}, 'New migration'),
    form,
    element(
      'div',
      { class: 'side' },
      copyCard('JSON', json),
      copyCard('curl', curl, 'The function key comes from the variable KEYFERRY_KEY.'),
    ),
  );
}

function controlsOf(schema: Schema): Map<string, Control> {
  const properties = schema.properties ?? {};
  const rest = Object.keys(properties).filter((name) => !ORDER.includes(name));
  const controls = new Map<string, Control>();
  for (const name of [...ORDER, ...rest]) {
    const one = properties[name];
    // What has one possible value only needs no question.
    if (one === undefined || (one.const !== undefined && one.const === one.default)) continue;
    controls.set(name, controlOf(name, one));
  }
  return controls;
}

function controlOf(name: string, schema: Schema): Control {
  switch (name) {
    case 'source':
    case 'target':
      return connectionControl(name, schema, NAMES);
    case 'databases':
      return databasesControl(name, schema);
    case 'rename':
      return renameControl(name, schema);
    case 'convert':
      return convertControl(name, schema);
    default:
      return controlFor(name, schema);
  }
}

function problemBox(error: unknown): HTMLElement {
  const details = error instanceof ApiError ? error.details : [];
  return alertBox(
    'Not started. ',
    shown(messageOf(error)),
    details.length === 0
      ? null
      : element(
          'ul',
          {},
          ...details.map(({ path, message }) =>
            element('li', {}, element('code', {}, shown(path)), ` ${shown(message)}`),
          ),
        ),
  );
}

function clearMarks(form: HTMLElement): void {
  for (const marked of form.querySelectorAll('[aria-invalid]')) marked.removeAttribute('aria-invalid');
}

/** Marks the fields that mistakes are told of, and goes to the first. */
function markFields(form: HTMLElement, { details }: ApiError): void {
  const fields = [...form.querySelectorAll<HTMLElement>('[data-path]')];
  for (const { path } of details) {
    const owners = fields.filter(({ dataset }) => path === dataset.path || path.startsWith(`${dataset.path ?? ''}.`));
    owners.at(-1)?.setAttribute('aria-invalid', 'true');
  }
  form.querySelector<HTMLElement>('[aria-invalid]')?.focus();
}

/** The app tells no names of connections; those of earlier migrations are a help. */
async function offerNames(api: Api, form: HTMLElement): Promise<void> {
  const migrations = await api.list().catch(() => []);
  const names = new Set(migrations.flatMap(({ source, target }) => [source, target]));
  form.querySelector('datalist')?.replaceChildren(...[...names].sort().map((value) => element('option', { value })));
}

function copyCard(title: string, text: HTMLElement, hint?: string): HTMLElement {
  const copy = button('Copy', () => {
    void copyText(text, copy);
  });
  const made = card(title, text, hint === undefined ? null : element('p', { class: 'hint' }, hint));
  copy.setAttribute('aria-label', `Copy ${title}`);
  made.append(copy);
  return made;
}

async function copyText(from: HTMLElement, copy: HTMLElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(from.textContent);
    setText(copy, 'Copied');
  } catch {
    // Where the clipboard is not to be had the text is selected, for the reader's own keys.
    getSelection()?.selectAllChildren(from);
    setText(copy, 'Selected');
  }
  setTimeout(() => {
    setText(copy, 'Copy');
  }, 2_000);
}
