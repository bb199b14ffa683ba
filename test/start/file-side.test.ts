import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { App } from '../../src/app/app';
import { readAppSettings } from '../../src/app/app-settings';
import { FileStores } from '../../src/files/file-stores';
import { parseMigrationRequest } from '../../src/migration/request';
import { fileSource } from '../../src/start/file-side';

const fixtures = path.resolve(__dirname, '../fixtures');

/** Plans that ask at the same time, by what each asks for; and how many bytes of the file were read for all. */
async function lookedFor(...asked: readonly object[]) {
  const env = { RDB_FILES: pathToFileURL(fixtures).href };
  const files = new FileStores(env);
  const store = files.get('FILES');
  const read = jest.spyOn(store, 'read');
  const app = { files, settings: readAppSettings(env) } as Pick<App, 'files' | 'settings'>;
  const spec = { rdb: 'FILES', file: 'redis-4.0.14.rdb' };
  const sides = asked.map((more) =>
    fileSource(spec, parseMigrationRequest({ source: spec, mode: 'dry-run', ...more }), app),
  );
  const told = await Promise.all(sides.map((side) => side.told()));
  const facts = sides.map((side) => side.conversionFacts?.([0]) ?? []);
  const last = fileSource(spec, parseMigrationRequest({ source: spec, mode: 'dry-run' }), app);
  const bytes = () => read.mock.calls.reduce((sum, [, , , length]) => sum + length, 0);
  const before = bytes();
  await last.told();
  return { told, facts, before, again: bytes() - before };
}

it('a look through a file that is under way is done once for all who ask for the same', async () => {
  const one = await lookedFor({});
  const three = await lookedFor({}, {}, {});
  expect(three.told).toEqual([one.told[0], one.told[0], one.told[0]]);
  expect(three.before).toBe(one.before);
  // Once it is done, the next one looks itself.
  expect(three.again).toBe(one.before);
});

it('what conversions count in it is of each request', async () => {
  const convert = ['aspnet-session-v5'];
  const { facts, before } = await lookedFor({ convert }, {}, { convert });
  const one = await lookedFor({});
  expect(facts[0]).toHaveLength(1);
  expect(facts[2]).toEqual(facts[0]);
  expect(facts[1]).toEqual([]);
  expect(before).toBe(2 * one.before);
});
