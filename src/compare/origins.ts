import type { Converter } from '../convert/converter';
import type { DatabasePlan } from '../migration/plan';

/** Where a key of the target may come from. */
export interface Origin {
  readonly database: number;
  readonly key: Buffer;
}

/**
 * All keys of the source that a key of the target may have come from, by the map of databases and by the converters. None:
 * the key is outside of what the migration writes.
 */
export function originsOf(
  key: Buffer,
  targetDatabase: number,
  databases: readonly DatabasePlan[],
  converters: readonly Converter[],
): Origin[] {
  return databases
    .filter((plan) => plan.targetDatabase === targetDatabase)
    .flatMap(({ database, prefix }) => {
      const start = Buffer.from(prefix, 'utf8');
      if (!key.subarray(0, start.length).equals(start)) return [];
      const name = key.subarray(start.length);
      const before = converters.flatMap((converter) => converter.namesBefore(name));
      return [name, ...before].map((origin) => ({ database, key: origin }));
    });
}
