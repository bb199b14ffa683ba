import type { App } from '../app/app';
import { compareRange } from '../compare/compare-range';
import { extraRange } from '../compare/extra-range';
import { surveyRange } from '../survey/survey-range';
import { syncRange } from '../sync/sync-range';
import { copyRange } from '../copy/copy-range';
import { lookRange } from '../copy/look-range';
import type { RangeJob } from '../range/range-job';
import type { MigrationRow } from '../migration/rows';
import type { MigrationRequest } from '../migration/request';

/** What is done with one range, from its cursor to its end. Throws what ends it early. */
export type RangeWork = (job: RangeJob, app: App) => Promise<void>;

/** The first phase of each mode: its walk over the source. */
const firstWork: Readonly<Record<MigrationRequest['mode'], RangeWork>> = {
  copy: copyRange,
  'dry-run': surveyRange,
  compare: compareRange,
  sync: syncRange,
};

/** The work that a range of the migration's phase needs. */
export function rangeWorkOf({ plan, phase, course }: Pick<MigrationRow, 'plan' | 'phase' | 'course'>): RangeWork {
  switch (phase) {
    case 'copy':
      return firstWork[plan.request.mode];
    case 'look':
      return course.lookDepth === 'existence' ? lookRange : compareRange;
    case 'extra':
      return extraRange;
  }
}
