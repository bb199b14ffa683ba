import type { App } from '../app/app';
import type { Converter } from '../convert/converter';
import { makeConverters } from '../convert/make-converters';
import { makeNames } from '../convert/names';
import { selectionOf } from '../migration/selection';
import { fileOf } from '../migration/side-spec';
import type { RangeJob } from '../range/range-job';
import { fileSidesOf } from '../range/file-origin';
import { compareClocks, databaseOf, originOf, rangeSides, type SidesApp } from '../range/range-sides';
import { walkRange, type WalkApp } from '../range/walk-range';
import type { Origin } from '../transfer/side';
import type { Sink } from '../transfer/sink';
import { fileSinkOf } from './piece-sink';
import { sinkOf, sinkOfFile } from './range-sink';

type CopyApp = SidesApp & WalkApp & Pick<App, 'fileTables' | 'ledger'>;

/** Copies a range of the source's keys. */
export async function copyRange(job: RangeJob, app: CopyApp): Promise<void> {
  const { plan } = job.migration;
  const converters = makeConverters(plan);
  const selection = selectionOf(plan, converters);
  const { origin, sink } = await waysOf(job, app, converters);
  await walkRange(job, app, origin, {
    selection,
    converters,
    // What goes into a file is done only when the cursor has moved behind it.
    tellsKeys: fileOf(plan.request.target) === undefined,
    wantsValues: () => sink.wantsValues(),
    work: (part) => sink.write(part),
  });
}

/** Where a range's keys come from, and where they go. */
async function waysOf(
  job: RangeJob,
  app: CopyApp,
  converters: readonly Converter[],
): Promise<{ readonly origin: Origin; readonly sink: Sink }> {
  const { plan } = job.migration;
  const database = databaseOf(job);
  const names = makeNames(plan, database, converters);
  if (fileOf(plan.request.target) !== undefined) {
    const origin = originOf(job, app, 'source', database);
    return { origin, sink: await fileSinkOf(job, app, origin, names) };
  }
  const file = await fileSidesOf(job, app, converters);
  if (file !== undefined) return { origin: file.source, sink: sinkOfFile(job, app, file, names) };
  const sides = rangeSides(job, app);
  return { origin: sides.source, sink: sinkOf(job, app, sides, names, await compareClocks(job, sides, app)) };
}
