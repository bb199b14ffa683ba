import type { Names } from '../convert/names';
import { addCounts, noCounts, type Counts } from '../migration/counts';
import type { Passage } from '../payload/payload-gate';
import type { KeyFinding } from '../migration/rows';
import type { Payload, ReadKeys } from '../transfer/page-reader';
import type { Part } from '../transfer/range-pages';
import { absentFrom, type Side } from '../transfer/side';
import { fatesOf, lostFates, type Fate, type FateRules, type LostFate, type SurveyedKey } from './fate';
import type { KeyFacts } from './key-facts';

/** What is surveyed. */
export interface SurveySource {
  /** What keys are, those of a page and others; undefined for those that are gone. Throws as the side's attempts do. */
  factsOf(page: ReadKeys, keys: readonly Buffer[]): Promise<readonly (KeyFacts | undefined)[]>;
  /** How a key of this payload, and of this type, would go. */
  passageOf(key: Buffer, payload: Payload | undefined, type: string | undefined): Passage;
}

export interface PartContext {
  readonly source: SurveySource;
  /** Undefined where there is none. */
  readonly target: Side | undefined;
  readonly names: Names;
  readonly rules: FateRules;
}

/** What was learnt of one part. */
export interface PartSurvey {
  readonly keys: readonly SurveyedKey[];
  readonly counts: Counts;
  /** Keys that would not be carried over as they are. */
  readonly lost: readonly KeyFinding[];
}

/** Looks at a part's keys on both sides. Throws the servers' errors, or the connections'. */
export async function surveyPart(part: Part, context: PartContext): Promise<PartSurvey> {
  const { rules, target } = context;
  const { page, claimed = [] } = part;
  const keys = [...page.keys, ...claimed];
  const names = keys.map((key, i) =>
    i < page.keys.length ? context.names.onTarget(key) : context.names.converted(key),
  );
  const [told, there] = await Promise.all([
    context.source.factsOf(page, keys),
    target !== undefined && rules.databaseThere ? existing(names, target) : new Set<number>(),
  ]);
  const surveyed = keys.map((key, i): SurveyedKey => {
    const payload = page.payloads[i];
    const size = Buffer.isBuffer(payload) ? payload.length : 0;
    const facts = i < page.keys.length && payload === 'gone' ? undefined : withBytes(told[i], size);
    const name = names[i];
    const passage = context.source.passageOf(key, payload, facts?.type);
    const state = {
      facts,
      claimed: i >= page.keys.length,
      renamed: name !== undefined && !name.equals(key),
      exists: there.has(i),
      passage,
    };
    const fates = fatesOf(state, rules);
    return typeof passage === 'object' ? { key, facts, fates, withheld: passage } : { key, facts, fates };
  });
  return { keys: surveyed, counts: countsOf(part, surveyed), lost: surveyed.flatMap(lostOf) };
}

/** The places of those names that the target has. */
async function existing(names: readonly (Buffer | undefined)[], target: Side): Promise<ReadonlySet<number>> {
  const places = names.flatMap((name, i) => (name === undefined ? [] : [i]));
  const absent = await absentFrom(
    target,
    names.filter((name) => name !== undefined),
  );
  return new Set(places.filter((_, i) => !absent.has(i)));
}

function withBytes(facts: KeyFacts | undefined, payloadBytes: number): KeyFacts | undefined {
  return facts === undefined || facts.bytes >= 0 ? facts : { ...facts, bytes: payloadBytes };
}

const countOf: Partial<Record<Fate, keyof Counts>> = {
  copied: 'copied',
  skipped: 'skippedByConflict',
  expired: 'expired',
  unsupportedType: 'failed',
};

function countsOf(part: Part, keys: readonly SurveyedKey[]): Counts {
  const sums: Partial<Record<keyof Counts, number>> = {};
  const plain = keys.slice(0, part.page.keys.length);
  for (const { fates } of plain) {
    const name = fates.includes('noDatabase') ? 'failed' : countOf[fates[0] ?? 'expired'];
    if (name !== undefined) sums[name] = (sums[name] ?? 0) + 1;
  }
  const groups = part.claims.reduce((sum, claim) => sum + claim.groups.length, 0);
  return addCounts(addCounts(addCounts(noCounts, part.counts), sums), { converted: groups, bytes: part.page.bytes });
}

function lostOf({ key, fates, withheld }: SurveyedKey): PartSurvey['lost'] {
  return fates
    .filter(
      (fate): fate is Exclude<LostFate, 'noDatabase'> => fate === 'unsupportedType' || fate === 'losesFieldExpiry',
    )
    .map((fate) => ({ key, ...((fate === 'unsupportedType' ? withheld : undefined) ?? lostFates[fate]) }));
}
