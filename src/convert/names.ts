import type { Converter } from './converter';
import { makeLeadingBack } from './rename/leading-back';
import { makeNaming, type RenameRule } from './rename/naming';

/** A database of the source with its place on the target. */
export interface MappedDatabase {
  readonly database: number;
  readonly targetDatabase: number;
  /** Put in front of every key name; empty for none. */
  readonly prefix: string;
}

/** What the keys of one database of the source are called on the target: by converters, rename rules and the prefix. */
export interface Names {
  /** The name of a key that is copied as it is; of a key in its new form, too. */
  onTarget(key: Buffer): Buffer;
  /** The names under which a key may be on the target: converted first, then as it is. None where it need not be there. */
  possible(key: Buffer): readonly Buffer[];
  /** Whether a converter claims the key. */
  claims(key: Buffer): boolean;
  /** The name that a claimed key must have once it is converted; undefined where none must be there. */
  converted(key: Buffer): Buffer | undefined;
  /**
   * All keys of the source that a key of the target may have come from, by the prefix, the rules and the converters. None: the key
   * is outside of what the migration writes.
   * @throws Error where the rules cannot be led back
   */
  origins(key: Buffer): readonly Buffer[];
}

/** The names of one database, made once for all work on a range. */
export function makeNames(
  { request }: { readonly request: { readonly rename: readonly RenameRule[] } },
  { prefix }: Pick<MappedDatabase, 'prefix'>,
  converters: readonly Converter[],
): Names {
  const naming = makeNaming(request.rename, prefix);
  const onTarget = (key: Buffer) => naming?.(key) ?? key;
  const leadBack = makeLeadingBack(request.rename);
  const start = Buffer.from(prefix, 'utf8');
  const claimant = (key: Buffer) => converters.find((converter) => converter.claims(key));
  const converted = (key: Buffer) => {
    const after = claimant(key)?.nameAfter(key);
    return after === undefined ? undefined : onTarget(after);
  };
  return {
    onTarget,
    claims: (key) => claimant(key) !== undefined,
    converted,
    possible: (key) => {
      if (claimant(key) === undefined) return [onTarget(key)];
      const after = converted(key);
      return after === undefined ? [] : [after, onTarget(key)];
    },
    origins: (key) => {
      if (leadBack === undefined) throw new Error('Where the names of rules came from cannot be told.');
      if (!key.subarray(0, start.length).equals(start)) return [];
      const name = key.subarray(start.length);
      const names =
        request.rename.length === 0 ? [name] : [name, ...leadBack(name)].filter((one) => onTarget(one).equals(key));
      const origins = names.flatMap((one) => [one, ...converters.flatMap((converter) => converter.namesBefore(one))]);
      return origins.length < 2 ? origins : withoutRepeats(origins);
    },
  };
}

function withoutRepeats(keys: readonly Buffer[]): Buffer[] {
  return [...new Map(keys.map((key) => [key.toString('latin1'), key])).values()];
}
