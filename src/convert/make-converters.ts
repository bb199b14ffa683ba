import type { Converter } from './converter';
import { NO_SERVERS, type ConversionOptions, type Surroundings } from './converter-kind';
import { kindOf } from './registry';

/** What converters are made from: a plan, as far as they know it. */
export interface ConvertingPlan {
  readonly request: {
    readonly convert: readonly ConversionOptions[];
    readonly onConflict: string;
    readonly mode: string;
  };
  readonly inPlace: boolean;
  readonly source: { readonly abilities: Surroundings['source'] };
  readonly target: { readonly abilities: Surroundings['target'] };
}

/** The converters that a request asks for, before anything is known of its sides. */
export function convertersByName(convert: readonly ConversionOptions[]): Converter[] {
  return convert.map((options) => kindOf(options).make(options, NO_SERVERS));
}

/** The converters that a plan asks for. */
export function makeConverters({ request, inPlace, source, target }: ConvertingPlan): Converter[] {
  const surroundings: Surroundings = {
    inPlace,
    follows: request.mode === 'live',
    onConflict: request.onConflict === 'skip' ? 'skip' : 'replace',
    source: source.abilities,
    target: target.abilities,
  };
  return request.convert.map((options) => kindOf(options).make(options, surroundings));
}
