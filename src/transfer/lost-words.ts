/** For people: what a copy lacks that the key has. */
export function lostFieldExpiries(count: number): string {
  return `${count === 1 ? 'a field that was to expire by itself stays' : `${count} fields that were to expire by themselves stay`} for ever: the target knows no expiry of hash fields`;
}

export function lostStreamFacts(facts: readonly string[]): string {
  return `the target does not hold ${facts.join(', ')} of the stream`;
}

/** What servers before 7.0 do not keep of a stream. */
export const FACTS_SINCE_7 = ['entries-added', 'max-deleted-entry-id', 'entries-read'] as const;
