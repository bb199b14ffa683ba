import { isAtLeast, type LoadedModule, type PayloadServer } from './payload-server';

/** Why a value of a module's type is not certain to be read by the target, for programs and for people. */
export interface Doubt {
  readonly code: 'module-missing' | 'module-older' | 'payload-not-taken';
  /** The end of a sentence that begins with the key, the type or the module: what to do is in it. */
  readonly reason: string;
}

/** Which module a type belongs to, where that is known. Each module names its types as it likes. */
const owners: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'ReJSON-RL': 'ReJSON',
    'MBbloom--': 'bf',
    MBbloomCF: 'bf',
    'CMSk-TYPE': 'bf',
    'TopK-TYPE': 'bf',
    'TDIS-TYPE': 'bf',
    'TSDB-TYPE': 'timeseries',
    vectorset: 'vectorset',
  }),
);

/**
 * What speaks against sending values of a module's type; undefined where the target reads them for certain: both servers
 * tell their modules, and the target has the one that wrote the value, in the same version or a newer one. Which one that
 * is need not be known: a value is there only while its module is, so it is one of the source's.
 */
export function doubtOfType(type: string, source: PayloadServer, target: PayloadServer): Doubt | undefined {
  const { modules = [] } = source;
  const owner = modules.filter(({ name }) => name === owners.get(type));
  const writers = owner.length > 0 ? owner : modules;
  if (writers.length === 0) {
    const named = owners.get(type);
    if (named !== undefined && target.modules !== undefined && !has(target, named)) return missing([named]);
    return { code: 'payload-not-taken', reason: 'the source does not tell which module wrote it' };
  }
  return doubtOfModules(writers, source, target);
}

/** What speaks against sending values that any of these modules of the source may have written. */
export function doubtOfModules(
  writers: readonly LoadedModule[],
  source: PayloadServer,
  target: PayloadServer,
): Doubt | undefined {
  const { modules } = target;
  if (modules === undefined) {
    return { code: 'payload-not-taken', reason: 'the target does not tell which modules it has' };
  }
  const lacking = writers.filter(({ name }) => !has(target, name));
  if (lacking.length > 0) return missing(lacking.map(({ name }) => name));
  if (source.software !== target.software) {
    return {
      code: 'payload-not-taken',
      reason: "modules of Redis and of Valkey do not read each other's values, even those of one name",
    };
  }
  const older = writers.filter(({ name, version }) => !modules.some((m) => m.name === name && m.version >= version));
  if (older.length > 0) {
    const names = older.map(({ name }) => name).join(', ');
    return {
      code: 'module-older',
      reason: `the target has an older version of the module (${names}): bring it to the source's version`,
    };
  }
  // They do not refuse what their module cannot read: the process ends. What may have been unloaded since is enough.
  if (target.software === 'redis' && !isAtLeast(target, 6, 2)) {
    return {
      code: 'payload-not-taken',
      reason: 'a Redis before 6.2 ends when a module cannot read a value, so it is sent none: upgrade the target',
    };
  }
  return undefined;
}

function has({ modules = [] }: PayloadServer, wanted: string): boolean {
  return modules.some(({ name }) => name === wanted);
}

function missing(names: readonly string[]): Doubt {
  return { code: 'module-missing', reason: `the target lacks the module (${names.join(', ')}): load it there` };
}
