import { makeConverters } from '../convert/make-converters';
import { makeNames } from '../convert/names';
import { selectionOf } from '../migration/selection';
import { fileOf } from '../migration/side-spec';
import type { RangeJob } from '../range/range-job';
import { compareClocks, databaseOf, originOf, rangeSides, type SidesApp } from '../range/range-sides';
import { walkRange, type WalkApp } from '../range/walk-range';
import { fileSinkOf } from './piece-sink';
import { sinkOf } from './range-sink';

/** Copies a range of the source's keys. */
export async function copyRange(job: RangeJob, app: SidesApp & WalkApp): Promise<void> {
  const { plan } = job.migration;
  const converters = makeConverters(plan);
  const selection = selectionOf(plan, converters);
  if (fileOf(plan.request.target) !== undefined) {
    const database = databaseOf(job);
    const origin = originOf(job, app, 'source', database);
    const sink = await fileSinkOf(job, app, origin, makeNames(plan, database, converters));
    await walkRange(job, app, origin, {
      selection,
      converters,
      wantsValues: () => sink.wantsValues(),
      work: (part) => sink.write(part),
    });
    return;
  }
  const sides = rangeSides(job, app);
  const names = makeNames(plan, sides.database, converters);
  const sink = sinkOf(job, app, sides, names, await compareClocks(job, sides));
  await walkRange(job, app, sides.source, {
    selection,
    converters,
    tellsKeys: true,
    wantsValues: () => sink.wantsValues(),
    work: (part) => sink.write(part),
  });
}
