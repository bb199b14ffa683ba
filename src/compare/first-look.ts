import { absentFrom } from '../transfer/side';
import { compareValues, examine, type Comparison, type Examined, type Pair } from './examine';
import { compareOverviews, overviewOf, type FirstLook, type Overview } from './overview';

/** What a look at many keys at once says of them, as places. */
export interface Sorted {
  readonly gone: readonly number[];
  readonly same: readonly number[];
  readonly missing: readonly number[];
  /** With another expiry; their values may differ too. */
  readonly otherExpiry: readonly number[];
  readonly different: readonly number[];
}

/** So many of a page's keys, as a part, are missing on the target where the next page is likely to be so, too. */
const MOST = 0.9;

/** Where the target lacks nearly all, it is asked for names first: what the source has of the others need not be read. */
export class NamesFirst {
  private lacking = false;

  get areAsked(): boolean {
    return this.lacking;
  }

  /** Notes how many of a page's keys were missing. */
  note(missing: number, keys: number): void {
    if (keys > 0) this.lacking = missing >= MOST * keys;
  }
}

/** As `lookAtPage`, at those keys only that the target has. */
export async function lookAtPresent(pairs: readonly Pair[], comparison: Comparison): Promise<Sorted> {
  const absent = await absentFrom(comparison.target, names(pairs, 'target'));
  const places = pairs.map((_, place) => place).filter((place) => !absent.has(place));
  const present = places.flatMap((place) => pairs[place] ?? []);
  const look = await lookAtPage(present, undefined, comparison);
  const back = (found: readonly number[]) => found.flatMap((at) => places[at] ?? []);
  return {
    gone: back(look.gone),
    same: back(look.same),
    missing: [...absent, ...back(look.missing)],
    otherExpiry: back(look.otherExpiry),
    different: back(look.different),
  };
}

/**
 * Looks at one page's keys on both sides, in few calls and few bytes: digests of many keys first, and closely only at those
 * that these leave in doubt.
 * @param seen what the source was seen to have of exactly these keys, where it was looked over already
 */
export async function lookAtPage(
  pairs: readonly Pair[],
  seen: Overview | undefined,
  comparison: Comparison,
): Promise<Sorted> {
  const { source, target, depth } = comparison;
  // Overviews are made by scripts; where one side allows none, every key is looked at by itself.
  if (!source.scripts || !target.scripts || pairs.length === 0) return sorted(await examine(pairs, comparison));
  const here = seen ?? (await source.attempt(() => overviewOf(source.port, names(pairs, 'source'), depth)));
  const there = await target.attempt(() => overviewOf(target.port, names(pairs, 'target'), depth, here.kinds));
  const look: FirstLook = compareOverviews(pairs.length, here, there, comparison.expiriesAgree);
  const equal = await equalOf(look.unsure, pairs, comparison);
  return {
    ...look,
    same: [...look.same, ...equal],
    different: equal.size === 0 ? look.unsure : look.unsure.filter((place) => !equal.has(place)),
  };
}

/** Those places whose values are equal, by a close look. A quick comparison has nothing to look at closely. */
export async function equalOf(
  places: readonly number[],
  pairs: readonly Pair[],
  comparison: Comparison,
): Promise<ReadonlySet<number>> {
  if (comparison.depth === 'quick' || places.length === 0) return new Set();
  const asked = places.map((place) => pairs[place]).filter((pair) => pair !== undefined);
  const values = await compareValues(asked, comparison);
  return new Set(places.filter((_, i) => values[i]?.agree === true && values[i].fieldsThatDiffer === 0));
}

function sorted(results: readonly Examined[]): Sorted {
  const sums: Record<keyof Sorted, number[]> = { gone: [], same: [], missing: [], otherExpiry: [], different: [] };
  results.forEach((result, place) => {
    if (typeof result === 'string') sums[result].push(place);
    else if (result.code === 'missing') sums.missing.push(place);
    else if (result.code === 'different-expiry') sums.otherExpiry.push(place);
    else sums.different.push(place);
  });
  return sums;
}

function names(pairs: readonly Pair[], side: 'source' | 'target'): Buffer[] {
  return pairs.map((pair) => pair[side]);
}
