import type { FindingCode } from '../migration/finding-codes';
import type { Passage, Withheld } from '../payload/payload-gate';
import type { KeyFacts } from './key-facts';

/**
 * What would become of a key, or of something about it. The first group is what Counts tells too: each key has one of it.
 * - claimed: a converter takes it and decides
 * - skipped: the target has the key already, and `onConflict` is skip
 * - overwritten: the same, and the key would be replaced
 * - renamed: under another name on the target
 * - byCommands: copied in chunks by ordinary commands, because it is big or its payload is not understood
 * - unsupportedType: of a type that the target does not have, or does not certainly read
 * - noDatabase: cannot be carried over
 * - losesFieldExpiry: carried over, but its hash fields would never expire
 */
export type Fate =
  'copied' | 'claimed' | 'skipped' | 'expired' | 'overwritten' | 'renamed' | 'byCommands' | 'exists' | LostFate;

/** What is not carried over as it is. Each such key is a finding. */
export type LostFate = 'unsupportedType' | 'noDatabase' | 'losesFieldExpiry';

/** A key with what it is, and what would become of it. */
export interface SurveyedKey {
  readonly key: Buffer;
  /** Undefined when the key is gone. */
  readonly facts: KeyFacts | undefined;
  readonly fates: readonly Fate[];
  /** Why its payload would not be sent, where that is its fate. */
  readonly withheld?: Withheld;
}

/** What is known of a key when its fate is told. */
export interface KeyState {
  readonly facts: KeyFacts | undefined;
  /** A converter takes it. */
  readonly claimed: boolean;
  readonly renamed: boolean;
  /** The name that it would get is on the target. */
  readonly exists: boolean;
  /** As of its payload; by commands where it is beyond the limit for one piece, or the target reads no payloads. */
  readonly passage: Passage;
}

/** What is the same for all keys of a database. */
export interface FateRules {
  readonly onConflict: 'replace' | 'skip' | 'fail';
  /** The target has the database that keys would go to. */
  readonly databaseThere: boolean;
  readonly fieldExpiries: boolean;
}

/** What ordinary commands can carry. */
export const ordinaryTypes: ReadonlySet<string> = new Set(['string', 'list', 'set', 'zset', 'hash', 'stream']);

/** What would become of a key. Of a claimed one its converter decides; here it only counts as one that exists or is renamed. */
export function fatesOf(state: KeyState, rules: FateRules): readonly Fate[] {
  const { facts, claimed, renamed, exists, passage } = state;
  if (!rules.databaseThere) return ['noDatabase'];
  const more: Fate[] = [...(exists ? ['exists' as const] : []), ...(renamed ? ['renamed' as const] : [])];
  if (claimed) return ['claimed', ...more];
  if (facts === undefined) return ['expired'];
  if (typeof passage === 'object') return ['unsupportedType', ...more];
  if (exists && rules.onConflict === 'skip') return ['skipped', ...more];
  const byCommands = passage === 'by-commands';
  if (byCommands && !ordinaryTypes.has(facts.type)) return ['unsupportedType', ...more];
  return [
    'copied',
    ...more,
    ...(exists ? ['overwritten' as const] : []),
    ...(byCommands ? ['byCommands' as const] : []),
    ...(facts.fieldExpiries && !rules.fieldExpiries ? ['losesFieldExpiry' as const] : []),
  ];
}

/** The fate that makes a key a finding, with words for people. */
export const lostFates: Readonly<Record<LostFate, { readonly code: FindingCode; readonly message: string }>> = {
  unsupportedType: {
    code: 'unsupported-type',
    message: 'The key is of a type that the target does not have: it would not be copied.',
  },
  noDatabase: { code: 'no-database', message: 'The target has no database for the key: it would not be copied.' },
  losesFieldExpiry: {
    code: 'lost-field-expiry',
    message: 'Fields of the hash have expiries of their own, which the target does not know: they would never expire.',
  },
};
