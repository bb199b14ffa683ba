import { z } from 'zod';
import { makeConverters } from '../convert/make-converters';
import { makeNames } from '../convert/names';
import { addCounts, noCounts } from '../migration/counts';
import { selectionOf } from '../migration/selection';
import type { RangeJob } from '../range/range-job';
import { attemptOn, compareClocks, rangeSides, type SidesApp } from '../range/range-sides';
import { roundsOfValues, type Look, type LooksMemory, type Wrong } from '../range/suspects';
import { walkRange, type Outcome, type WalkApp } from '../range/walk-range';
import type { Part } from '../transfer/range-pages';
import { lookAtClaimed } from './claimed-keys';
import { comparisonOf, depthOf } from './comparison-of';
import { examine, type Comparison, type Pair } from './examine';
import { lookAtPage } from './first-look';
import type { Overview } from './overview';
import { withOverviews } from './overview-reader';
import { tellDifferences } from './tell-differences';

/** Keys that are examined together. */
const EXAMINED_AT_ONCE = 500;

/** A key that may differ. */
type Suspect = Pair & { readonly claimed: boolean };

/**
 * Compares the source's keys of a range with the target: those that are missing there or different become findings. What
 * seems different is looked at again twice, some seconds apart, so that keys in flight settle.
 */
export async function compareRange(job: RangeJob, app: SidesApp & WalkApp): Promise<void> {
  const { plan } = job.migration;
  const sides = rangeSides(job, app);
  const clock = await compareClocks(job, sides, app);
  const comparison = comparisonOf(job, app, sides, clock, depthOf(job.migration));
  const converters = makeConverters(plan);
  const selection = selectionOf(plan, converters);
  const names = makeNames(plan, sides.database, converters);
  const pairOf = (key: Buffer): Pair => ({ source: key, target: names.onTarget(key) });

  const claimedContext = {
    ...comparison,
    converters,
    names,
    onBoth: attemptOn(job, sides.source.guard, sides.target.guard),
  };

  const looks = job.place.notes('looks');
  const memory: LooksMemory<Suspect> = {
    get: ({ source }) => z.number().int().min(1).optional().catch(undefined).parse(looks.get(source)),
    set: ({ source }, number) => {
      // Elsewhere one message's time is enough for all looks.
      if (number === undefined || job.isSlow) looks.set(source, number);
    },
  };

  const work = async ({ page, seen, counts }: Part<Overview>): Promise<Outcome<Suspect>> => {
    const isClaimed = page.keys.map((key) => names.claims(key));
    const [only, ...others] = page.keys.map((key, i): Suspect => ({ ...pairOf(key), claimed: isClaimed[i] === true }));
    // What was a suspect in a message before is one still.
    if (only !== undefined && others.length === 0 && memory.get(only) !== undefined)
      return { counts, suspects: [only] };
    const claimed = await lookAtClaimed(
      page.keys.filter((_, i) => isClaimed[i]),
      claimedContext,
    );
    const isSeenWhole = !isClaimed.includes(true);
    const plain = isSeenWhole ? page.keys : [...page.keys.filter((_, i) => isClaimed[i] !== true), ...claimed.plain];
    const pairs = plain.map(pairOf);
    const look = await lookAtPage(pairs, isSeenWhole ? seen : undefined, comparison);
    const different = [...look.missing, ...look.otherExpiry, ...look.different];
    return {
      counts: addCounts(addCounts(noCounts, counts), {
        same: look.same.length + claimed.same,
        expired: look.gone.length + claimed.gone,
      }),
      suspects: [
        ...different.flatMap((place) => pairs[place] ?? []).map((pair): Suspect => ({ ...pair, claimed: false })),
        ...claimed.wrong.map(({ key }): Suspect => ({ ...pairOf(key), claimed: true })),
      ],
    };
  };

  const look = async (suspects: readonly Suspect[]): Promise<Look<Suspect>> => {
    const claimed = await lookAtClaimed(
      suspects.filter((suspect) => suspect.claimed).map(({ source }) => source),
      claimedContext,
    );
    const others = claimed.plain.map((key): Suspect => ({ ...pairOf(key), claimed: true }));
    const plain = await examined([...suspects.filter((suspect) => !suspect.claimed), ...others], comparison);
    return {
      counts: addCounts(addCounts(noCounts, plain.counts), { same: claimed.same, expired: claimed.gone }),
      wrong: [
        ...plain.wrong,
        ...claimed.wrong.map((finding) => ({ suspect: { ...pairOf(finding.key), claimed: true }, finding })),
      ],
    };
  };

  await walkRange(job, app, withOverviews(sides.source, comparison.depth, selection), {
    selection,
    converters: [],
    wantsValues: () => false,
    work,
    secondLook: { rounds: roundsOfValues, memory, look, end: tellDifferences },
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
