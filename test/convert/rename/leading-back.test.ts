import { makeNames } from '../../../src/convert/names';
import { makeLeadingBack } from '../../../src/convert/rename/leading-back';
import type { RenameRule } from '../../../src/convert/rename/naming';

const led = (from: string, to: string, name: string) =>
  makeLeadingBack([{ from, to }])?.(Buffer.from(name)).map(String);

it.each([
  ['^old:(.*)$', 'new:$1', 'new:a', ['old:a']],
  ['^old:', 'new:', 'new:a', ['old:a']],
  ['^old:(.+)$', '{new}:$1:v2', '{new}:a:v2', ['old:a']],
  ['^old:', 'new:', 'old:a', []],
  [':v1$', ':v2', 'a:v2', ['a:v1']],
  ['(.*):v1$', '$1', 'a', ['a:v1']],
  ['^', 'app:', 'app:a', ['a']],
  ['^(.*)$', 'app:$1', 'app:a', ['a']],
  ['^a\\.b\\$$', '$b', '$b', ['a.b$']],
  ['^é', 'e\\', 'e\\x', ['éx']],
  ['^long(.*)er$', 'long$1est', 'longest', ['longer']],
])('by s/%s/%s/ %s may come from %p', (from, to, name, expected) => {
  expect(led(from, to, name)).toEqual(expected);
});

it.each([
  ['old', 'new'],
  ['^old.*', 'new'],
  ['^(.*)$', 'new'],
  ['^(.*)-(.*)$', '$2-$1'],
  ['^old:(.*)', 'new:$1:'],
  ['(.*)$', 'new:$1'],
  ['(.+)', 'new:$1'],
  ['^old:(.*)$', '$1$1'],
  ['^old:(.*)$', '$0'],
  ['^old:(.*)$', '$12'],
  ['^(?i)old:', 'new:'],
  ['^o?ld:', 'new:'],
  ['^old|new$', 'x'],
  ['^\\d', 'x'],
  ['^[ab]', 'x'],
])('s/%s/%s/ cannot be led back', (from, to) => {
  expect(makeLeadingBack([{ from, to }])).toBeUndefined();
});

it('no name is left out from which rules make another, whatever the names', () => {
  let state = 1;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const pick = <T>(from: readonly T[]): T => from[random(from.length)] as T;
  const text = (letters: readonly string[], most: number) =>
    Array.from({ length: random(most + 1) }, () => pick(letters)).join('');
  const rule = (): RenameRule => {
    const literal = () => text(['a', 'b', '\\.', 'é'], 2);
    const group = pick(['', '(.*)', '(.+)']);
    return {
      from: `${pick(['^', ''])}${literal()}${group}${group === '' ? '' : literal()}${pick(['$', ''])}` || '^',
      to: `${text(['a', 'b', '.'], 2)}${group === '' ? '' : '$1'}${text(['a', 'b', 'é'], 2)}`,
    };
  };
  let tried = 0;
  let renamed = 0;
  for (let round = 0; round < 6_000; round++) {
    const rules = Array.from({ length: 1 + random(2) }, rule);
    if (makeLeadingBack(rules) === undefined) continue;
    const names = makeNames({ request: { rename: rules } }, { prefix: pick(['', 'p:']) }, []);
    const key = Buffer.from(pick([text(['a', 'b', '.', 'é', '\n'], 5), 'a\xff']), pick(['utf8', 'latin1'] as const));
    const name = names.onTarget(key);
    const origins = names.origins(name);
    expect({ rules, key, origins: origins.filter((origin) => origin.equals(key)) }).toMatchObject({ origins: [key] });
    expect(origins.every((origin) => names.onTarget(origin).equals(name))).toBe(true);
    tried++;
    if (origins.length > 1) renamed++;
  }
  expect(tried).toBeGreaterThan(300);
  expect(renamed).toBeGreaterThan(30);
});
