import type { KeyFinding } from '../migration/rows';
import type { Lost } from '../payload/reencode';

/** For people: what a copy lacks that the key has. */
export function lostFieldExpiries(count: number): string {
  return `${count === 1 ? 'a field that was to expire by itself stays' : `${count} fields that were to expire by themselves stay`} for ever: the target knows no expiry of hash fields`;
}

export function lostStreamFacts(facts: readonly string[]): string {
  return `the target does not hold ${facts.join(', ')} of the stream`;
}

/** What servers before 7.0 do not keep of a stream. */
export const FACTS_SINCE_7 = ['entries-added', 'max-deleted-entry-id', 'entries-read'] as const;

/** What is told of a key whose value was written in another form and lost something by it. */
export function findingsOfLost(key: Buffer, lost: Lost): KeyFinding[] {
  if (lost.fieldExpiries > 0) {
    return [{ key, code: 'lost-field-expiry', message: lostFieldExpiries(lost.fieldExpiries) }];
  }
  return lost.streamPast ? [{ key, code: 'lost-stream-facts', message: lostStreamFacts(FACTS_SINCE_7) }] : [];
}
