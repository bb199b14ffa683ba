import { z } from 'zod';
import { aspNetSessions } from './aspnet-session/kind';
import { distributedCache } from './distributed-cache/kind';
import type { PlannedConversion } from './conversion-facts';
import type { ConverterKind } from './converter-kind';

/** The converters that there are. Another one is a folder here, a line in this list, and one in catalogue.ts. */
const kinds: readonly ConverterKind[] = [aspNetSessions, distributedCache];
const schemas = [aspNetSessions.options, distributedCache.options] as const;

const UNKNOWN = `Not a known converter; there is ${kinds.map(({ name }) => `"${name}"`).join(', ')}, by its name or as {"converter": …}.`;

/** One conversion in a request: a converter's name, or an object with its options. */
export const conversionSchema = z.preprocess(
  (value) => (kinds.some(({ name }) => name === value) ? { converter: value } : value),
  z.discriminatedUnion('converter', schemas, { error: UNKNOWN }),
);

/** The kind that a request names. @throws Error when there is none: a stored request of a later version */
export function kindOf({ converter }: { readonly converter: string }): ConverterKind {
  const kind = kinds.find(({ name }) => name === converter);
  if (kind === undefined) throw new Error(`There is no converter "${converter}".`);
  return kind;
}

/** The conversions of a stored plan, with facts that earlier versions kept in fields of their own. */
export function storedConversions(plan: Readonly<Record<string, unknown>>): readonly PlannedConversion[] {
  return kinds.flatMap(({ name, formerField }) => {
    const facts = formerField === undefined ? undefined : plan[formerField];
    return facts === undefined || facts === null ? [] : [{ name, facts: facts as PlannedConversion['facts'] }];
  });
}
