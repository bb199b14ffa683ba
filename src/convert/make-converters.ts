import type { Converter } from './converter';
import type { ConversionOptions, Surroundings } from './converter-kind';
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

/** For whoever asks only for names. */
const NO_SERVERS: Surroundings = {
  inPlace: false,
  follows: false,
  onConflict: 'replace',
  source: { scripts: false, memoryUsage: false },
  target: { scripts: false },
};

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
