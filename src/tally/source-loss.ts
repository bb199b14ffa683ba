import { doubtOfCourse } from '../migration/source-doubt';
import type { Plan } from '../migration/plan';
import { sourceKeysAtStart } from '../migration/report';
import { keysIn, type SideFacts } from '../app/side-facts';
import { markOf, since as sinceMark, type Since } from '../migration/since';

/** Keys of the databases concerned, and what became of the source since the plan was made. */
export interface SourceCourse {
  readonly since: Pick<Since, 'process' | 'flushed'>;
  /** When planned. */
  readonly keysAtStart: number;
  readonly keysNow: number;
  /** Keys that have expired meanwhile; 0 where that is not told. */
  readonly expired: number;
  /** How much of its keys, in percent, a source may have lost without being doubted. */
  readonly shrinkPercent: number;
}

/**
 * Why a source must be taken for one that has lost its data: it has far fewer keys than when the migration was planned, and was
 * restarted, failed over or flushed, or does not tell whether it was. Undefined where nothing speaks for a loss: keys that
 * clients delete one by one, and keys that expire, are no loss, however many.
 */
export function lossOfSource({
  since,
  keysAtStart,
  keysNow,
  expired,
  shrinkPercent,
}: SourceCourse): string | undefined {
  if (since.process === 'same' && since.flushed === 'no') return undefined;
  const gone = keysAtStart - keysNow;
  // Expiries explain what no flush is known to have done, and only in the process that counted them.
  const explained = since.process !== 'changed' && since.flushed === 'unknown' ? expired : 0;
  if (gone <= 0 || gone - explained <= keysAtStart * (shrinkPercent / 100)) return undefined;
  const event =
    since.process === 'changed'
      ? 'since when it restarted or failed over'
      : since.flushed === 'yes'
        ? 'since when it was flushed'
        : 'and does not tell whether it was restarted or flushed';
  return `The source has lost data: ${keysAtStart} keys when the migration was planned, ${keysNow} now, ${event}. The migration was stopped so that nothing on the target is replaced or deleted on its account. Once the source is as it should be, start a new migration.`;
}

/**
 * Why a migration must stop for what has become of its source since the plan was made; undefined where it may go on. A sync that
 * deletes keys because the source does not have them believes only the very process that was planned with.
 */
export function whyStop(plan: Plan, source: SideFacts): string | undefined {
  const [keysAtStart, keysNow] = [sourceKeysAtStart(plan), keysIn(source, plan, 'source')];
  const { shrinkPercent } = plan.request.limits;
  const course = sinceMark(markOf(plan.source), markOf(source));
  const expired = Math.max(0, (source.expiredKeys ?? 0) - (plan.source.expiredKeys ?? 0));
  const loss =
    keysAtStart === undefined || keysNow === undefined
      ? undefined
      : lossOfSource({ since: course, keysAtStart, keysNow, expired, shrinkPercent });
  if (loss !== undefined || !plan.request.deleteExtra) return loss;
  return doubtOfCourse({ since: course, sourceKeysAtStart: keysAtStart, sourceKeys: keysNow, shrinkPercent });
}
