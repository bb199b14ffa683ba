import { comparisonOf } from '../compare/comparison-of';
import type { Pair } from '../compare/examine';
import { equalOf, lookAtPage } from '../compare/first-look';
import type { Overview } from '../compare/overview';
import { withOverviews } from '../compare/overview-reader';
import { makeConverters } from '../convert/make-converters';
import { makeNames } from '../convert/names';
import { sinkOf } from '../copy/range-sink';
import { addCounts, noCounts } from '../migration/counts';
import type { KeyFinding } from '../migration/rows';
import { selectionOf } from '../migration/selection';
import type { RangeJob } from '../range/range-job';
import { compareClocks, rangeSides, type SidesApp } from '../range/range-sides';
import { walkRange, type Outcome, type WalkApp } from '../range/walk-range';
import { named, splitLater, type Part } from '../transfer/range-pages';
import { takeOverExpiries } from './take-over-expiries';

/**
 * Brings a range of the target up to date: keys that are missing or different are copied whole, keys of which only the expiry
 * differs get the source's, and all others are only looked over. Keys that a converter claims are converted again.
 */
export async function syncRange(job: RangeJob, app: SidesApp & WalkApp): Promise<void> {
  const { plan } = job.migration;
  const sides = rangeSides(job, app);
  const { source } = sides;
  const clock = await compareClocks(job, sides, app);
  const converters = makeConverters(plan);
  const selection = selectionOf(plan, converters);
  const names = makeNames(plan, sides.database, converters);
  const sink = sinkOf(job, app, sides, names, clock);
  const comparison = comparisonOf(job, app, sides, clock, 'full');
  const begun = job.place.notes('copy');

  const bringUpToDate = async (part: Part<Overview>): Promise<Outcome> => {
    const { keys } = part.page;
    // What a message before has begun to copy is not compared again.
    if (keys.length === 1 && keys.every((key) => begun.get(key) !== undefined)) return await copyKeys(keys, part);
    const pairs = keys.map((key): Pair => ({ source: key, target: names.onTarget(key) }));
    const look = await lookAtPage(pairs, part.seen, comparison);
    const equal = await equalOf(look.otherExpiry, pairs, comparison);
    const expiries = await takeOverExpiries(pick(pairs, [...equal]), sides, clock.targetMinusSource);
    const places = [...look.missing, ...look.different, ...look.otherExpiry.filter((place) => !equal.has(place))];
    const written = await copyKeys(
      pick(pairs, places).map((pair) => pair.source),
      part,
    );
    const settled = {
      same: look.same.length,
      expired: look.gone.length + expiries.gone,
      copied: expiries.set,
    };
    return { counts: addCounts(written.counts, settled), findings: written.findings };
  };

  /** Copies keys of a part, and writes what converters have read with it. */
  const copyKeys = async (keys: readonly Buffer[], { counts, claims, next }: Part<Overview>) => {
    let sum = noCounts;
    const findings: KeyFinding[] = [];
    let rest: Pick<Part, 'counts' | 'claims'> = { counts, claims };
    let open = keys;
    do {
      const asked = open;
      const [page, later] =
        asked.length > 0 && sink.wantsValues()
          ? splitLater(await source.attempt(() => source.reader.read(asked)))
          : [named(asked), named([])];
      // Not waited for: parts hold shares already, and if every range waited so, none would go on.
      app.budget.correct(0, page.bytes);
      try {
        const outcome = await sink.write({ page, ...rest, next, taken: 0 });
        if (outcome.stopped !== undefined) throw outcome.stopped.by;
        sum = addCounts(sum, outcome.counts);
        findings.push(...outcome.findings);
      } finally {
        app.budget.give(page.bytes);
      }
      rest = { counts: {}, claims: [] };
      open = later.keys;
    } while (open.length > 0);
    return { counts: sum, findings };
  };

  await walkRange<never, Overview>(job, app, withOverviews(source, sides.target, comparison.depth, selection), {
    selection,
    converters,
    wantsValues: () => false,
    work: bringUpToDate,
  });
}

function pick<T>(items: readonly T[], places: readonly number[]): T[] {
  return places.flatMap((place) => items[place] ?? []);
}
