import { makeConverters } from '../convert/make-converters';
import { makeNames, type Names } from '../convert/names';
import { addCounts, noCounts } from '../migration/counts';
import { selectionOf } from '../migration/selection';
import type { RangeJob } from '../range/range-job';
import { compareClocks, rangeSides, type SidesApp } from '../range/range-sides';
import { roundsOfValues, type Look, type Wrong } from '../range/suspects';
import { walkRange, type Outcome, type WalkApp } from '../range/walk-range';
import type { Part } from '../transfer/range-pages';
import { comparisonOf, depthOf } from './comparison-of';
import { examine, type Comparison, type Pair } from './examine';
import { lookAtPage } from './first-look';
import { lackingKeys } from './lacking-keys';
import type { Overview } from './overview';
import { withOverviews } from './overview-reader';
import { tellDifferences } from './tell-differences';

/** Keys that are examined together. */
const EXAMINED_AT_ONCE = 500;

const MISSING_CONVERTED = {
  code: 'missing',
  message: 'The key is on the source, and on the target neither converted nor as it is.',
} as const;

/** A key that may differ; of one that a converter claims only whether it is there is looked at. */
type Suspect = Pair & { readonly claimed: boolean };

/**
 * Compares the source's keys of a range with the target: those that are missing there or different become findings. What
 * seems different is looked at again twice, some seconds apart, so that keys in flight settle.
 */
export async function compareRange(job: RangeJob, app: SidesApp & WalkApp): Promise<void> {
  const { plan } = job.migration;
  const sides = rangeSides(job, app);
  const clock = await compareClocks(job, sides);
  const comparison = comparisonOf(job, sides, clock, depthOf(job.migration));
  const converters = makeConverters(plan);
  const names = makeNames(plan, sides.database, converters);
  const pairOf = (key: Buffer): Pair => ({ source: key, target: names.onTarget(key) });

  const work = async ({ page, seen, counts }: Part<Overview>): Promise<Outcome<Suspect>> => {
    const claimed = page.keys.filter((key) => names.claims(key));
    const plain = claimed.length === 0 ? page.keys : page.keys.filter((key) => !names.claims(key));
    const pairs = plain.map(pairOf);
    const look = await lookAtPage(pairs, claimed.length === 0 ? seen : undefined, comparison);
    const different = [...look.missing, ...look.otherExpiry, ...look.different];
    return {
      counts: addCounts(addCounts(noCounts, counts), { same: look.same.length, expired: look.gone.length }),
      suspects: [
        ...different.flatMap((place) => pairs[place] ?? []).map((pair): Suspect => ({ ...pair, claimed: false })),
        ...claimed.map((key): Suspect => ({ ...pairOf(key), claimed: true })),
      ],
    };
  };

  const look = async (suspects: readonly Suspect[]): Promise<Look<Suspect>> => {
    const plain = await examined(
      suspects.filter(({ claimed }) => !claimed),
      comparison,
    );
    const claimed = await lookedFor(
      suspects.filter((suspect) => suspect.claimed),
      names,
      comparison,
    );
    return {
      counts: addCounts(addCounts(noCounts, plain.counts), claimed.counts),
      wrong: [...plain.wrong, ...claimed.wrong],
    };
  };

  await walkRange(job, app, withOverviews(sides.source, comparison.depth), {
    selection: selectionOf(plan, converters),
    converters: [],
    wantsValues: () => false,
    work,
    secondLook: { rounds: roundsOfValues, look, end: tellDifferences },
  });
}

async function examined(suspects: readonly Suspect[], comparison: Comparison): Promise<Look<Suspect>> {
  const wrong: Wrong<Suspect>[] = [];
  const counts = { same: 0, expired: 0 };
  for (let at = 0; at < suspects.length; at += EXAMINED_AT_ONCE) {
    const some = suspects.slice(at, at + EXAMINED_AT_ONCE);
    const results = await examine(some, comparison);
    some.forEach((suspect, i) => {
      const result = results[i];
      if (result === 'same') counts.same++;
      else if (result === 'gone') counts.expired++;
      else if (result !== undefined) wrong.push({ suspect, finding: { key: suspect.source, ...result } });
    });
  }
  return { wrong, counts };
}

/** Keys that a converter claims are on the target converted, or as they are. Values are not compared. */
async function lookedFor(suspects: readonly Suspect[], names: Names, comparison: Comparison): Promise<Look<Suspect>> {
  const keys = suspects.map(({ source }) => source);
  const { missing, gone } = await lackingKeys(keys, names, comparison);
  const lost = new Set(missing);
  return {
    wrong: suspects
      .filter(({ source }) => lost.has(source))
      .map((suspect): Wrong<Suspect> => ({ suspect, finding: { key: suspect.source, ...MISSING_CONVERTED } })),
    counts: { same: keys.length - missing.length - gone, expired: gone },
  };
}
