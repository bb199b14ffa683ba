import type { App } from '../app/app';
import type { SidesApp } from '../range/range-sides';
import type { WalkApp } from '../range/walk-range';
import { compareRange } from '../compare/compare-range';
import { extraRange } from '../compare/extra-range';
import { surveyRange } from '../survey/survey-range';
import { syncRange } from '../sync/sync-range';
import { copyRange } from '../copy/copy-range';
import { loadLibraries } from '../copy/load-libraries';
import { lookRange } from '../copy/look-range';
import { sealFile } from '../copy/seal-file';
import type { RangeJob } from '../range/range-job';
import { readSourceFile } from '../start/read-source-file';
import type { MigrationRow } from '../migration/rows';
import { phaseOf, type Work } from '../migration/phases';

/** What the work on a range needs of the app. */
export type WorkApp = SidesApp & WalkApp & Pick<App, 'budget' | 'fileTables' | 'ledger' | 'watch'>;

/** What is done with one range, from its cursor to its end. Throws what ends it early. */
export type RangeWork = (job: RangeJob, app: WorkApp) => Promise<void>;

const works: Readonly<Record<Exclude<Work, 'follow'>, RangeWork>> = {
  read: readSourceFile,
  copy: copyRange,
  survey: surveyRange,
  compare: compareRange,
  sync: syncRange,
  extra: extraRange,
  libraries: loadLibraries,
  seal: sealFile,
  look: (job, app) => (job.migration.course.lookDepth === 'existence' ? lookRange(job, app) : compareRange(job, app)),
};

/** The work that a range of the migration's phase needs. */
export function rangeWorkOf(migration: Pick<MigrationRow, 'plan' | 'phase' | 'pass'>): RangeWork {
  const { work } = phaseOf(migration.plan, migration);
  if (work === 'follow') throw new Error('A phase that follows the source has no ranges.');
  return works[work];
}
