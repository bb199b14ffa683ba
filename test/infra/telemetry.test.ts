import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(__dirname, '../..');
const source = readFileSync(path.join(root, 'src/telemetry/open-telemetry.ts'), 'utf8');
const metrics = [...source.matchAll(/create(?:Counter|Histogram|Gauge)\('([^']+)'/g)].map(([, name = '']) => name);
const attributes = new Set([...source.matchAll(/'(keyferry\.[a-z]+)'/g)].map(([, name = '']) => name));
const queries = readdirSync(path.join(root, 'infra/queries')).map((name) => ({
  name,
  query: readFileSync(path.join(root, 'infra/queries', name), 'utf8'),
}));

interface Item {
  readonly type: number;
  readonly name: string;
  readonly content: { readonly query?: string; readonly parameters?: readonly { readonly query?: string }[] };
}

const workbook = JSON.parse(readFileSync(path.join(root, 'infra/workbook/migrations.workbook.json'), 'utf8')) as {
  readonly version: string;
  readonly items: readonly Item[];
};
const shown = workbook.items.flatMap(({ name, content }) =>
  [content.query, ...(content.parameters ?? []).map(({ query }) => query)].flatMap((query) =>
    query === undefined ? [] : [{ name, query }],
  ),
);

test.each([...queries, ...shown])('$name asks for what the app sends', ({ query }) => {
  const named = [...query.matchAll(/'(keyferry\.[a-z_.]+)'/g)].map(([, name = '']) => name);
  expect(named.length).toBeGreaterThan(0);
  const unknown = named.filter(
    (name) =>
      !metrics.includes(name) && !attributes.has(name) && !source.includes(`'${name}'`) && name !== 'keyferry.trouble',
  );
  expect(unknown).toEqual([]);
});

test('the workbook shows every metric that is no detail of another', () => {
  const all = shown.map(({ query }) => query).join('\n');
  const missing = metrics.filter((name) => !all.includes(`'${name}'`));
  expect(missing).toEqual(['keyferry.findings', 'keyferry.ranges.failed']);
});

test('the workbook has the form of one, and its parts names of their own', () => {
  expect(workbook.version).toBe('Notebook/1.0');
  const names = workbook.items.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
