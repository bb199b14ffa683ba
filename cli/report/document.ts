import { safeText } from '../../src/basics/safe-text';
import { html, Markup } from './markup';
import { style } from './style';

/** One HTML page that needs nothing else: no script, no font, no request. */
export function reportDocument(title: string, intro: Markup, body: Markup): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
        />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="referrer" content="no-referrer" />
        <title>${title}</title>
        <style>
          ${new Markup(style)}
        </style>
      </head>
      <body>
        <header>
          <h1>${title}</h1>
          ${intro}
        </header>
        ${body}
        <footer>Made by Keyferry. Names of keys are bytes; what is no visible text is shown as an escape.</footer>
      </body>
    </html> `.text;
}

/** A number that is to be seen first. */
export function tile(label: string, value: string, bad = false): Markup {
  return html`<div class="${bad ? 'tile bad' : 'tile'}"><b>${value}</b><span>${label}</span></div>`;
}

/** A list of sentences in a box of its own; nothing where there are none. */
export function messages(title: string, kind: 'bad' | 'warn', lines: readonly string[]): Markup {
  if (lines.length === 0) return html``;
  return html`<section class="${kind}">
    <h2>${title}</h2>
    <ul>
      ${lines.map((line) => html`<li>${safeText(line)}</li>`)}
    </ul>
  </section>`;
}

export function table(head: readonly string[], rows: readonly (readonly (Markup | string)[])[]): Markup {
  return html`<table>
    <thead>
      <tr>
        ${head.map((cell) => html`<th scope="col">${cell}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        (row) =>
          html`<tr>
            ${row.map((cell) => html`<td>${cell}</td>`)}
          </tr>`,
      )}
    </tbody>
  </table>`;
}
