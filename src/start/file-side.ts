import type { App } from '../app/app';
import { FileError } from '../files/file-error';
import { lookAtHead } from '../files/look-through';
import {
  fileAbilities,
  fileFacts,
  fileVersionOf,
  noTargetFacts,
  sourceFileAbilities,
  sourceFileFacts,
} from '../migration/file-facts';
import { nameOfSide, type FileSpec } from '../migration/side-spec';
import type { SourceFile } from '../payload/source-file';
import type { SourceAbilities, TargetAbilities } from '../redis/probe';
import type { ReadFile } from './file-findings';
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

/**
 * A file that is to be read.
 * @param read what was found in it; until then only how it begins is known @throws FileError
 */
export function fileSource(spec: FileSpec, app: Pick<App, 'files'>, read?: ReadFile): PlanSide<SourceAbilities> {
  const store = app.files.get(spec.rdb);
  let known: Promise<SourceFile> | undefined;
  const file = () =>
    (known ??=
      read === undefined
        ? lookAtHead({ store, file: spec.file, place: nameOfSide(spec) })
        : Promise.resolve(read.file));
  return {
    ...fileSide(`${store.address}/${spec.file}`),
    conversionFacts: (databases) => read?.conversionFacts(databases) ?? [],
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
