import type { Converter } from './converter';
import type { ConversionOptions, Surroundings } from './converter-kind';
import { kindOf } from './registry';

/** What converters are made from: a plan, as far as they know it. */
export interface ConvertingPlan {
  readonly request: { readonly convert: readonly ConversionOptions[]; readonly onConflict: string };
  readonly inPlace: boolean;
  readonly source: { readonly cluster: boolean; readonly abilities: Surroundings['source'] };
  readonly target: { readonly cluster: boolean; readonly abilities: Surroundings['target'] };
}

/** Whether one script may touch keys of several slots. */
function takesAnyKeys({ cluster, abilities }: ConvertingPlan['target']): boolean {
  return abilities.scripts && !cluster;
}

/** The converters that a plan asks for. */
export function makeConverters({ request, inPlace, source, target }: ConvertingPlan): Converter[] {
  const surroundings: Surroundings = {
    inPlace,
    onConflict: request.onConflict === 'skip' ? 'skip' : 'replace',
    source: { ...source.abilities, scripts: takesAnyKeys(source) },
    target: { scripts: takesAnyKeys(target) },
  };
  return request.convert.map((options) => kindOf(options).make(options, surroundings));
}
