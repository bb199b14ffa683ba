import type { App } from '../app/app';
import { compareRange } from '../compare/compare-range';
import { extraRange } from '../compare/extra-range';
import type { Phase } from '../ledger/rows';
import { surveyRange } from '../survey/survey-range';
import { syncRange } from '../sync/sync-range';
import { copyRange } from './copy-range';
import { lookRange } from './look-range';
import type { RangeJob } from './range-job';
import type { MigrationRequest } from './request';

/** What is done with one range, from its cursor to its end. Throws what ends it early. */
export type RangeWork = (job: RangeJob, app: App) => Promise<void>;

/** The first phase of each mode: its walk over the source. */
const firstWork: Readonly<Record<MigrationRequest['mode'], RangeWork>> = {
  copy: copyRange,
  'dry-run': surveyRange,
  compare: compareRange,
  sync: syncRange,
};

/** The work that a range of a phase needs. */
export function rangeWorkOf({ mode, verify }: Pick<MigrationRequest, 'mode' | 'verify'>, phase: Phase): RangeWork {
  switch (phase) {
    case 'copy':
      return firstWork[mode];
    case 'look':
      return verify === 'quick' || verify === 'full' ? compareRange : lookRange;
    case 'extra':
      return extraRange;
  }
}
