/** Names that would be HTML, SVG, a template, or orders to a terminal. */
export const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(2)>:a',
  '"><img src=x onerror=alert(2)>:b',
  '</text></svg><iframe src=x>',
  '</style><h1>:1',
  '</style><h1>:2',
  '{b|rich}&lt;b&gt;',
  'red\u001b[31m\nnext line',
  '\u202Egnp.exe',
];

/** Checks that a page shows such names and becomes none of them, and that it needs nothing from anywhere. */
export function expectHarmless(page: string): void {
  const elements = new Set([...page.matchAll(/<([a-zA-Z][\w-]*)/g)].map(([, name]) => name));
  for (const name of ['script', 'img', 'iframe', 'link', 'object', 'a']) expect(elements).not.toContain(name);
  expect(page.match(/<h1/g)).toHaveLength(1);
  expect(page.match(/<\/style>/g)).toHaveLength(page.match(/<style/g)?.length ?? 0);
  expect(page).not.toMatch(/<[a-z][^>]*\s(?:on\w+|src|href|xlink:href)=/i);
  expect(page).toContain("default-src 'none'");
  for (const shown of [
    '&lt;script&gt;alert(1)&lt;/script&gt;',
    '\\xff:\\x00',
    'red\\u001b[31m\\nnext line',
    '\\u202egnp.exe',
  ]) {
    expect(page).toContain(shown);
  }
}
