import { doubtOfCourse } from '../migration/source-doubt';
import type { MigrationRow } from '../migration/rows';
import { withReset } from '../migration/course';
import { sourceKeysAtStart } from '../migration/report';
import { keysIn, type SideFacts } from '../app/side-facts';
import { markOf, since as sinceMark, type Since } from '../migration/since';

/** Keys of the databases concerned, and what became of the source since the plan was made. */
export interface SourceCourse {
  readonly since: Pick<Since, 'process' | 'flushed'>;
  /** When planned, or when they were counted last. */
  readonly keysBefore: number;
  readonly keysNow: number;
  /** Keys that have expired meanwhile; 0 where that is not told. */
  readonly expired: number;
  /** How much of its keys, in percent, a source may have lost without being doubted. */
  readonly shrinkPercent: number;
}

/** Where nobody tells whether a source was flushed, one that has fewer of its keys left, percent, is taken for flushed. */
const NOTHING_LEFT = 1;

/**
 * Why a source must be taken for one that has lost its data: it has far fewer keys than when they were counted last, and was
 * restarted, failed over or flushed meanwhile, or does not tell and has next to none. Undefined where nothing speaks for a loss:
 * keys that clients delete one by one, and keys that expire, are no loss, however many.
 */
export function lossOfSource({ since, keysBefore, keysNow, expired, shrinkPercent }: SourceCourse): string | undefined {
  if (since.process === 'same' && since.flushed === 'no') return undefined;
  const gone = keysBefore - keysNow;
  const isKnown = since.process === 'changed' || since.flushed === 'yes';
  // Expiries explain what no flush is known to have done, and only in the process that counted them.
  const percent = isKnown ? shrinkPercent : 100 - NOTHING_LEFT;
  if (gone <= 0 || gone - (isKnown ? 0 : expired) <= keysBefore * (percent / 100)) return undefined;
  const event =
    since.process === 'changed'
      ? 'since when it restarted or failed over'
      : since.flushed === 'yes'
        ? 'since when it was flushed'
        : 'and does not tell whether it was restarted or flushed';
  return `The source has lost data: it had ${keysBefore} keys and has ${keysNow} now, ${event}. The migration was stopped so that nothing on the target is replaced or deleted on its account. Once the source is as it should be, start a new migration.`;
}

/**
 * Why a migration must stop for what has become of its source since the plan was made; undefined where it may go on. A sync that
 * deletes keys because the source does not have them believes only the very process that was planned with.
 * @param keysBefore how many keys the source was seen to have last; null where they were not counted since the plan
 */
export function whyStop(
  { plan, course }: Pick<MigrationRow, 'plan' | 'course'>,
  source: SideFacts,
  keysBefore: number | null,
): string | undefined {
  const [keysAtStart, keysNow] = [sourceKeysAtStart(plan), keysIn(source, plan, 'source')];
  const { shrinkPercent } = plan.request.limits;
  const sincePlan = withReset(sinceMark(markOf(plan.source), markOf(source)), course.reset.source);
  const expired = Math.max(0, (source.expiredKeys ?? 0) - (plan.source.expiredKeys ?? 0));
  const counted = keysBefore ?? keysAtStart;
  const loss =
    counted === undefined || keysNow === undefined
      ? undefined
      : lossOfSource({ since: sincePlan, keysBefore: counted, keysNow, expired, shrinkPercent });
  if (loss !== undefined || !plan.request.deleteExtra) return loss;
  return doubtOfCourse({ since: sincePlan, sourceKeysAtStart: keysAtStart, sourceKeys: keysNow, shrinkPercent });
}
