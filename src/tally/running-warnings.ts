import { isFollowed, writesTarget } from '../migration/phases';
import { warningsOfUnseen } from '../migration/plan-warnings';
import type { MigrationRow } from '../migration/rows';
import { sourceKeysAtStart } from '../migration/report';
import { keysIn, type SideFacts } from '../app/side-facts';
import { fileOf } from '../migration/side-spec';
import { markOf, since, type Since } from '../migration/since';

/** What people should know of both sides while a migration runs, and afterwards. */
export function runningWarnings(
  { plan, course, stopCause }: Pick<MigrationRow, 'plan' | 'course' | 'stopCause'>,
  source: SideFacts | undefined,
  target: SideFacts | undefined,
): string[] {
  const warnings: string[] = [];
  const { restarts } = course;
  if (restarts.source > 0) {
    warnings.push(
      `The source restarted, failed over or changed its replication ${times(restarts.source)} during the migration. Where it came back with older data, older values were copied.`,
    );
  }
  if (restarts.target > 0) {
    warnings.push(
      `The target restarted, failed over or changed its replication ${times(restarts.target)} during the migration: what was written before may be lost, so every key is looked at in the end. A sync brings back what is missing.`,
    );
  }
  for (const [side, facts] of [
    ['source', source],
    ['target', target],
  ] as const) {
    const known = new Set(plan.warnings);
    warnings.push(...warningsOfUnseen(side, facts ?? {}).filter((warning) => !known.has(warning)));
    if (facts?.slotsMoved !== true) continue;
    warnings.push(
      `Slots of the ${side} are on their way from one node to another: how many keys it has is not known exactly until they are there.`,
    );
  }
  const ofSource = source && since(markOf(plan.source), markOf(source));
  const ofTarget = target && since(markOf(plan.target), markOf(target));
  const followed = isFollowed(plan);
  if (ofSource?.swapped === true && !followed) {
    const left = writesTarget(plan)
      ? ' Keys of what was there before may be on the target: a sync with deleteExtra takes away what the source no longer has.'
      : '';
    warnings.push(
      `Databases of the source were exchanged (SWAPDB) during the migration${course.exchanges > 0 ? ', and walked anew' : ''}.${left}`,
    );
  }
  if (ofTarget?.flushed === 'yes') {
    warnings.push(
      'A database of the target was flushed or exchanged (FLUSHALL, FLUSHDB, SWAPDB) during the migration.',
    );
  }
  warnings.push(...evicted('target', ofTarget), ...evicted('source', ofSource));
  // Of a source that was lost, the changes are the loss.
  if (stopCause === null && !followed) warnings.push(...written(plan, restarts.source, ofSource));
  const atStart = sourceKeysAtStart(plan);
  const now = source && keysIn(source, plan, 'source');
  if (atStart !== undefined && now !== undefined && atStart > 1_000 && now < atStart / 2) {
    warnings.push(`The source has lost more than half of its keys since the start (${atStart}, now ${now}).`);
  }
  const { maxMemory = 0, usedMemory = 0 } = target ?? {};
  if (maxMemory > 0 && usedMemory >= maxMemory) {
    const short = Math.max(0, (plan.source.usedMemory ?? 0) - maxMemory);
    warnings.push(
      `The target is full: ${usedMemory} of ${maxMemory} bytes are used${short > 0 ? `, about ${short} bytes more are needed` : ''}.`,
    );
  }
  return warnings;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

function evicted(side: string, course: Since | undefined): string[] {
  const count = course?.evicted ?? 0;
  return count === 0 || count === 'unknown' ? [] : [`The ${side} evicted ${count} keys during the migration.`];
}

/** Only copies are behind what is written meanwhile: a comparison says itself what differs. */
function written(plan: MigrationRow['plan'], restarts: number, course: Since | undefined): string[] {
  if (!writesTarget(plan) || plan.inPlace || course === undefined) return [];
  const isFile = fileOf(plan.request.target) !== undefined;
  if (course.written === 'yes') {
    const times = (course.changes ?? 0) > 0 ? ` (${course.changes} changes)` : '';
    if (isFile) {
      return [
        `The source was written to while the file was made${times}: it is no picture of one moment, and each key has a value that it had meanwhile.`,
      ];
    }
    return [
      `The source was written to during the migration${times}: what changed behind the walk is not on the target, and keys that were deleted or renamed meanwhile stay there. Run a sync when the writers have stopped, with deleteExtra if those are to go.`,
    ];
  }
  if (course.written === 'no' || restarts > 0) return [];
  if (isFile) return ['The source does not tell whether it was written to: the file may be no picture of one moment.'];
  return [
    'The source does not tell whether it was written to: keys that changed behind the walk are not on the target.',
  ];
}
