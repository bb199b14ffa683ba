import type { App } from '../app/app';
import { allNoted, type FileCounter } from '../convert/file-keys';
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
  const lookedThrough = async (): Promise<LookedThrough> => {
    const selection = makeSelection(select);
    const counters = convert.map((options) =>
      kindOf(options).counter(options, (key, type) => selection.wants(key, type)),
    );
    const noted = new Map<number, number>();
    const beside = allNoted(convertersByName(convert));
    const seen = (database: number, { key, type }: KeyRecord) => {
      const name = typeNameOf(type);
      for (const counter of counters) counter.see(database, key, name);
      if (beside.concerns(key)) noted.set(database, (noted.get(database) ?? 0) + 1);
    };
    const hook = convert.length === 0 ? undefined : seen;
    const file = await lookThrough(store, spec.file, nameOfSide(spec), app.settings.bigKeyBytes, hook);
    if (convert.length === 0) return { file, counters };
    const databases = file.databases.map((each) => ({ ...each, noted: noted.get(each.database) ?? 0 }));
    return { file: { ...file, databases }, counters };
  };
  let known: Promise<LookedThrough> | undefined;
  let counters: LookedThrough['counters'] = [];
  const looked = async (): Promise<SourceFile> => {
    known ??= (async () => {
      const version = (await store.find(spec.file))?.version ?? '';
      const same = JSON.stringify([store.address, spec.file, version, convert.length === 0 ? [] : [convert, select]]);
      return await joined(app.files, same, lookedThrough);
    })();
    const { file, counters: counted } = await known;
    counters = counted;
    return file;
  };
  return {
    conversionFacts: (databases) => counters.map((counter) => counter.facts(databases)),
    ...fileSide(`${store.address}/${spec.file}`),
    told: async () => sourceFileFacts(spec, await looked()),
    abilities: async () => sourceFileAbilities(await looked()),
  };
}

/** A file that was looked through, with what the conversions of the request have counted in it. */
interface LookedThrough {
  readonly file: SourceFile;
  readonly counters: readonly FileCounter[];
}

/** By the process's file stores: the looks through files that are under way, by what they are. */
const underWay = new WeakMap<App['files'], Map<string, Promise<LookedThrough>>>();

/** Does what is the same once for all who ask meanwhile: a request is sent again where its answer does not come in time. */
async function joined(files: App['files'], same: string, look: () => Promise<LookedThrough>): Promise<LookedThrough> {
  const looks = underWay.get(files) ?? new Map<string, Promise<LookedThrough>>();
  underWay.set(files, looks);
  let one = looks.get(same);
  if (one === undefined) {
    one = look().finally(() => looks.delete(same));
    looks.set(same, one);
  }
  return await one;
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
