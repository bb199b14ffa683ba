import { element } from './dom.ts';
import { linesOf } from './request-text.ts';
import { choicesOf, type Schema } from './schema.ts';
import { spoken } from './words.ts';

/** A part of the form: what is shown, and what it says. Undefined where it says what the app does anyway. */
export interface Control {
  readonly node: HTMLElement;
  readonly value: () => unknown;
}

/** A control for a field, made from its schema: choices, numbers, yes or no, text, lists of text, or a group. */
export function controlFor(path: string, schema: Schema): Control {
  const choices = choicesOf(schema);
  if (schema.properties !== undefined) return group(path, schema, schema.properties);
  if (choices !== undefined) return choice(path, schema, choices);
  if (schema.type === 'boolean') return yesOrNo(path, schema);
  if (schema.type === 'integer' || schema.type === 'number') return number(path, schema);
  if (schema.type === 'array') {
    const several = choicesOf(schema.items ?? {});
    return several === undefined ? lines(path, schema) : boxes(path, schema, several);
  }
  return text(path, schema);
}

/** The label of a field: the last part of its path, in words. */
export function labelOf(path: string): string {
  const words = spoken(path.split('.').at(-1) ?? path);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const idOf = (path: string) => `field-${path.replaceAll('.', '-')}`;

/** A label, a control and what the schema says of it. */
export function field(path: string, control: HTMLElement, hint: string | undefined): HTMLElement {
  const id = idOf(path);
  control.id = id;
  control.dataset.path = path;
  if (hint !== undefined) control.setAttribute('aria-describedby', `${id}-hint`);
  return element(
    'div',
    { class: 'field' },
    element('label', { for: id }, labelOf(path)),
    control,
    hint === undefined ? null : element('p', { class: 'hint', id: `${id}-hint` }, hint),
  );
}

function text(path: string, schema: Schema): Control {
  const input = element('input', {
    type: 'text',
    spellcheck: 'false',
    autocomplete: 'off',
    maxlength: schema.maxLength,
  });
  return {
    node: field(path, input, schema.description),
    value: () => (input.value.trim() === '' ? undefined : input.value.trim()),
  };
}

function number(path: string, schema: Schema): Control {
  const { minimum, maximum, multipleOf, default: preset } = schema;
  const input = element('input', {
    type: 'number',
    inputmode: 'numeric',
    min: minimum,
    max: maximum,
    step: multipleOf ?? (schema.type === 'integer' ? 1 : 'any'),
    placeholder: typeof preset === 'number' ? preset : undefined,
  });
  return {
    node: field(path, input, schema.description),
    value: () => (input.value === '' || Number(input.value) === preset ? undefined : Number(input.value)),
  };
}

function choice(path: string, schema: Schema, choices: readonly string[]): Control {
  const optional = schema.default === undefined;
  const select = element(
    'select',
    {},
    optional ? element('option', { value: '' }, 'not set') : null,
    ...choices.map((value) => element('option', { value, selected: value === schema.default }, value)),
  );
  return {
    node: field(path, select, schema.description),
    value: () => (select.value === '' || select.value === schema.default ? undefined : select.value),
  };
}

function yesOrNo(path: string, schema: Schema): Control {
  const input = element('input', { type: 'checkbox', checked: schema.default === true });
  const node = field(path, input, schema.description);
  node.classList.add('check');
  return { node, value: () => (input.checked === (schema.default ?? false) ? undefined : input.checked) };
}

function lines(path: string, schema: Schema): Control {
  const area = element('textarea', { rows: 2, spellcheck: 'false' });
  const hint = [schema.description, 'One a line.'].filter((part) => part !== undefined).join(' ');
  return { node: field(path, area, hint), value: () => withLines(area.value) };
}

function withLines(text: string): string[] | undefined {
  const all = linesOf(text);
  return all.length === 0 ? undefined : all;
}

function boxes(path: string, schema: Schema, choices: readonly string[]): Control {
  const inputs = choices.map((value) => element('input', { type: 'checkbox', value }));
  const node = element(
    'fieldset',
    { class: 'field', 'data-path': path },
    element('legend', {}, labelOf(path)),
    element('div', { class: 'row' }, ...inputs.map((input) => element('label', { class: 'box' }, input, input.value))),
    element('p', { class: 'hint' }, schema.description ?? ''),
  );
  return {
    node,
    value: () => {
      const chosen = inputs.filter((input) => input.checked).map((input) => input.value);
      return chosen.length === 0 ? undefined : chosen;
    },
  };
}

function group(path: string, schema: Schema, properties: Readonly<Record<string, Schema>>): Control {
  const controls = Object.entries(properties).map(
    ([name, inner]) => [name, controlFor(`${path}.${name}`, inner)] as const,
  );
  const node = element(
    'fieldset',
    { class: 'group', 'data-path': path },
    element('legend', {}, labelOf(path)),
    schema.description === undefined ? null : element('p', { class: 'hint' }, schema.description),
    element('div', { class: 'fields' }, ...controls.map(([, control]) => control.node)),
  );
  return { node, value: () => Object.fromEntries(controls.map(([name, control]) => [name, control.value()])) };
}
