import { concernOf, placesOf, relatedTo } from '../../src/live/related-keys';
import { makeConverters } from '../../src/convert/make-converters';
import { v4KeyNames, v5KeyNames } from '../../src/convert/aspnet-session';
import { parseMigrationRequest } from '../../src/migration/request';
import { aPlan } from '../tools/rows';

const A = Buffer.from('/Shop_1');
const family = [v5KeyNames(A), v4KeyNames(A), v4KeyNames(A, false)].flatMap((names) =>
  Object.values<Buffer>({ ...names }),
);
const planOf = (changes: object) =>
  aPlan({ request: parseMigrationRequest({ source: 'OLD', target: 'NEW', mode: 'live', ...changes }) });
const convert = [
  { converter: 'distributed-cache', to: 'strings' },
  { converter: 'aspnet-session-v5', braceless: true },
];

it('all keys of a session have one place, and each of them concerns whoever selects any', () => {
  const plan = planOf({ convert, select: { match: ['{/Shop_1}_Data', 'other'] } });
  const placeOf = placesOf(plan, plan.databases[0]!);
  expect(new Set(family.map((key) => placeOf?.(key).toString())).size).toBe(1);
  expect(placeOf?.(Buffer.from('other')).toString()).toBe('other');
  for (const key of family) {
    expect(relatedTo([key], makeConverters(plan)).map(String).sort()).toEqual(family.map(String).sort());
    expect(concernOf(plan)(key)).toBe(true);
  }
  expect(['other', 'another'].map((key) => concernOf(plan)(Buffer.from(key)))).toEqual([true, false]);
});

it('where names stay as they are each key has a place of its own', () => {
  const plan = planOf({});
  expect(placesOf(plan, plan.databases[0]!)).toBeUndefined();
  const renaming = planOf({ rename: [{ from: '^old:', to: '' }] });
  expect(placesOf(renaming, renaming.databases[0]!)?.(Buffer.from('old:a')).toString()).toBe('a');
});
