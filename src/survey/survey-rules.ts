import type { DatabasePlan, Plan } from '../migration/plan';
import { payloadGateOf } from '../migration/transport';
import type { PayloadGate } from '../payload/payload-gate';
import { hasFieldExpiry } from '../transfer/by-commands/abilities';
import { abilitiesOf } from '../transfer/by-commands/abilities-of';
import type { FateRules } from './fate';
import type { FactsOptions } from './key-facts';

/** How keys of a database are looked at, and what decides their fates. */
export function surveyRules(
  plan: Plan,
  database: DatabasePlan,
  bigKeyBytes: number,
): {
  readonly facts: FactsOptions;
  readonly rules: FateRules;
  readonly payloads: PayloadGate;
} {
  const { source, target, request } = plan;
  const fieldExpiries = request.target === null || hasFieldExpiry(abilitiesOf(target));
  return {
    facts: {
      memoryUsage: source.abilities.memoryUsage,
      lookForFieldExpiries: source.abilities.dump && hasFieldExpiry(abilitiesOf(source)) && !fieldExpiries,
      bigKeyBytes,
    },
    rules: {
      onConflict: request.onConflict,
      databaseThere: database.missingOnTarget !== true,
      fieldExpiries,
    },
    payloads: payloadGateOf(plan),
  };
}
