import type { App } from '../app/app';
import { allNoted } from '../convert/file-keys';
import { convertersByName } from '../convert/make-converters';
import { kindOf } from '../convert/registry';
import { FileError } from '../files/file-error';
import { lookThrough } from '../files/look-through';
import {
  fileAbilities,
  fileFacts,
  fileVersionOf,
  noTargetFacts,
  sourceFileAbilities,
  sourceFileFacts,
} from '../migration/file-facts';
import type { MigrationRequest } from '../migration/request';
import { makeSelection } from '../migration/selection';
import { nameOfSide, type FileSpec } from '../migration/side-spec';
import type { KeyRecord } from '../payload/read-record';
import { typeNameOf } from '../payload/type-names';
import type { SourceFile } from '../payload/source-file';
import type { SourceAbilities, TargetAbilities } from '../redis/probe';
import type { PlanSide } from './plan-side';

/** A file that is to be written. @throws FileError where there is one that must stay */
export function fileTarget(spec: FileSpec, app: Pick<App, 'files'>): PlanSide<TargetAbilities> {
  const store = app.files.get(spec.rdb);
  return {
    ...fileSide(`${store.address}/${spec.file}`),
    told: async (source) => {
      const found = await store.find(spec.file);
      if (found !== undefined && spec.overwrite !== true) throw new FileError('exists', nameOfSide(spec));
      const version = spec.version ?? (source === undefined ? 9 : fileVersionOf(await source));
      return { ...fileFacts(spec, version, []), moreDatabases: true };
    },
    abilities: async ({ source }, _keys, ofSource) => {
      // The file is read where its modules are, as any that a server writes.
      const modules = (await ofSource)?.modules;
      return fileAbilities(spec.version ?? fileVersionOf(source), modules);
    },
  };
}

/** No target: nothing is asked of one, so that it stands in no key's way. */
export const noTarget: PlanSide<TargetAbilities> = {
  ...fileSide(''),
  told: async (source) => noTargetFacts((await source)?.file?.version ?? 0),
  abilities: ({ source }) => Promise.resolve(fileAbilities(source.file?.version ?? 0, undefined)),
};

/** A file that is to be read: it is looked through once. @throws FileError */
export function fileSource(
  spec: FileSpec,
  { convert, select }: Pick<MigrationRequest, 'convert' | 'select'>,
  app: Pick<App, 'files' | 'settings'>,
): PlanSide<SourceAbilities> {
  const store = app.files.get(spec.rdb);
  const selection = makeSelection(select);
  const counters = convert.map((options) =>
    kindOf(options).counter(options, (key, type) => selection.wants(key, type)),
  );
  let known: Promise<SourceFile> | undefined;
  const file = () => (known ??= lookedThrough());
  const lookedThrough = async (): Promise<SourceFile> => {
    const noted = new Map<number, number>();
    const beside = allNoted(convertersByName(convert));
    const seen = (database: number, { key, type }: KeyRecord) => {
      const name = typeNameOf(type);
      for (const counter of counters) counter.see(database, key, name);
      if (beside.concerns(key)) noted.set(database, (noted.get(database) ?? 0) + 1);
    };
    const hook = convert.length === 0 ? undefined : seen;
    const found = await lookThrough(store, spec.file, nameOfSide(spec), app.settings.bigKeyBytes, hook);
    const databases = found.databases.map((each) => ({ ...each, noted: noted.get(each.database) ?? 0 }));
    return convert.length === 0 ? found : { ...found, databases };
  };
  return {
    conversionFacts: (databases) => counters.map((counter) => counter.facts(databases)),
    ...fileSide(`${store.address}/${spec.file}`),
    told: async () => sourceFileFacts(spec, await file()),
    abilities: async () => sourceFileAbilities(await file()),
  };
}

/** What is the same for files of both sides: nobody's rights stand in the way, and there is nothing to be tried. */
function fileSide(address: string): Omit<PlanSide<never>, 'told' | 'abilities'> {
  return {
    database: undefined,
    address,
    met: () => Promise.resolve([]),
    touch: () => Promise.resolve({ refused: [], named: (name) => name }),
    refused: () => Promise.resolve({ all: [], unknown: [] }),
    missing: () => Promise.resolve([]),
    clockSpread: () => Promise.resolve(0),
    scriptRefusal: () => Promise.resolve(undefined),
  };
}
