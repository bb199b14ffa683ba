import { z } from 'zod';
import { catalogue } from '../../src/convert/catalogue';
import { makeConverters } from '../../src/convert/make-converters';
import { conversionSchema, kindOf } from '../../src/convert/registry';
import { openApiDocument } from '../../src/api/openapi';
import type { BadRequestError } from '../../src/migration/request';
import { parseMigrationRequest } from '../../src/migration/request';
import { plainSource, plainTarget } from '../tools/rows';

const names = catalogue.map(({ name }) => name);
const parse = (...convert: unknown[]) => parseMigrationRequest({ source: 'OLD', target: 'NEW', convert }).convert;

it('each converter has a kind, an example that is a request, and a converter of its name', () => {
  for (const { name, example } of catalogue) {
    const [options] = parse(JSON.parse(example));
    expect(kindOf(options!).name).toBe(name);
    const request = { convert: [options!], onConflict: 'replace', mode: 'copy' };
    const [made] = makeConverters({ request, inPlace: false, source: plainSource, target: plainTarget });
    expect(made?.name).toBe(name);
  }
  expect(() => kindOf({ converter: 'of a later version' })).toThrow('no converter "of a later version"');
});

it('all are in the OpenAPI document, each by its name', () => {
  const { schemas } = (openApiDocument() as { components: { schemas: Record<string, never> } }).components;
  const { oneOf } = z.toJSONSchema(conversionSchema, { io: 'input' }) as unknown as { oneOf: { $ref: string }[] };
  const described = oneOf.map(({ $ref }) => {
    const schema = schemas[$ref.split('/').at(-1)!] as unknown as { properties: { converter: { const: string } } };
    return schema.properties.converter.const;
  });
  expect(described).toEqual(names);
});

it('a request may name several, with options of their own, and is told what is missing', () => {
  const cache = { converter: 'distributed-cache', to: 'entries' };
  expect(parse('aspnet-session-v5', cache, { ...cache, instanceName: 'S:' })).toMatchObject([
    { converter: 'aspnet-session-v5', keepOld: true },
    { ...cache, instanceName: '', sliding: 'refuse' },
    { ...cache, instanceName: 'S:' },
  ]);
  const mistakes = (one: unknown) => {
    try {
      parse(one);
      return [];
    } catch (error) {
      return (error as BadRequestError).mistakes.map(({ path }) => path);
    }
  };
  expect(mistakes('distributed-cache')).toEqual(['convert.0.to']);
  expect(mistakes({ ...cache, keepOld: true })).toEqual(['convert.0.keepOld']);
});
