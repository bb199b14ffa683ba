import type { ServerFacts } from '../../redis/probe';
import type { Abilities } from './abilities';

/** The version that a server has told, in numbers. */
export function abilitiesOf(facts: Pick<ServerFacts, 'version' | 'software'>): Abilities {
  const [major = 0, minor = 0] = facts.version.split('.').map(Number);
  return { major, minor, valkey: facts.software === 'valkey' };
}
