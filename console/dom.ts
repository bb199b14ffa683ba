/** What an element is given: attributes (false leaves one out) and listeners. Nothing here makes HTML out of text. */
export interface Given {
  readonly [attribute: string]: string | number | boolean | Listeners | undefined;
  readonly on?: Listeners;
}
type Listeners = Readonly<Record<string, (event: Event) => void>>;
type Child = Node | string | null | undefined;

/** An element with children; strings become text nodes, whatever is in them. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  given: Given = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name === 'on' || value === undefined || value === false || typeof value === 'object') continue;
    made.setAttribute(name, value === true ? '' : String(value));
  }
  for (const [event, listener] of Object.entries(given.on ?? {})) made.addEventListener(event, listener);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Sets a text only where it is another one, so that what a reader has selected or hears is not disturbed. */
export function setText(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** A section with a heading. */
export function card(title: string, ...children: readonly Child[]): HTMLElement {
  const id = `card-${title.toLowerCase().replace(/[^a-z]+/g, '-')}`;
  return element('section', { class: 'card', 'aria-labelledby': id }, element('h2', { id }, title), ...children);
}

/** A table with a head; cells are texts or nodes. */
export function table(
  caption: string,
  head: readonly string[],
  rows: readonly (readonly Child[])[],
  numeric: readonly number[] = [],
): HTMLTableElement {
  const cellClass = (column: number) => (numeric.includes(column) ? 'number' : undefined);
  return element(
    'table',
    {},
    element('caption', { class: 'hidden' }, caption),
    element(
      'thead',
      {},
      element('tr', {}, ...head.map((text, i) => element('th', { scope: 'col', class: cellClass(i) }, text))),
    ),
    element(
      'tbody',
      {},
      ...rows.map((cells) =>
        element(
          'tr',
          {},
          ...cells.map((cell, i) => element('td', { class: cellClass(i), 'data-label': head[i] ?? '' }, cell)),
        ),
      ),
    ),
  );
}

/** A button that is no submit button. */
export function button(text: string, click: () => void, given: Given = {}): HTMLButtonElement {
  return element('button', { type: 'button', ...given, on: { click } }, text);
}

/** Something went wrong: told at once to those who listen, too. */
export function alertBox(title: string, ...children: readonly Child[]): HTMLElement {
  return element('div', { class: 'alert', role: 'alert' }, element('strong', {}, title), ...children);
}
