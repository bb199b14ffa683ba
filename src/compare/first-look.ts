import { inPieces } from '../basics/in-pieces';
import { keysByServer } from '../redis/redis-port';
import { absentFrom } from '../transfer/side';
import { compareValues, examine, type Comparison, type Examined, type Pair } from './examine';
import { compareOverviews, hasOverviews, overviewOf, type FirstLook, type Overview } from './overview';

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
  return joined([{ ...NOTHING, missing: [...absent] }, backAt(places, look)]);
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
  const { source, target } = comparison;
  // Overviews are made by scripts; where one side allows none, every key is looked at by itself.
  if (!hasOverviews(source) || !hasOverviews(target) || pairs.length === 0) {
    return sorted(await examine(pairs, comparison));
  }
  if (source.scripts && target.scripts) return await lookTogether(pairs, seen, comparison);
  const looks = (await pairsByServers(pairs, comparison)).map(async (places) => {
    const some = places.flatMap((place) => pairs[place] ?? []);
    return backAt(places, await lookTogether(some, undefined, comparison));
  });
  return joined(await Promise.all(looks));
}

/** So many keys one call looks over: pages of names are as large as they come. */
const KEYS_TOGETHER = 512;

/** Those pairs, by their places, whose keys are on one server of each side. */
async function pairsByServers(
  pairs: readonly Pair[],
  { source, target }: Comparison,
): Promise<readonly (readonly number[])[]> {
  const onSource = await source.attempt(() => Promise.resolve(keysByServer(source.port, names(pairs, 'source'))));
  const onTarget = await target.attempt(() => Promise.resolve(keysByServer(target.port, names(pairs, 'target'))));
  const serverOf = new Map(onTarget.flatMap((places, server) => places.map((place) => [place, server] as const)));
  return onSource.flatMap((places) => {
    const groups = onTarget.map((): number[] => []);
    for (const place of places) groups[serverOf.get(place) ?? 0]?.push(place);
    return groups.flatMap((group) => inPieces(group, KEYS_TOGETHER));
  });
}

/** The same of pairs whose keys are on one server of each side. */
async function lookTogether(
  pairs: readonly Pair[],
  seen: Overview | undefined,
  comparison: Comparison,
): Promise<Sorted> {
  const { source, target, depth } = comparison;
  const here = seen ?? (await source.attempt(() => overviewOf(source, names(pairs, 'source'), depth)));
  const there = here && (await target.attempt(() => overviewOf(target, names(pairs, 'target'), depth, here.kinds)));
  if (here === undefined || there === undefined) return sorted(await examine(pairs, comparison));
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

const NOTHING: Sorted = { gone: [], same: [], missing: [], otherExpiry: [], different: [] };

/** What was said of some, with the places that they have among all. */
function backAt(places: readonly number[], look: Sorted): Sorted {
  const back = (found: readonly number[]) => found.flatMap((at) => places[at] ?? []);
  return {
    gone: back(look.gone),
    same: back(look.same),
    missing: back(look.missing),
    otherExpiry: back(look.otherExpiry),
    different: back(look.different),
  };
}

function joined(looks: readonly Sorted[]): Sorted {
  const all = (of: (look: Sorted) => readonly number[]) => looks.flatMap(of);
  return {
    gone: all(({ gone }) => gone),
    same: all(({ same }) => same),
    missing: all(({ missing }) => missing),
    otherExpiry: all(({ otherExpiry }) => otherExpiry),
    different: all(({ different }) => different),
  };
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
