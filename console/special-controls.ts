import { controlFor, field, labelOf, type Control } from './controls.ts';
import { button, element } from './dom.ts';
import { databaseList, databaseMap } from './request-text.ts';
import type { Schema } from './schema.ts';

/** Source or target: a name of a connection, with the names that were used before to choose from. */
export function connectionControl(path: string, schema: Schema, listId: string): Control {
  const input = element('input', {
    type: 'text',
    list: listId,
    required: true,
    spellcheck: 'false',
    autocomplete: 'off',
    autocapitalize: 'characters',
  });
  return { node: field(path, input, schema.description), value: () => input.value.trim() };
}

/** All databases, a list of them, or a map to others. */
export function databasesControl(path: string, schema: Schema): Control {
  const mode = element(
    'select',
    {},
    element('option', { value: 'all' }, 'all'),
    element('option', { value: 'list' }, 'these'),
    element('option', { value: 'map' }, 'to other numbers or prefixes'),
  );
  const list = element('input', {
    type: 'text',
    inputmode: 'numeric',
    placeholder: '0, 1, 5',
    'aria-label': 'Numbers of databases',
  });
  const map = element('textarea', {
    rows: 3,
    spellcheck: 'false',
    placeholder: '0 = 0\n1 = db1:',
    'aria-label': 'Map of databases, one a line',
  });
  const node = field(path, mode, schema.description);
  mode.after(list, map);
  const show = () => {
    list.hidden = mode.value !== 'list';
    map.hidden = mode.value !== 'map';
  };
  mode.addEventListener('change', show);
  show();
  return {
    node,
    value: () => {
      if (mode.value === 'list') return databaseList(list.value);
      return mode.value === 'map' ? databaseMap(map.value) : undefined;
    },
  };
}

/** Rules of renaming: any number of pairs. */
export function renameControl(path: string, schema: Schema): Control {
  const rows = element('div', { class: 'rules' });
  const pairs = new Set<{ from: HTMLInputElement; to: HTMLInputElement }>();
  const node = element(
    'fieldset',
    { class: 'group', 'data-path': path },
    element('legend', {}, labelOf(path)),
    element('p', { class: 'hint' }, schema.items?.description ?? ''),
    rows,
  );
  const changed = () => node.dispatchEvent(new Event('input', { bubbles: true }));
  const add = () => {
    const from = element('input', {
      type: 'text',
      spellcheck: 'false',
      placeholder: '^old:(.*)$',
      'aria-label': 'From',
    });
    const to = element('input', { type: 'text', spellcheck: 'false', placeholder: 'new:$1', 'aria-label': 'To' });
    const pair = { from, to };
    const remove = button('Remove', () => {
      pairs.delete(pair);
      row.remove();
      more.focus();
      changed();
    });
    const row = element('div', { class: 'row rule' }, from, to, remove);
    pairs.add(pair);
    rows.append(row);
    from.focus();
  };
  const more = button('Add a rule', add);
  node.append(more);
  return {
    node,
    value: () =>
      [...pairs].filter(({ from }) => from.value !== '').map(({ from, to }) => ({ from: from.value, to: to.value })),
  };
}

/** The converters: each can be switched on, and has its options then. */
export function convertControl(path: string, schema: Schema): Control {
  const choices = (schema.items?.oneOf ?? []).map((one) => converterChoice(path, one));
  const node = element(
    'fieldset',
    { class: 'group', 'data-path': path },
    element('legend', {}, labelOf(path)),
    ...choices.flatMap(({ label, options }) => [label, options.node]),
  );
  node.addEventListener('change', () => {
    const chosen = choices.filter(({ box }) => box.checked);
    for (const { box, options } of choices) options.node.hidden = !box.checked;
    // Mistakes are told by places in the list of those that are chosen.
    chosen.forEach(({ fields }, place) => {
      for (const [one, name] of fields) one.dataset.path = `${path}.${place}${name}`;
    });
  });
  return {
    node,
    value: () => {
      const chosen = choices.filter(({ box }) => box.checked).map(({ value }) => value());
      return chosen.length === 0 ? undefined : chosen;
    },
  };
}

function converterChoice(path: string, { properties = {} }: Schema) {
  const { converter, ...rest } = properties;
  const name = typeof converter?.const === 'string' ? converter.const : '';
  const root = `${path}.${name}`;
  const box = element('input', { type: 'checkbox', id: `field-convert-${name}` });
  const options = controlFor(root, { properties: rest });
  options.node.querySelector('legend')?.replaceChildren('Options');
  options.node.hidden = true;
  const fields = [options.node, ...options.node.querySelectorAll<HTMLElement>('[data-path]')].map(
    (one) => [one, (one.dataset.path ?? root).slice(root.length)] as const,
  );
  return {
    box,
    options,
    fields,
    label: element('label', { class: 'box' }, box, name),
    value: () => {
      const given = Object.entries(options.value() as object).filter(([, value]) => value !== undefined);
      return given.length === 0 ? name : { converter: name, ...Object.fromEntries(given) };
    },
  };
}
