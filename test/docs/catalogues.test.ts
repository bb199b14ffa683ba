import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { errorCodes } from '../../src/api/error-codes';
import { openApiDocument } from '../../src/api/openapi';
import { findingCatalogue } from '../../src/migration/finding-catalogue';
import { sideNames } from '../../src/migration/phases';
import { aclOf, IN_PLACE, rights } from '../../src/migration/rights';

const docs = path.join(__dirname, '../../docs');

type Rows = readonly (readonly string[])[];

const code = (names: Iterable<string>) => [...new Set(names)].map((name) => `\`${name}\``).join(', ');

const tables: readonly (readonly [file: string, name: string, rows: Rows])[] = [
  [
    'operate.md',
    'findings',
    [
      ['code', 'the key', 'on the target', 'do'],
      ...Object.entries(findingCatalogue).map(([code, { means, onTarget, todo }]) => [
        `\`${code}\``,
        means,
        onTarget ? 'yes' : 'no',
        todo,
      ]),
    ],
  ],
  [
    'operate.md',
    'errors',
    [
      ['code', 'status', 'means'],
      ...Object.entries(errorCodes).map(([code, { status, means }]) => [`\`${code}\``, String(status), means]),
    ],
  ],
  ...sideNames.map(
    (side) =>
      [
        'security.md',
        `rights of the ${side}`,
        [
          ['asked for by', 'commands', 'without'],
          ...rights
            .filter((right) => right.side === side)
            .map((right) => [right.for, code(right.commands), right.without ?? 'it does not start']),
        ],
      ] as const,
  ),
];

/** The lines of a table of the document, between its marks. */
function bounds(text: string, name: string): [number, number] {
  const begin = `<!-- ${name}: from the source -->\n\n`;
  return [text.indexOf(begin) + begin.length, text.indexOf(`\n<!-- ${name}: end -->`)];
}

function cellsOf(lines: string): Rows {
  const rows = lines
    .trim()
    .split('\n')
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  return rows.filter(([first]) => !/^-+$/.test(first ?? ''));
}

// KEYFERRY_WRITE_DOCS=1 writes them; prettier makes them fair.
it.each(tables)('docs/%s has all %s as the source has them', (document, name, rows) => {
  const file = path.join(docs, document);
  const text = readFileSync(file, 'utf8');
  const [from, to] = bounds(text, name);
  if (process.env.KEYFERRY_WRITE_DOCS === '1') {
    const [head = [], ...body] = rows;
    const lines = [head, head.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |\n`);
    writeFileSync(file, text.slice(0, from) + lines.join('') + text.slice(to));
  } else expect(cellsOf(text.slice(from, to))).toEqual(rows);
});

it('docs/security.md gives users all rights for what is not converted, and no others', () => {
  const text = readFileSync(path.join(docs, 'security.md'), 'utf8');
  for (const side of sideNames) {
    const [, given = ''] = new RegExp(`ACL SETUSER keyferry-${side} on >password ~\\*((?: \\+\\S+)+)`).exec(text) ?? [];
    const wanted = rights
      .filter((right) => right.side === side && !right.for.startsWith('`convert`') && right.for !== IN_PLACE)
      .flatMap(({ commands }) => commands.map(aclOf));
    expect(given.trim().split(' ').sort()).toEqual([...new Set(wanted)].sort());
  }
});

it('the OpenAPI document has them too', () => {
  const text = JSON.stringify(openApiDocument());
  const { components } = JSON.parse(text) as {
    components: { schemas: Record<string, { properties: Record<string, never> }> };
  };
  const finding = components.schemas.Findings?.properties as unknown as {
    findings: { items: { properties: { code: { enum: string[]; description: string } } } };
  };
  const error = components.schemas.Error?.properties as unknown as {
    error: { properties: { code: { enum: string[]; description: string } } };
  };
  const { code: findingCode } = finding.findings.items.properties;
  const { code: errorCode } = error.error.properties;
  expect(findingCode.enum).toEqual(Object.keys(findingCatalogue));
  expect(errorCode.enum).toEqual(Object.keys(errorCodes));
  for (const { means } of Object.values(findingCatalogue)) expect(findingCode.description).toContain(means);
  for (const { means } of Object.values(errorCodes)) expect(errorCode.description).toContain(means);
});
