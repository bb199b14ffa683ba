import type { App } from '../app/app';
import { comparisonOf } from '../compare/comparison-of';
import type { Pair } from '../compare/examine';
import { equalOf, lookAtPage } from '../compare/first-look';
import { OverviewReader } from '../compare/overview-reader';
import { makeConverters } from '../convert/make-converters';
import { rangeWriting, writeParts } from '../copy/copy-range';
import { addCounts, noCounts } from '../migration/counts';
import type { RangeJob } from '../range/range-job';
import { named, readRangeAhead, splitLater, type Part } from '../transfer/range-pages';
import { takeOverExpiries } from './take-over-expiries';

/**
 * Brings a range of the target up to date: keys that are missing or different are copied whole, keys of which only the expiry
 * differs get the source's, and all others are only looked over. Keys that a converter claims are converted again.
 */
export async function syncRange(job: RangeJob, app: App): Promise<void> {
  const { plan } = job.migration;
  const writing = await rangeWriting(job, app);
  const { sides } = writing;
  const { comparison, clock, nameOf, walk } = await comparisonOf(job, app, writing);
  const reader = plan.source.abilities.scripts
    ? new OverviewReader(sides.source, comparison.depth, sides.reader)
    : sides.reader;

  /** What of a part is to be written, in one or several parts. */
  async function* outdated(part: Part): AsyncGenerator<Part, void, undefined> {
    const pairs = part.page.keys.map((key): Pair => ({ source: key, target: nameOf(key) }));
    const seen = reader instanceof OverviewReader ? reader.overviewOf(part.page.keys) : undefined;
    const look = await lookAtPage(pairs, seen, comparison);
    const equal = await equalOf(look.otherExpiry, pairs, comparison);
    const expiries = await takeOverExpiries(pick(pairs, [...equal]), {
      ...sides,
      targetMinusSource: clock.targetMinusSource,
    });
    const places = [...look.missing, ...look.different, ...look.otherExpiry.filter((place) => !equal.has(place))];
    let names: readonly Buffer[] = pick(pairs, places).map((pair) => pair.source);
    const settled = addCounts(addCounts(noCounts, part.counts), {
      same: look.same.length,
      expired: look.gone.length + expiries.gone,
      copied: expiries.set,
    });
    let head: Pick<Part, 'counts' | 'claims'> = { counts: settled, claims: part.claims };
    const { next } = part;
    let { taken } = part;
    while (names.length > 0 && !writing.byCommands) {
      const asked = names;
      const [page, later] = splitLater(await sides.attemptSource(() => sides.reader.read(asked)));
      // Not waited for: this page and the next one hold shares already, and if every range waited so, none would go on.
      app.budget.correct(0, page.bytes);
      taken += page.bytes;
      names = later.keys;
      if (names.length === 0) {
        yield { page, ...head, next, taken };
        return;
      }
      yield { page, ...head, next: undefined, taken };
      head = { counts: {}, claims: [] };
      taken = 0;
    }
    yield { page: named(names), ...head, next, taken };
  }

  async function* parts(): AsyncGenerator<Part, void, undefined> {
    const walked = readRangeAhead(reader, { ...walk, converters: makeConverters(plan) });
    for await (const part of walked) yield* outdated(part);
  }
  await writeParts(parts(), writing, job, app);
}

function pick<T>(items: readonly T[], places: readonly number[]): T[] {
  return places.map((place) => items[place]).filter((item) => item !== undefined);
}
