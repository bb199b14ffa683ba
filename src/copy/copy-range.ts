import { makeConverters } from '../convert/make-converters';
import { makeNames } from '../convert/names';
import { selectionOf } from '../migration/selection';
import type { RangeJob } from '../range/range-job';
import { compareClocks, rangeSides, type SidesApp } from '../range/range-sides';
import { walkRange, type WalkApp } from '../range/walk-range';
import { sinkOf } from './range-sink';

/** Copies a range of the source's keys. */
export async function copyRange(job: RangeJob, app: SidesApp & WalkApp): Promise<void> {
  const { plan } = job.migration;
  const sides = rangeSides(job, app);
  const converters = makeConverters(plan);
  const names = makeNames(plan, sides.database, converters);
  const sink = sinkOf(job, app, sides, names, await compareClocks(job, sides));
  await walkRange(job, app, sides.source, {
    selection: selectionOf(plan, converters),
    converters,
    tellsKeys: true,
    wantsValues: () => sink.wantsValues(),
    work: (part) => sink.write(part),
  });
}
