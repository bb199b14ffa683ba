import type { Api, FindingsPage, MigrationReport } from './api.ts';
import { alertBox, button, card, element, setText, table } from './dom.ts';
import { amount, messageOf, shown } from './words.ts';

const PAGE = 50;

/** The findings of a migration: a page at a time, of all or of those that a search finds. */
export class FindingsView {
  readonly node: HTMLElement;
  private readonly input = element('input', {
    type: 'search',
    id: 'findings-search',
    maxlength: 200,
    spellcheck: 'false',
  });
  private readonly place = element('div', {
    class: 'scroll',
    tabindex: 0,
    role: 'region',
    'aria-label': 'Findings, a table',
  });
  private readonly status = element('p', { class: 'hint', role: 'status' });
  private readonly earlier = button('Earlier', () => void this.back(), { disabled: true });
  private readonly later = button('Later', () => void this.forward(), { disabled: true });
  /** The continuations that lead to the pages so far; the first page has none. */
  private trail: (string | undefined)[] = [undefined];
  private next: string | null = null;
  private total = -1;
  /** How many of them no page has. */
  private onlyCounted = 0;
  private asked = new AbortController();

  constructor(
    private readonly api: Api,
    private readonly id: string,
    stopped: AbortSignal,
  ) {
    stopped.addEventListener('abort', () => {
      this.asked.abort();
    });
    const form = element(
      'form',
      {
        class: 'row',
        role: 'search',
        on: {
          submit: (event) => {
            event.preventDefault();
            void this.begin();
          },
        },
      },
      element('label', { for: 'findings-search' }, 'Key, code or message contains'),
      this.input,
      element('button', { type: 'submit' }, 'Search'),
    );
    // The cross in a search field.
    this.input.addEventListener('search', () => {
      if (this.input.value === '') void this.begin();
    });
    this.node = card(
      'Findings',
      form,
      this.status,
      this.place,
      element('div', { class: 'row' }, this.earlier, this.later),
    );
    this.node.hidden = true;
  }

  /** Told the number of findings that the report has; looks again when it has grown and the reader is on the first page. */
  update(report: Pick<MigrationReport, 'findings' | 'findingsKept'>): void {
    const { findings: total, findingsKept = total } = report;
    this.node.hidden = total === 0;
    if (total === this.total) return;
    this.total = total;
    this.onlyCounted = total - findingsKept;
    if (this.trail.length === 1 && total > 0) void this.load();
  }

  private async begin(): Promise<void> {
    this.trail = [undefined];
    await this.load();
  }

  private async forward(): Promise<void> {
    if (this.next === null) return;
    this.trail.push(this.next);
    await this.load();
  }

  private async back(): Promise<void> {
    if (this.trail.length > 1) this.trail.pop();
    await this.load();
  }

  private async load(): Promise<void> {
    this.asked.abort();
    const { signal } = (this.asked = new AbortController());
    const search = this.input.value;
    this.place.setAttribute('aria-busy', 'true');
    try {
      const page = await this.page(search, this.trail.at(-1), signal);
      if (!signal.aborted) this.show(page, search);
    } catch (error) {
      if (!signal.aborted) this.place.replaceChildren(alertBox('The findings did not come. ', shown(messageOf(error))));
    } finally {
      if (!signal.aborted) this.place.removeAttribute('aria-busy');
    }
  }

  /** One answer with something in it: those with nothing, which a search gives, are passed over. */
  private async page(search: string, from: string | undefined, signal: AbortSignal): Promise<FindingsPage> {
    for (let at = from; ;) {
      const page = await this.api.findings(
        this.id,
        {
          limit: String(PAGE),
          ...(search === '' ? {} : { search }),
          ...(at === undefined ? {} : { continuation: at }),
        },
        signal,
      );
      if (page.findings.length > 0 || page.continuation === null) return page;
      at = page.continuation;
      setText(this.status, 'Searching …');
    }
  }

  private show({ findings, continuation }: FindingsPage, search: string): void {
    this.next = continuation;
    this.earlier.disabled = this.trail.length === 1;
    this.later.disabled = continuation === null;
    const where = `page ${this.trail.length}${continuation === null ? ', the last' : ''}`;
    const rest = this.onlyCounted > 0 ? ` ${amount(this.onlyCounted)} are only counted, and on no page.` : '';
    setText(
      this.status,
      search === ''
        ? `${amount(this.total)} in all, ${where}.${rest}`
        : `${amount(findings.length)} found on ${where}, out of ${amount(this.total)}.${rest}`,
    );
    const made = table(
      'Findings',
      ['Database', 'Key', 'Code', 'Message'],
      findings.map(({ database, key, encoding, code, message }) => [
        String(database),
        element(
          'bdi',
          { class: 'key' },
          encoding === 'base64' ? element('span', { class: 'tag' }, 'base64') : null,
          shown(key),
        ),
        element('code', {}, shown(code)),
        element('bdi', {}, shown(message, 1_000)),
      ]),
    );
    made.classList.add('stacked');
    this.place.replaceChildren(findings.length === 0 ? element('p', {}, 'Nothing is found.') : made);
  }
}
