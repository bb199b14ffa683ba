import type { Dice } from './dice';
import { faultNames, faultOf, type FaultName, type PlannedFault } from './faults';
import type { Scenario } from './scenario';

/** The faults of a scenario: none to five, in the order of their times. */
export function drawFaults(scenario: Scenario, dice: Dice): PlannedFault[] {
  const drawn: PlannedFault[] = [];
  for (let left = Number(dice.weighted({ '0': 10, '1': 35, '2': 25, '3': 18, '4': 8, '5': 4 })); left > 0; left--) {
    const side = dice.pick(['source', 'target'] as const);
    const weights = faultNames
      .filter((name) => faultOf(name).possible?.(scenario, side) ?? true)
      .map((name) => [name, faultOf(name).weight] as const);
    drawn.push({
      name: dice.weighted(Object.fromEntries(weights) as Record<FaultName, number>),
      side,
      after: dice.chance(15) ? 'verifying' : 'start',
      atMs: Math.round((scenario.expectedMs * dice.between(0, 90)) / 100),
      ms: dice.pick([dice.between(0, 200), dice.between(200, 1_000), dice.between(1_000, 3_000)]),
      roll: dice.between(0, 99),
    });
  }
  return drawn.sort((a, b) => a.atMs - b.atMs);
}
