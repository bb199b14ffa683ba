import type { Passage, PayloadGate } from '../payload/payload-gate';
import type { Payload } from '../transfer/page-reader';
import type { Side } from '../transfer/side';
import { ordinaryTypes } from './fate';
import { readKeyFacts, type FactsOptions } from './key-facts';
import type { SurveySource } from './survey-part';

/** A server that is surveyed: it is asked what its keys are. */
export function askedSource(source: Side, options: FactsOptions, gate: PayloadGate): SurveySource {
  return {
    factsOf: (_page, keys) => source.attempt(() => readKeyFacts(source, keys, options)),
    passageOf: (_key, payload, type) => passageOf(payload, type, gate),
  };
}

/** Large keys go in pieces, or whole where no commands can carry their type. */
function passageOf(payload: Payload | undefined, type: string | undefined, gate: PayloadGate): Passage {
  if (Buffer.isBuffer(payload)) return gate.passageOf(payload);
  const isWhole = payload === 'big' && type !== undefined && !ordinaryTypes.has(type);
  return isWhole ? gate.passageOfType(type) : 'by-commands';
}
