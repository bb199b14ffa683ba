import type { Converter } from '../convert/converter';
import { makeConverters } from '../convert/make-converters';
import { makeNames } from '../convert/names';
import { nameOf } from './changed-names';
import type { Plan } from '../migration/plan';
import { makeSelection } from '../migration/selection';

/** All keys on which it depends what becomes of keys on the target, these among them, each once. */
export function relatedTo(keys: readonly Buffer[], converters: readonly Converter[]): readonly Buffer[] {
  if (converters.length === 0) return keys;
  const all = keys.flatMap((key) => [key, ...converters.flatMap((converter) => converter.family(key) ?? [])]);
  return [...new Map(all.map((key) => [nameOf(key), key])).values()];
}

/** Whether a change of a key may change anything on the target. */
export function concernOf(plan: Plan): (key: Buffer) => boolean {
  const selection = makeSelection(plan.request.select);
  if (selection.all) return () => true;
  const converters = makeConverters(plan);
  // For every name that is told: most are wanted by themselves.
  return (key) => selection.mayWant(key) || relatedTo([key], converters).some((one) => selection.mayWant(one));
}

/**
 * By what keys are told apart that may write the same key of the target: those of the same place must be applied one after the other.
 * Undefined where each key has a place of its own.
 */
export function placesOf(plan: Plan, database: Plan['databases'][number]): ((key: Buffer) => Buffer) | undefined {
  const { rename, convert } = plan.request;
  if (rename.length === 0 && convert.length === 0) return undefined;
  const names = makeNames(plan, database, []);
  const converters = makeConverters(plan);
  return (key) => {
    const families = converters.map((converter) => converter.family(key) ?? []);
    const [first] = families.find((family) => family.length > 1) ?? [];
    return names.onTarget(first ?? key);
  };
}
