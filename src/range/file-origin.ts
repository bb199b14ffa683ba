import type { App } from '../app/app';
import { contentOf } from '../files/look-through';
import { fileOf } from '../migration/side-spec';
import type { WalkedDatabase } from '../migration/plan';
import { FileReader } from '../transfer/file-reader';
import { governedPort, governedReader } from '../transfer/governed';
import type { Origin } from '../transfer/side';
import type { RangeJob } from './range-job';
import { attemptOn } from './range-sides';
import { expectedKeysOf, PAGE_BYTES } from './range-shape';
import { timedReader } from './timed';

/** A file as keys are read from it. */
export interface FileOrigin extends Origin {
  /** The type byte of a large key, and the bytes that it takes; undefined for one that is none. */
  largeOf: FileReader['largeOf'];
}

/** The file that a range is read from; undefined where the source is a server. */
export function fileOriginOf(
  job: RangeJob,
  app: Pick<App, 'files' | 'ledger' | 'settings' | 'telemetry'>,
  walked: WalkedDatabase,
): FileOrigin | undefined {
  const { id, plan } = job.migration;
  const spec = fileOf(plan.request.source);
  const { file } = plan.source;
  if (spec === undefined || file === undefined) return undefined;
  const extents = file.databases.find(({ database }) => database === walked.database)?.ranges[job.row.index] ?? [];
  const place = { store: contentOf(app.files.get(spec.rdb), file), file: spec.file, source: file };
  const reader = new FileReader(place, job.row, extents, { pageBytes: PAGE_BYTES });
  return {
    port: governedPort(reader.port, job.governor),
    scripts: false,
    attempt: attemptOn(job),
    absent: (keys) => Promise.resolve(reader.expired(keys, app.ledger.now())),
    reader: governedReader(timedReader(reader, id, app.telemetry), job.governor),
    readerOfWhole: { read: (keys) => reader.readWhole(keys, app.settings.bytesInFlight) },
    largeOf: (key) => reader.largeOf(key),
    expectedKeys: expectedKeysOf(walked),
    cursorOrder: true,
  };
}
